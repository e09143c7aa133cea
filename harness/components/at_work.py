"""A stranger's component is held to its contract in stages too, call by call.

A mean where the losses of rows are asked, or a network that is asked twice a step, gives a number
all the same, and a wrong one. So shapes, types and counts are looked at where they come back, which
costs nothing beside the work; a BadInput then names the component and the promise that broke. What
it raises itself is passed on unchanged: the stage's log has its lines. Our own components are
tested (harness.testing) and are not held. Nothing here imports torch.
"""

from __future__ import annotations

import functools
import numbers
from collections.abc import Callable, Mapping
from typing import Any

from harness.components.base import Component
from harness.components.measured import Value
from harness.components.promises import strangers_own
from harness.errors import BadInput, what_is

Asked = Callable[..., Any]


class Broken(Exception):
    """A promise that broke, as the end of a sentence: "gave ..., not ..."."""


def held(cls: type[Component], who: str) -> type[Component]:
    """The class, whose own answers to stages are held from now on. who: for the errors."""
    laws = LAWS.get(cls.kind, {})
    for name, asked in strangers_own(cls, laws):
        setattr(cls, name, _held(asked, laws[name], f"{who} breaks its contract: {name}"))
    return cls


def _held(asked: Asked, law: Asked, where: str) -> Asked:
    @functools.wraps(asked)
    def answer(component: Component, *arguments: Any, **named: Any) -> Any:
        try:
            return law(functools.partial(asked, component), component, *arguments, **named)
        except Broken as broken:
            raise BadInput(f"{where} {broken}") from None

    answer._is_held = True  # type: ignore[attr-defined]
    return answer


def _shape(value: Any) -> tuple[int, ...] | None:
    """The shape of an array or tensor; None of anything else."""
    shape = getattr(value, "shape", None)
    return None if shape is None else tuple(shape)


def _must_have(value: Any, attributes: tuple[str, ...], what: str) -> None:
    lacking = [each for each in attributes if not hasattr(value, each)]
    if lacking:
        raise Broken(f"gave a {type(value).__name__}, which lacks {', '.join(lacking)} of {what}")


# --- families, objectives, samplers ---------------------------------------------------------------


def _build(asked: Asked, family: Any, given: Any, **named: Any) -> Any:
    network = asked(given, **named)
    _must_have(network, ("parameters", "state_dict", "forward"), "a torch.nn.Module")
    return network


def _draw_times(asked: Asked, objective: Any, generator: Any, count: int) -> Any:
    times = asked(generator, count)
    if _shape(times) != (count,):
        raise Broken(f"gave {what_is(times)}, not times (N,) of the {count} rows")
    low, high = objective.time_range
    outside = [float(t) for t in (times.min(), times.max()) if not low <= t <= high]
    if outside and count:
        raise Broken(f"gave the time {outside[0]:g}, outside of its time_range {low:g} to {high:g}")
    return times


def _training_losses(
    asked: Asked, objective: Any, network: Any, x: Any, t: Any, noise: Any, **condition: Any
) -> Any:
    losses = asked(network, x, t, noise, **condition)
    if not isinstance(losses, Mapping) or "loss" not in losses:
        found = f"the names {sorted(losses)}" if isinstance(losses, Mapping) else what_is(losses)
        raise Broken(f'gave {found}, not a mapping with "loss"')
    wrong = {name: part for name, part in losses.items() if _shape(part) != (len(x),)}
    for name, part in wrong.items():
        raise Broken(
            f'gave as "{name}" {what_is(part)}, not one value (N,) for each of {len(x)} rows'
        )
    return losses


