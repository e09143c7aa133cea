"""What planning asks of a stranger's component is held to its contract as it is asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from harness.components import Family, Input, Metric, Schedule, promises, registry
from harness.errors import BadInput, Missing

INPUT = Input(8, 3, 10, 3)


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    yield
    registry.forget_files()


class Net(Family):
    """Answers what it is told to."""

    name: ClassVar[str] = "net"
    answer: ClassVar[Any] = "net-1"

    @property
    def label(self):
        return self.answer

    def check(self, given):
        raise self.answer

    def gflops(self, given):
        return self.answer

    def build(self, given, *, checkpointing=False):
        raise KeyError("a stage's own affair")


class Odd(float):
    """Cannot be compared."""

    def __ge__(self, other: object) -> bool:
        raise TypeError("with nothing")


registry.entry_of(Net, "file net.py")
RAISES = Net.check.__wrapped__.__code__.co_firstlineno + 1  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("answer", "ask", "said"),
    [
        (None, lambda net: net.label, "label gave None, not text"),
        ("", lambda net: net.label, "label gave '', not text"),
        (-1.0, lambda net: net.gflops(INPUT), "gflops gave -1.0, not a number of 0 or more"),
        (float("nan"), lambda net: net.gflops(INPUT), "gflops gave nan, not a number"),
        ("7", lambda net: net.gflops(INPUT), "gflops gave '7', not a number"),
        (KeyError("one\ntwo"), lambda net: net.check(INPUT), r"check raised KeyError: 'one\\ntwo'"),
        (KeyError("x"), lambda net: net.check(INPUT), rf"\(test_promises\.py:{RAISES}\)$"),
        (Odd(1), lambda net: net.gflops(INPUT), r"gflops gave 1\.0, not a number of 0 or more"),
    ],
)
def test_a_broken_promise_is_told_with_component_question_and_answer(
    monkeypatch: pytest.MonkeyPatch, answer: Any, ask: Any, said: str
) -> None:
    monkeypatch.setattr(Net, "answer", answer)
    with pytest.raises(BadInput, match=said) as caught:
        ask(Net())
    assert str(caught.value).startswith("the family 'net' of file net.py breaks its contract: ")


def test_a_good_answer_and_a_refusal_are_passed_on_as_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert Net().label == "net-1"
    for answer in (None, 0, 2.5):
        monkeypatch.setattr(Net, "answer", answer)
        assert Net().gflops(INPUT) == answer
    for refusal in (BadInput("no"), Missing("not there"), OSError("a disk")):
        monkeypatch.setattr(Net, "answer", refusal)
        with pytest.raises(type(refusal)) as caught:
            Net().check(INPUT)
        assert caught.value is refusal
    with pytest.raises(KeyError):
        Net().build(INPUT)
    assert Net().tokens(INPUT) is None  # the contract's own


NAN, INF = float("nan"), float("inf")
ASKED = {
    **promises.ANSWERS,
    "sampler": {**promises.ANSWERS["sampler"], **promises.VARIABLES["sampler"]},
}


@pytest.mark.parametrize(
    ("kind", "question", "kept", "broken"),
    [
        ("family", "label", ["a"], ["", "  ", None, 3]),
        ("family", "variant", ["", "a"], [None]),
        ("family", "tokens", [1, None], [0, True, 1.0]),
        ("family", "gflops", [0, 2.5, None], [-1, NAN, INF, True, "1"]),
        ("family", "rate_scale", [0, 0.5], [None, -1]),
        ("family", "facts", [{}, {"a": 1, "b": None}], [{"a": [1]}, [("a", 1)], None]),
        ("objective", "time_range", [(0, 999), (0.0, 1.0)], [(0,), (1, 0), (1, 1), (0, INF), "ab"]),
        ("objective", "time_range", [], [(0, 1, 2), (NAN, 1)]),
        ("sampler", "serves", [(), ("flow",)], [["flow"], ("",), "flow", None]),
        ("sampler", "times", [[1.0], (3, 2)], [[], [NAN], [1.0, INF]]),
        ("sampler", "evaluations", [1, 250], [0, -1, 2.0, True, None]),
        ("autoencoder", "latent_shape", [(4, 8, 8), [4, 8, 8]], [(4, 8), (4, 0, 8), (4, 8, 8.0)]),
        ("autoencoder", "latent_shape", [], [{1, 2, 3}, "488", None]),
        ("autoencoder", "missing", [None, "it is not here"], [1, ["a"]]),
        ("schedule", "horizon_matters", [True, False], [None, 1]),
        ("schedule", "shared_until", [0, 7], [-1, 1.5, None]),
        ("executor", "check", [[], ["no such host"]], [None, ("a",), [""], [1]]),
    ],
)
def test_an_answer_is_what_the_contract_says(
    kind: str, question: str, kept: list[Any], broken: list[Any]
) -> None:
    law = ASKED[kind][question]

    def holds(value: Any) -> bool:
        try:
            return bool(law.holds(value))
        except TypeError:  # is told as broken too
            return False

    assert [value for value in kept if not holds(value)] == []
    assert [value for value in broken if holds(value)] == []


def test_every_question_is_one_of_the_contract() -> None:
    assert promises.ANSWERS.keys() == registry.KINDS.keys()
    for kind in registry.KINDS:
        asked = {*promises.ANSWERS[kind], *promises.VARIABLES.get(kind, {})}
        contract = registry.contract(kind)
        known = {*contract.__class_vars__, *(n for c in contract.__mro__ for n in vars(c))}
        assert asked <= known, (kind, asked - known)


# slow: drawing is imported with all that it needs
SLOW = [pytest.param(k, marks=pytest.mark.slow) if k == "section" else k for k in registry.KINDS]


@pytest.mark.parametrize("kind", SLOW)
def test_ours_keep_what_is_asked_of_their_class(kind: str) -> None:
    for entry in registry.entries(kind):
        assert not list(promises.broken(entry.load())), entry.name


def test_class_variables_that_are_not_given_or_no_choice_are_refused() -> None:
    class Gap(Metric):
        """A metric without titles."""

        name: ClassVar[str] = "gap"
        better: ClassVar[Any] = "sideways"

        def measure(self, generated: Any, reference: Any, shared: Any) -> Any:
            return None

    said = "title is not given: it is text; .*better is 'sideways', not 'lower' or 'higher'"
    with pytest.raises(BadInput, match=f"metric 'gap' of file gap.py breaks its contract: {said}"):
        registry.entry_of(Gap, "file gap.py")


def test_a_second_look_holds_nothing_twice_and_a_heirs_own_answers_too() -> None:
    class Half(Schedule):
        """Half."""

        name: ClassVar[str] = "half"

        def factor(self, step: int, horizon: int) -> float:
            return 0.5

    class Lost(Half):
        """No number."""

        name: ClassVar[str] = "lost"

        def factor(self, step: int, horizon: int) -> float:
            return super().factor(step, horizon) * float("nan")

    for cls in (Half, Lost, Half):
        registry.entry_of(cls, "file s.py")
    first = vars(Half)["factor"]
    registry.entry_of(Half, "file s.py")
    assert vars(Half)["factor"] is first and Half().factor(0, 1) == 0.5
    with pytest.raises(BadInput, match=r"the schedule 'lost' of file s\.py .* factor gave nan"):
        Lost().factor(0, 1)
