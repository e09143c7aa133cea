"""What is compared is divided into two sets of samples that share nothing and are alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import pytest

from harness.analysis.halves import Halves, halves


def rows(had: Mapping[str, Sequence[Any]], **more: Any) -> pd.DataFrame:
    """One row per level and its measurement (seed, sampling seed); a level's value is its place."""
    made = [
        {"level": level, "label": level, "gflops": 1.0, "seed": seed, "sampling_seed": sampling,
         "samples": 1000, "value": float(10 + place), "std": 0.5}
        for place, (level, measured) in enumerate(had.items())
        for seed, sampling in measured
    ]  # fmt: skip
    return pd.DataFrame(made).assign(**more)


def divided(had: Mapping[str, Sequence[Any]], on: pd.DataFrame | None = None) -> Halves:
    found = halves(rows(had), "level", on)
    assert found is not None
    return found


def seeds(*which: int) -> list[tuple[int, int]]:
    return [(s, 0) for s in which]


def test_training_seeds_come_before_sampling_seeds_and_the_halves_share_none() -> None:
    both = [(s, d) for s in (0, 1, 2) for d in (0, 1)]
    found = divided({"a": both, "b": both})
    assert (found.chosen_on, found.valued_on) == ("seed 0", "seed 1, 2") and found.of_trainings
    assert set(found.levels) == {"a", "b"}
    assert set(found.picked["seed"]) == {0} and set(found.kept["seed"]) == {1, 2}
    assert len(found.picked) == 4 and len(found.kept) == 8
    found = divided({"a": [(0, 3), (0, 5)], "b": [(0, 3), (0, 5)]})
    assert (found.chosen_on, found.valued_on) == ("sampling_seed 3", "sampling_seed 5")
    assert not found.of_trainings


@pytest.mark.parametrize(
    ("had", "levels", "used"),
    [
        ({"a": (0, 1, 2), "b": (0, 1), "c": (0, 1)}, "abc", {0, 1}),  # a seed of one alone
        ({"a": (0, 1, 2, 3), "b": (0, 1, 2, 3), "c": (0, 2, 3)}, "abc", {0, 2, 3}),
        ({"a": (0, 1, 2, 3), "b": (0, 1, 2, 3), "c": (2,)}, "ab", {0, 1, 2, 3}),
        ({"a": (0, 1, 2, 3), "b": (0, 1, 2, 3), "c": (2, 3)}, "ab", {0, 1, 2, 3}),
        ({"a": (0, 1, 4), "b": (1, 2, 0), "c": (5, 6)}, "ab", {0, 1}),
    ],
)
def test_levels_are_compared_by_the_seeds_that_they_share(
    had: dict[str, Any], levels: str, used: set[int]
) -> None:
    """Of the sets of seeds that several share, the one by which the most values count."""
    found = divided({level: seeds(*its) for level, its in had.items()})
    assert set(found.levels) == set(levels)
    assert {*found.picked["seed"], *found.kept["seed"]} == used
    for half in (found.picked, found.kept):
        own = {level: set(its["seed"]) for level, its in half.groupby("level")}
        assert len({frozenset(s) for s in own.values()}) == 1 and set(own) == set(levels)


@pytest.mark.parametrize(
    "had",
    [
        {"a": seeds(0), "b": seeds(0)},
        {"a": seeds(0, 1), "b": seeds(0)},
        {"a": seeds(0, 1), "b": seeds(2, 3)},
        {"a": seeds(0, 1)},
        {"a": [(0, None), (1, None)], "b": [(0, None)]},
    ],
)
def test_what_shares_no_two_sets_is_not_divided(had: dict[str, Any]) -> None:
    assert halves(rows(had), "level") is None


def test_where_training_seeds_are_not_shared_sampling_seeds_may_be() -> None:
    found = divided({"a": [(0, 0), (0, 1), (1, 0)], "b": [(0, 0), (0, 1)]})
    assert found.chosen_on == "sampling_seed 0"
    assert set(found.picked["seed"]) == set(found.kept["seed"]) == {0}


def test_values_of_other_numbers_of_samples_are_not_alike() -> None:
    found = rows({"a": seeds(0, 1), "b": seeds(0, 1), "c": seeds(0, 1)})
    found["samples"] = [1000, 1000, 1000, 500, 1000, 1000]
    made = halves(found, "level")
    assert made is not None and set(made.levels) == {"a", "c"}


def test_another_evaluation_chooses_where_its_samples_are_others() -> None:
    own = {"a": seeds(0), "b": seeds(0), "c": seeds(0)}
    on = rows({"c": [(0, 7)], "b": [(0, 7)]}, samples=100)
    found = divided(own, on)
    assert (found.chosen_on, found.valued_on) == ("sampling_seed 7", "sampling_seed 0")
    assert set(found.levels) == {"b", "c"} and found.best(higher=False) == ("c", 10.0)
    assert found.best(higher=True) == ("b", 11.0) and set(found.kept["samples"]) == {1000}
    some = pd.concat([on, on.assign(sampling_seed=0, samples=50)])  # are part of the reported ones
    assert divided(own, some).chosen_on == "sampling_seed 7"
    assert halves(rows(own), "level", on.assign(sampling_seed=0)) is None
    assert halves(rows(own), "level", on.assign(sampling_seed=None)) is None
    assert halves(rows(own), "level", on[on["level"] == "b"]) is None


def test_a_kept_half_of_one_training_has_the_spread_of_both_halves() -> None:
    """Its recorded error is of that checkpoint: the sentence is about the model."""
    found = rows({"a": seeds(0, 1), "b": seeds(0, 1)})
    found["value"] = [9.0, 11.0, 18.0, 22.0]
    made = halves(found, "level")
    assert made is not None
    means = made.means().set_index("label")
    assert means["value"].to_dict() == {"a": 11.0, "b": 22.0} and set(means["basis"]) == {"seeds"}
    spread = (2 * 0.1**2) ** 0.5  # relative, of two values a tenth about their mean
    assert means["se"].to_list() == pytest.approx([11 * spread, 22 * spread])
    assert means["se_df"].to_list() == [2.0, 2.0]
    again = rows({"a": [(0, 0), (0, 1)], "b": [(0, 0), (0, 1)]})
    of_samples = halves(again, "level")
    assert of_samples is not None and set(of_samples.means()["basis"]) == {"checkpoints"}
