"""The nearest name is found by one function, which speaks in one way."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.nearest import did_you_mean

HARNESS = Path(__file__).parents[1] / "harness"


@pytest.mark.parametrize(
    ("word", "known", "said"),
    [
        ("stpes", ["steps", "seed"], " (did you mean 'steps'?)"),
        ("u-vit", ["DiT", "U-ViT"], " (did you mean 'U-ViT'?)"),
        ("--proflie", ["--profile", "--set"], " (did you mean '--profile'?)"),
        ("zzz", ["steps", "seed"], ""),
        ("", ["steps"], ""),
        ("steps", [], ""),
    ],
)
def test_the_nearest_is_asked_for(word: str, known: list[str], said: str) -> None:
    assert did_you_mean(word, known) == said


def test_how_near_it_must_be_can_be_said() -> None:
    assert did_you_mean("sample", ["sampler"], 0.99) == ""
    assert did_you_mean("mine", ["mine.yaml"], 0.0) == " (did you mean 'mine.yaml'?)"


def test_no_other_place_asks_so() -> None:
    asking = {str(p.relative_to(HARNESS)) for p in HARNESS.rglob("*.py") if ASKED in p.read_text()}
    assert asking == {"nearest.py"}


ASKED = "(did you mean"
