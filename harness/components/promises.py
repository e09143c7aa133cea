"""What planning asks of a stranger's component is held to its contract as it is asked.

Our own are tested; a stranger's may raise anything, or answer what no contract allows. A BadInput
then names the component, the question and what came of it, before anything starts. Held are class
variables that have no default, and the methods of the light half. What a stage asks of the heavy
half ends that stage, and its log says why.
"""

from __future__ import annotations

import functools
import math
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from harness.components.base import Component
from harness.components.standin import NeedsTorch
from harness.errors import BadInput, HarnessError, on_one_line


class Law(NamedTuple):
    """What an answer must be, in words, and whether one is."""

    words: str
    holds: Callable[[Any], bool]


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_number(value: Any) -> bool:
    is_real = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_real and math.isfinite(value)


def _is_cost(value: Any) -> bool:
    return value is None or (_is_number(value) and value >= 0)


def _are_names(value: Any) -> bool:
    return isinstance(value, tuple) and all(_is_text(each) for each in value)


def _are_sentences(value: Any) -> bool:
    return isinstance(value, list) and all(_is_text(each) for each in value)


def _is_range(value: Any) -> bool:
    return len(value) == 2 and all(_is_number(each) for each in value) and value[0] < value[1]


def _are_times(value: Any) -> bool:
    return len(value) > 0 and all(math.isfinite(each) for each in value)


def _is_shape(value: Any) -> bool:
    return isinstance(value, Sequence) and len(value) == 3 and all(_is_count(v) for v in value)


def _are_facts(value: Any) -> bool:
    plain = (str, int, float, bool, type(None))
    return isinstance(value, Mapping) and all(isinstance(v, plain) for v in value.values())


TEXT = Law("text", _is_text)
ANY_TEXT = Law("text", lambda value: isinstance(value, str))
MAYBE_TEXT = Law("text or None", lambda value: value is None or isinstance(value, str))
COUNT = Law("a whole number of 1 or more", _is_count)
MAYBE_COUNT = Law("a whole number of 1 or more, or None", lambda v: v is None or _is_count(v))
COST = Law("a number of 0 or more, or None", _is_cost)
SHARE = Law("a number of 0 or more", lambda value: value is not None and _is_cost(value))
NAMES = Law("a tuple of names", _are_names)
SENTENCES = Law("a list of sentences", _are_sentences)
TRUTH = Law("True or False", lambda value: isinstance(value, bool))
SOMETHING = Law("anything", lambda value: True)


def _one_of(*words: str) -> Law:
    return Law(" or ".join(map(repr, words)), lambda value: value in words)


# kind -> class variable that must be given
VARIABLES: dict[str, dict[str, Law]] = {
    "objective": {"default_sampler": TEXT},
    "sampler": {"serves": NAMES},
    "autoencoder": {"decoders": NAMES},
    "extractor": {"gives": NAMES},
    "metric": {
        "title": TEXT,
        "short_title": TEXT,
        "better": _one_of("lower", "higher"),
        "needs": NAMES,
    },
    "executor": {"policy": _one_of("pool", "queue")},
    "section": {"title": ANY_TEXT, "needs": NAMES},
}
# kind -> question of the light half -> what the answer must be
ANSWERS: dict[str, dict[str, Law]] = {
    "family": {
        "label": TEXT,
        "variant": ANY_TEXT,
        "check": SOMETHING,
        "gflops": COST,
        "facts": Law("a mapping of names to plain values", _are_facts),
        "tokens": MAYBE_COUNT,
        "rate_scale": SHARE,
    },
    "objective": {
        "time_range": Law("two finite numbers, the lower first", _is_range),
        "out_channels": COUNT,
        "predicts": TEXT,
        "check_family": SOMETHING,
    },
    "sampler": {
        "check": SOMETHING,
        "times": Law("finite numbers, at least one", _are_times),
        "evaluations": COUNT,
    },
    "source": {"labelled": TRUTH, "check": SOMETHING},
    "autoencoder": {
        "latent_shape": Law("three whole numbers of 1 or more: channels, height, width", _is_shape),
        "missing": MAYBE_TEXT,
        "missing_decoder": MAYBE_TEXT,
        "decoder_gflops": COST,
    },
    "extractor": {
        "check": SOMETHING,
        "width": MAYBE_COUNT,
        "least_images": Law("a whole number", lambda v: isinstance(v, int)),
        "missing": MAYBE_TEXT,
    },
    "metric": {"check": SOMETHING, "remark": MAYBE_TEXT, "balls": Law("a mapping", _are_facts)},
    "optimizer": {},
    "schedule": {
        "horizon_matters": TRUTH,
        "shared_until": Law("a whole number of 0 or more", lambda v: v == 0 or _is_count(v)),
        "covering": COUNT,
        "factor": SHARE,
        "check": SOMETHING,
    },
    "executor": {
        "open": SOMETHING,
        "watch": SOMETHING,
        "check": SENTENCES,
        "check_results": SENTENCES,
        "describe": MAYBE_TEXT,
        "processes": COUNT,
        "reachable": TRUTH,
        "share": SOMETHING,
    },
    "section": {},
    "tracker": {},
}


def broken(cls: type[Component]) -> Iterator[str]:
    """What is wrong with the class variables that the kind's contract asks for."""
    for name, law in VARIABLES.get(cls.kind, {}).items():
        value = getattr(cls, name, None)
        if not law.holds(value):
            found = f"is {value!r}, not" if hasattr(cls, name) else "is not given: it is"
            yield f"{name} {found} {law.words}"


def held(cls: type[Component], who: str) -> type[Component]:
    """The class, whose own answers are held to the contract from now on. who: for the errors."""
    laws = ANSWERS[cls.kind]
    for name, asked in strangers_own(cls, laws):
        if isinstance(asked, property):
            assert asked.fget is not None
            setattr(cls, name, property(_held(asked.fget, name, laws[name], who)))
        else:
            setattr(cls, name, _held(asked, name, laws[name], who))
    return cls


def strangers_own(cls: type[Component], names: Iterable[str]) -> Iterator[tuple[str, Any]]:
    """The methods and properties of these names that are a stranger's, and are not held yet."""
    for name in names:
        asked = next(vars(c)[name] for c in cls.__mro__ if name in vars(c))
        function = asked.fget if isinstance(asked, property) else asked
        if not callable(function) or function.__module__.startswith("harness."):
            continue
        if not hasattr(function, "_is_held"):
            yield name, asked


def _held(asked: Callable[..., Any], name: str, law: Law, who: str) -> Callable[..., Any]:
    @functools.wraps(asked)
    def answer(*arguments: Any, **named: Any) -> Any:
        try:
            found = asked(*arguments, **named)
        except (HarnessError, NeedsTorch, OSError):
            raise
        except Exception as error:
            said = raised(error, asked)
            raise BadInput(f"{who} breaks its contract: {name} raised {said}") from error
        try:
            good = law.holds(found)
        except NeedsTorch:
            raise
        except Exception:
            good = False
        if not good:
            raise BadInput(f"{who} breaks its contract: {name} gave {found!r}, not {law.words}")
        return found

    answer._is_held = True  # type: ignore[attr-defined]
    return answer


def raised(error: BaseException, asked: Callable[..., Any]) -> str:
    """An exception on one line, and the last line of the component's file that it came through."""
    said = on_one_line(error)
    file = getattr(getattr(asked, "__code__", None), "co_filename", None)
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame.lineno for frame in frames if frame.filename == file]
    listed = getattr(sys.modules.get(asked.__module__), "_listed_as", Path(str(file)).name)
    return f"{said} ({listed}:{own[-1]})" if own else said
