"""The nearest name is found by one function, which speaks in one way."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.nearest import did_you_mean, divisors

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


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (1, "1"),
        (256, "1, 2, 4, 8, 16, 32, 64, 128, 256"),
        (1_000_000_007, "1, 1000000007"),
        (10**12, "1, 2, 4, 5, 8, 10, 16, 20, 25, 32, 40, 50"),
        (2**63 - 1, "1, 7, 49, 73, 127, 337"),
    ],
)
def test_divisors_of_any_number_are_found_at_once(number: int, said: str) -> None:
    assert divisors(number).startswith(said)
    assert len(divisors(number)) < 600
