"""Sentences that follow the interval, whatever it is: no winner where there is a tie."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest

from harness.analysis.correlations import correlation
from harness.analysis.intervals import Interval
from harness.analysis.sampling import HeadlinePair
from harness.report import phrases
from harness.report.blocks import plain
from harness.report.findings import Floor, find, fitted


@pytest.fixture(scope="module")
def found(make):
    shape = {"sizes": ("S", "B", "L", "XL"), "patches": (4, 2), "milestones": (750, 1500)}
    frames = make.frames(**shape, sweep=())
    frames["metrics"]["std"] = 0.02 * frames["metrics"]["value"].astype(float)
    return find(make.report(frames, ("gflops",), samples={}))


@pytest.mark.parametrize(
    ("interval", "higher", "word"),
    [
        (Interval(-0.8, -0.9, -0.3), False, "better"),
        (Interval(-0.8, -0.9, -0.3), True, "worse"),
        (Interval(0.8, 0.3, 0.9), False, "worse"),
        (Interval(0.8, 0.3, 0.9), True, "better"),
        (Interval(-0.8, -0.9, 0.1), False, "undecided"),
        (Interval(-0.8, -0.9, 0.0), False, "undecided"),
        (Interval(-1.0, math.nan, math.nan), False, "undecided"),
    ],
)
def test_more_compute_is_better_worse_or_undecided(interval, higher, word) -> None:
    assert phrases.direction(interval, higher) == word


@pytest.mark.slow
def test_a_correlation_is_said_with_its_interval_and_who_it_is_of(found) -> None:
    said = plain(phrases.correlation_sentence(found))
    assert said.startswith("Of these checkpoints, those of more compute score better: Pearson's")
    assert "over 8 checkpoints (these alone, measured again: [−" in said
    assert "]); Spearman's is −" in said
    many = plain(phrases.correlation_sentence(dataclasses.replace(found, seeds=3)))
    assert "over 8 models (these alone, trained and measured again: [−" in many
    assert phrases.correlation_sentence(found, "no such group") == []
    assert phrases.correlation_text(Interval(-0.764, -0.93, -0.318)) == "−0.76 [−0.93, −0.32]"
    assert phrases.correlation_text(Interval(-0.764, math.nan, math.nan)) == "−0.76"


def test_an_interval_over_measurements_needs_standard_errors() -> None:
    gflops, values = [1.0, 3.0, 10.0, 30.0, 90.0], [50.0, 41.0, 30.0, 24.0, 20.0]
    assert phrases.measured_clause(correlation(gflops, values), True) == ""
    known = correlation(gflops, values, [1.0] * 5)
    again = known.measured_pearson
    low, high = phrases.signed(again.low), phrases.signed(again.high)
    said = phrases.measured_clause(known, True)
    assert said == f" (these alone, measured again: [{low}, {high}])"
    assert known.pearson.low != again.low


def test_settings_without_a_panel_are_counted() -> None:
    rows = pd.DataFrame({"group": [f"lr {k}" for k in range(11)]})
    assert phrases.settings_clause(rows) == "Drawn are the first eight of 11 settings. "
    assert phrases.settings_clause(rows, 12) == phrases.settings_clause(rows.iloc[:8]) == ""


def law(values, std=None):
    gflops = np.geomspace(0.4, 126, len(values))
    final = pd.DataFrame({"group": "", "gflops": gflops, "value": values, "se": std})
    return fitted(final, False)


def test_no_law_is_fitted_to_models_that_get_worse_with_compute() -> None:
    rising = 20.0 * np.geomspace(0.4, 126, 8) ** 0.2
    assert law(rising)[1] == {} and "score worse with more compute" in law(rising)[2][""]
    assert law(rising[::-1])[2] == {}


@pytest.mark.slow
def test_a_law_that_may_be_flat_says_so(found) -> None:
    flat = 20.0 * np.exp(0.1 * np.array([1.0, -1, 1, -1, -1, 1, -1, 1]))
    said = plain(phrases.law_sentence(dataclasses.replace(found, laws=law(flat)[1])))
    assert "that quality improves with compute at all is not told" in said
    steep = 200.0 * np.geomspace(0.4, 126, 8) ** -0.4
    said = plain(phrases.law_sentence(dataclasses.replace(found, laws=law(steep * flat)[1])))
    assert "may be 0" not in said


def table(values, std) -> pd.DataFrame:
    labels = [f"m{k}" for k in range(len(values))]
    frame = pd.DataFrame({"label": labels, "value": values, "se": std})
    half = 1.96 * frame["se"]
    return frame.assign(low=frame["value"] - half, high=frame["value"] + half)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("values", "std", "said"),
    [
        ([10.0, 20.0], 0.1, "Of these checkpoints the best is m0 with FD 10"),
        ([20.0, 10.0], 0.1, "Of these checkpoints the best is m1 with FD 10"),
        ([10.0, 10.1], 1.0, "The lowest FD, 10"),
        ([10.0, 20.0], np.nan, "not every value has a standard error, so none is called the best"),
        ([10.0], 0.1, "m0 has FD 10"),
    ],
)
def test_best_is_said_only_of_what_is_told_from_all_others(found, values, std, said) -> None:
    assert said in plain(phrases.best_sentence(found, table(values, std)))
    assert phrases.best_sentence(found, table([], [])) == []


def test_ties_are_named_or_counted(found) -> None:
    few = plain(phrases.best_sentence(found, table([10.0, 10.1, 10.2], 1.0)))
    assert "; m1 and m2 cannot be told from it." in few
    many = plain(phrases.best_sentence(found, table([10.0 + 0.01 * k for k in range(7)], 1.0)))
    assert "; 6 others cannot be told from it." in many
    row, tied = phrases.top(table([1.0, 9.0], 0.1), higher=True)
    assert (row["label"], tied) == ("m1", [])


@pytest.mark.parametrize(
    ("floor", "clause", "sentence"),
    [
        (None, "No floor was measured.", ""),
        (
            Floor(0.9, None, True),
            "Real images give 0.900 (dashed where in range)",
            "Real images score 0.900.",
        ),
        (
            Floor(0.9, 500, False),
            "500 real images give 0.900 (fewer than the samples, so no line)",
            "500 real images score 0.900, fewer than the samples and not to be compared with them.",
        ),
    ],
)
def test_floors_are_told_with_their_images(found, monkeypatch, floor, clause, sentence) -> None:
    monkeypatch.setattr(type(found), "floor", lambda self, protocol: floor)
    assert clause in plain(phrases.floor_clause(found, found.protocol))
    assert plain(phrases.floor_sentence(found)).strip() == sentence
    in_table = plain(phrases.floor_clause(found, found.protocol, figure=False))
    assert "dashed" not in in_table and "no line" not in in_table
    assert ("(fewer than the samples)" in in_table) is (floor is not None and not floor.enough)
    noisy = dataclasses.replace(found, ceiling=300.0)
    said = plain(phrases.floor_clause(noisy, found.protocol))
    assert ("decoded noise gives 300" in said) is (floor is not None)
    several = dataclasses.replace(found, references=2)
    assert "Each reference has a floor of its own." in plain(phrases.floor_clause(several, None))


def test_a_law_is_said_with_every_interval_or_the_reason_for_none(found) -> None:
    said = plain(phrases.law_sentence(found))
    assert (
        "has a\u00a0= 0." in said.replace("\u00a0=\u00a0", "\u00a0= ") and "E minus floor" in said
    )
    assert said.count("[") >= 4 and "corrected AIC prefers the law" in said
    assert "Fitted without the largest model it predicts" in said
    assert "for this reference (8,000 images) and one sampling seed, which all values share" in said
    without = dataclasses.replace(found, laws={}, no_law={"": "five models are needed."})
    assert plain(phrases.law_sentence(without)) == (
        "No scaling law is fitted: five models are needed. "
    )
    assert phrases.law_sentence(dataclasses.replace(without, no_law={})) == []


def test_a_law_says_what_its_values_share(found) -> None:
    rows = found.report.frames["metrics"].copy()
    rows["sampling_seed"] = [k % 2 for k in range(len(rows))]
    rows["reference_images"] = None
    frames = {**found.report.frames, "metrics": rows}
    given = dataclasses.replace(found, report=dataclasses.replace(found.report, frames=frames))
    assert phrases.conditional_sentence(given).startswith(
        "Its intervals are for one reference, which all values share"
    )


def test_a_law_whose_values_tell_what_they_share_holds_it(found) -> None:
    laws = {name: dataclasses.replace(law, common_std=[0.1]) for name, law in found.laws.items()}
    rows = found.report.frames["metrics"].assign(sampling_seed=0)
    frames = {**found.report.frames, "metrics": rows}
    report = dataclasses.replace(found.report, frames=frames)
    given = dataclasses.replace(found, laws=laws, report=report)
    said = phrases.conditional_sentence(given)
    assert said.startswith("All values are of one sampling seed; these intervals hold what they")
    assert "They are for this reference (8,000 images)" in said


def test_intervals_of_single_values_say_that_differences_are_surer() -> None:
    both = pd.DataFrame({"influence": ["[1.0]", "[2.0]"]})
    assert "their differences are surer" in phrases.shared_clause(both)
    assert phrases.shared_clause(both.assign(influence=[None, "[1.0]"])) == ""
    assert phrases.shared_clause(both.drop(columns="influence")) == ""


def pairs(*ahead: str, basis: str | None = "checkpoints") -> pd.DataFrame:
    rows = [{"smaller": f"s{k}", "larger": f"l{k}", "ahead": a} for k, a in enumerate(ahead)]
    return pd.DataFrame(rows).assign(basis=basis)


def test_pairs_are_counted_by_who_is_ahead(found) -> None:
    given = pairs("larger", "larger", "smaller", "undecided")
    said = plain(phrases.sampling_sentence(dataclasses.replace(found, pairs=given)))
    assert said == (
        "At equal sampling compute, of 4 pairs of checkpoints that differ in size alone, the "
        "larger is ahead in 2, the smaller in 1, and 1 is undecided (95%, Holm over pairs). "
    )
    seeds = dataclasses.replace(found, pairs=pairs("larger", basis="seeds"))
    assert "of 1 pair of models that" in plain(phrases.sampling_sentence(seeds))
    unknown = dataclasses.replace(found, pairs=pairs("undecided", basis=None))
    assert plain(phrases.sampling_sentence(unknown)).startswith("Without standard errors")
    assert phrases.sampling_sentence(dataclasses.replace(found, pairs=pd.DataFrame())) == []


def test_models_that_did_not_learn_are_left_out_of_a_second_count(found) -> None:
    final = found.final.copy()
    final["label"] = ["s0", *final["label"][1:]]
    final["learned"] = pd.Series([False, *[True] * (len(final) - 1)], dtype=object)
    given = dataclasses.replace(found, final=final, pairs=pairs("larger", "larger"))
    said = plain(phrases.sampling_sentence(given))
    assert "Among models that learned it is ahead in 1 of 1 pair." in said
    assert phrases.learned_clause(given) == (
        "Hollow with a cross: not told from decoded noise (s0). "
    )
    assert phrases.lacking(given) == {""} and phrases.learned_clause(found) == ""


def test_intervals_are_said_to_be_there_somewhere_or_nowhere() -> None:
    rows = pd.DataFrame({"low": [1.0, 2.0]})
    assert phrases.interval_clause(rows) == "Bars and bands: 95% intervals. "
    rows["low"] = [1.0, np.nan]
    assert "95% intervals where one is known." in phrases.interval_clause(rows)
    rows["low"] = np.nan
    assert "No standard error was recorded" in phrases.interval_clause(rows)


def test_seeds_that_some_models_lack_are_not_claimed_for_all(found) -> None:
    assert phrases.seeds(found) == "one training seed"
    some = found.final.assign(seeds=[1, *[3] * (len(found.final) - 1)])
    assert phrases.seeds(dataclasses.replace(found, final=some, seeds=3)) == (
        "up to three training seeds"
    )
    assert phrases.count_word(0, "model") == "no models"


def test_what_is_missing_points_to_the_first_page(found) -> None:
    assert "Nothing here." in plain(phrases.missing("Nothing here", found).spans)
    report = dataclasses.replace(found.report, missing=["x"])
    block = phrases.missing("Nothing here", dataclasses.replace(found, report=report))
    assert "the first page says what is not done" in plain(block.spans)
    assert phrases.trained(found.curves)
    end = found.curves[found.curves["step"] == 1500]
    assert not phrases.trained(end)


def test_of_a_selected_pair_what_is_decided_stands_before_its_example() -> None:
    """It said that 5.29 is ahead of 7.06, where their difference held 0: decided is the range."""
    pair = HeadlinePair(
        larger="B", larger_steps=2, larger_gflops=1.0, larger_value=5.29, smaller="S",
        smaller_steps=16, smaller_gflops=2.2, smaller_value=7.06, saving=Interval(2.2, 1.1, 2.2),
        ratio=Interval(1.48, 1.06, 2.06), difference=Interval(-1.76, -3.8, 0.3), p_holm=0.014,
        basis="checkpoints",
    )  # fmt: skip
    said = plain(phrases.pair_sentence(pair, higher=False))
    assert said.startswith("Over the sampling compute that both reach, B is 1.5 [1.1, 2.1] times")
    assert "B is ahead" not in said and "it scores lower than that one with 16 (7.06; " in said
    assert "[−4, 0], not sure by itself) at 2.2 [1.1, 2.2] times less compute." in said
    sure = dataclasses.replace(pair, difference=Interval(-1.76, -2.1, -1.4))
    assert "not sure" not in plain(phrases.pair_sentence(sure, higher=False))
    same = dataclasses.replace(pair, saving=Interval(2.2, 2.2, 2.2))
    assert "at 2.20 times less compute (by 95% of what the errors allow, the same steps)." in plain(
        phrases.pair_sentence(same, higher=False)
    )