def _sample(
    asked: Asked,
    sampler: Any,
    objective: Any,
    denoise: Asked,
    z: Any,
    steps: int,
    noise: Any,
    **condition: Any,
) -> Any:
    calls = 0

    def counted(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        return denoise(*arguments, **named)

    x = asked(objective, counted, z, steps, noise, **condition)
    if _shape(x) != _shape(z):
        raise Broken(f"gave {what_is(x)}, not samples of the noise's shape {_shape(z)}")
    stated = sampler.evaluations(objective, steps)
    if calls != stated:
        raise Broken(
            f"asked the network {calls} times in {steps} steps, where `times` and `evaluations` "
            f"say {stated}: its sampling compute would be recorded wrong"
        )
    return x


# --- data and autoencoders ------------------------------------------------------------------------


def _open(asked: Asked, source: Any, wanted: Any) -> Any:
    images = asked(wanted)
    _must_have(images, ("class_names", "fingerprint", "__len__", "__getitem__"), "harness' Images")
    if not isinstance(images.fingerprint, str) or not images.fingerprint:
        raise Broken(f"gave images whose fingerprint is {images.fingerprint!r}, not a SHA-256")
    if source.made and wanted.count is not None and len(images) != wanted.count:
        raise Broken(f"made {len(images):,} images, where {wanted.count:,} were asked for")
    return images


def _load_autoencoder(asked: Asked, autoencoder: Any, **named: Any) -> Any:
    codec = asked(**named)
    _must_have(codec, ("encode", "decode", "sha256", "decoder_sha256"), "harness' Codec")
    return codec


# --- features and metrics -------------------------------------------------------------------------


def _load_extractor(asked: Asked, extractor: Any, *arguments: Any, **named: Any) -> Any:
    network = asked(*arguments, **named)
    _must_have(network, ("name", "sha256", "resize", "__call__"), "a loaded extractor")
    if not extractor.goes_by(network.name):
        raise Broken(
            f"gave a network called {network.name!r}: its metrics would be recorded as another's"
        )
    if not isinstance(network.sha256, str) or not network.sha256:
        raise Broken(f"gave a network whose sha256 is {network.sha256!r}, not its weights' SHA-256")
    return _Network(network, extractor.gives)


class _Network:
    """A loaded extractor whose features are looked at."""

    def __init__(self, network: Any, gives: tuple[str, ...]) -> None:
        self._network, self._gives = network, gives

    def __getattr__(self, name: str) -> Any:
        return getattr(self._network, name)

    def __call__(self, images: Any) -> Any:
        found = self._network(images)
        who = f"the extractor {self._network.name!r} breaks its contract: its network gave"
        if not isinstance(found, Mapping):
            raise BadInput(f'{who} {what_is(found)}, not a mapping with "pool"')
        lacking = [part for part in self._gives if part not in found]
        if lacking:
            raise BadInput(f"{who} the parts {sorted(found)}, without {', '.join(lacking)}")
        for part, value in found.items():
            shape = _shape(value)
            if shape is None or len(shape) != 2 or shape[0] != len(images):
                raise BadInput(f'{who} as "{part}" {what_is(value)}, not (N, D) of {len(images)}')
        return found


def _measure(asked: Asked, metric: Any, *arguments: Any, **named: Any) -> Any:
    found = asked(*arguments, **named)
    if not isinstance(found, Value):
        raise Broken(f"gave {what_is(found)}, not a harness.components.Value")
    for name in ("value", "std", "std_df"):
        number = getattr(found, name)
        if number is None and name != "value":
            continue
        if isinstance(number, bool) or not isinstance(number, numbers.Real):
            raise Broken(f"gave a Value whose {name} is {number!r}, not a number")
    if found.std is not None and float(found.std) < 0:
        raise Broken(f"gave the standard error {found.std!r}")
    return found


# --- optimizers -----------------------------------------------------------------------------------


def _build_optimizer(asked: Asked, optimizer: Any, groups: Any) -> Any:
    given = {id(parameter) for group in groups for parameter in group["params"]}
    made = asked(groups)
    _must_have(made, ("step", "zero_grad", "state_dict", "param_groups"), "a torch optimizer")
    taken = {id(parameter) for group in made.param_groups for parameter in group["params"]}
    if taken != given:
        raise Broken(
            f"gave an optimizer of {len(taken)} of the network's {len(given)} parameters: the "
            "others would never be trained"
        )
    return made


# kind -> what stages ask -> law(asked, component, the arguments), raising Broken
LAWS: dict[str, dict[str, Asked]] = {
    "family": {"build": _build},
    "objective": {"draw_times": _draw_times, "training_losses": _training_losses},
    "sampler": {"sample": _sample},
    "source": {"open": _open},
    "autoencoder": {"load": _load_autoencoder},
    "extractor": {"load": _load_extractor},
    "metric": {"measure": _measure},
    "optimizer": {"build": _build_optimizer},
}
