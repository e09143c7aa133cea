"""Trainings of equal compute: which budget each is of, and whom the best is told from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from harness.analysis.alternatives import alternatives
from harness.store.tables import METRICS

TYPES = {"int64": "Int64", "string": "string", "float64": "float64", "bool": "object"}


def frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    base = {
        "metric": "fd_x", "of": "samples", "family": "F", "block": "b", "image_size": 8,
        "autoencoder": "identity", "data": "d", "data_sha256": "d", "batch_size": 8,
        "learning_rate": 1e-3, "seed": 0, "step": 100, "gflops": 1.0, "train_gflops": 2400.0,
        "sampler": "ancestral", "sampling_steps": 32, "sampling_gflops": 32.0, "samples": 1000,
        "guidance_scale": 1.0, "std": 0.5, "std_df": 9.0,
    }  # fmt: skip
    made = [{**base, "run": str(row["model"]), **row} for row in rows]
    columns = {c.name: TYPES[c.type] for c in METRICS}
    return pd.DataFrame(made, columns=list(columns)).astype(columns)


def test_each_sampler_counts_and_compute_alike_within_a_tenth_is_one_budget() -> None:
    found = alternatives(
        frame(
            [
                {"model": "A", "value": 20.0},
                {"model": "B", "value": 10.0, "sampler": "heun", "sampling_steps": 16,
                 "sampling_gflops": 31.0, "train_gflops": 2350.0},
                {"model": "A", "value": 8.0, "sampling_steps": 64, "sampling_gflops": 64.0},
                {"model": "C", "value": 5.0, "gflops": 2.0, "train_gflops": 4800.0,
                 "sampling_gflops": 64.0},
            ]
        ),
        "fd_x",
    )  # fmt: skip
    assert list(zip(found["label"], found["budget"], found["apart"], strict=True)) == [
        ("B", 0, None),
        ("A", 0, True),
        ("A", 1, None),
        ("C", 2, None),
    ]


def test_a_difference_within_the_noise_is_a_tie_and_higher_may_be_better() -> None:
    rows = [{"model": m, "value": v, "metric": "precision_x"} for m, v in (("A", 9.5), ("B", 10.0))]
    found = alternatives(frame(rows), "precision_x")
    assert list(found["label"]) == ["B", "A"] and found["apart"].iloc[1] is False


def test_a_checkpoint_on_the_way_is_a_training_of_its_own_budget() -> None:
    rows = [
        {"model": "A", "value": 10.0, "step": s, "train_gflops": 24.0 * s} for s in (50, 100, 200)
    ]
    assert list(alternatives(frame(rows), "fd_x")["step"]) == [50, 100, 200]


def test_nothing_measured_gives_nothing() -> None:
    assert not len(alternatives(frame([]), "fd_x"))
    guided = frame([{"model": "A", "value": 1.0, "guidance_scale": 2.0}])
    assert not len(alternatives(guided, "fd_x"))


def judged(rows: list[dict[str, Any]]) -> list[Any]:
    """(label, value, best, apart, chosen on, valued on) of each row."""
    return verdicts(alternatives(frame(rows), "fd_x"))


def verdicts(found: pd.DataFrame) -> list[Any]:
    """The same of a frame of `alternatives`."""
    columns = ("label", "value", "best", "apart", "chosen_on", "valued_on")
    return list(zip(*(found[c] for c in columns), strict=True))


def trained(model: str, *values: float, **more: Any) -> list[dict[str, Any]]:
    """One training seed per value, of one sampling seed."""
    return [
        {"model": model, "seed": s, "sampling_seed": 0, "value": v, **more}
        for s, v in enumerate(values)
    ]


def test_the_best_is_chosen_on_one_training_seed_and_its_value_is_of_the_other() -> None:
    """The mean of both seeds is best of A, whose second seed is not."""
    on, of = "seed 0", "seed 1"
    rows = [*trained("A", 4.0, 12.0), *trained("B", 10.0, 10.0), *trained("C", 9.0, 11.0)]
    found = alternatives(frame(rows), "fd_x")
    assert verdicts(found) == [
        ("A", 12.0, True, None, on, of),
        ("B", 10.0, False, False, on, of),
        ("C", 11.0, False, False, on, of),
    ]
    found = found.set_index("label")
    assert found["gap"].drop("A").to_dict() == {"B": -2.0, "C": -1.0}
    assert set(found["basis"]) == {"seeds"} and set(found["se_df"]) == {3.0}
    assert (found["gap_low"].drop("A") < 0).all() and (found["gap_high"].drop("A") > 0).all()
    # One spread of three degrees of freedom, of both halves, is in both values.
    spread = np.sqrt(np.mean([2 * (4 / 8) ** 2, 0.0, 2 * (1 / 10) ** 2]))
    t = 2.0 / (spread * np.hypot(12.0, 10.0))
    assert found.loc["B", "p"] == pytest.approx(2 * stats.t.sf(t, 3))


def test_higher_may_be_better_and_the_rest_may_be_ahead_of_what_was_chosen() -> None:
    rows = [
        {"model": m, "value": v, "metric": "precision_x", "sampling_seed": s}
        for m, values in (("A", (9.0, 2.0)), ("B", (5.0, 9.0)), ("C", (1.0, 1.0)))
        for s, v in enumerate(values)
    ]
    on = ("sampling_seed 0", "sampling_seed 1")
    found = alternatives(frame(rows), "precision_x")
    assert verdicts(found) == [
        ("A", 2.0, True, None, *on),
        ("B", 9.0, False, True, *on),
        ("C", 1.0, False, False, *on),
    ]
    assert found["ahead"].to_list() == [False, True, False]
    assert set(found["basis"]) == {"checkpoints"}
    lower = alternatives(frame([{**row, "metric": "fd_x"} for row in rows]), "fd_x")
    assert list(lower["label"]) == ["C", "A", "B"] and not lower["ahead"].any()


def test_another_evaluation_with_fewer_other_samples_chooses_and_is_not_reported() -> None:
    rows = trained("A", 10.0) + trained("B", 9.9)
    fewer = [{**row, "sampling_seed": 4, "samples": 100, "value": v}
             for row, v in zip(rows, (40.0, 50.0), strict=True)]  # fmt: skip
    on = ("sampling_seed 4", "sampling_seed 0")
    assert judged(rows + fewer) == [("A", 10.0, True, None, *on), ("B", 9.9, False, False, *on)]
    same = [{**row, "sampling_seed": 0} for row in fewer]  # the first of the reported samples
    assert judged(rows + same) == [
        ("B", 9.9, True, None, None, None), ("A", 10.0, False, False, None, None)
    ]  # fmt: skip


def test_the_correction_is_over_all_pairs_where_the_best_was_seen_in_what_is_reported() -> None:
    """p of A and B is 0.036: the second of three pairs is told at 0.025, of two at 0.05."""
    rows = [*trained("A", 10.0), *trained("B", 11.6), *trained("C", 12.0)]
    assert [r[2:] for r in judged(rows)] == [
        (True, None, None, None), (False, False, None, None), (False, True, None, None)
    ]  # fmt: skip
    again = [{**row, "sampling_seed": 1} for row in rows]
    on = ("sampling_seed 0", "sampling_seed 1")
    assert [r[2:] for r in judged(rows + again)] == [
        (True, None, *on), (False, True, *on), (False, True, *on)
    ]  # fmt: skip


def test_a_training_with_too_few_of_the_seeds_is_not_compared_and_stands_last() -> None:
    on = ("seed 0", "seed 1")
    rows = [*trained("A", 10.0, 10.5), *trained("B", 12.0, 13.0), *trained("C", 1.0)]
    assert judged(rows) == [
        ("A", 10.5, True, None, *on),
        ("B", 13.0, False, False, *on),
        ("C", 1.0, False, None, None, None),
    ]
    more = [*trained("A", 10.0, 10.5, 11.0), *trained("B", 12.0, 13.0), *trained("C", 1.0, 14.0)]
    found = judged(more)
    assert [r[0] for r in found] == ["C", "A", "B"]
    assert {r[4:] for r in found} == {on}  # the third seed of A is nobody else's


def test_each_budget_is_divided_for_itself() -> None:
    late = {"step": 200, "train_gflops": 4800.0}
    rows = [*trained("A", 9.0, 10.0), *trained("B", 11.0, 12.0), *trained("A", 3.0, **late)]
    rows += [*trained("B", 5.0, **late), *trained("C", 2.0, 3.0, step=400, train_gflops=9600.0)]
    found = alternatives(frame(rows), "fd_x")
    on = [tuple(p[["chosen_on", "valued_on"]].iloc[0]) for _, p in found.groupby("budget")]
    assert on == [("seed 0", "seed 1"), (None, None), (None, None)]
    alone = found[found["budget"] == 2]
    assert alone["value"].to_list() == [2.5] and alone["best"].all()  # of both seeds: no other is


def test_without_standard_errors_the_rest_cannot_be_told_apart() -> None:
    rows = [{"model": m, "value": v + s, "sampling_seed": s, "std": None}
            for m, v in (("A", 1.0), ("B", 90.0)) for s in (0, 1)]  # fmt: skip
    found = alternatives(frame(rows), "fd_x")
    assert found["value"].to_list() == [2.0, 91.0] and found["apart"].to_list() == [None, False]
    assert np.isinf(found["gap_low"].iloc[1]) and np.isnan(found["p"].iloc[1])


@pytest.mark.slow
@pytest.mark.parametrize("many", [2, 6])
def test_of_equals_the_best_is_rarely_told_from_another(many: int) -> None:
    """Although it was chosen by the same values: at most one budget in twenty, but for chance."""
    rng = np.random.default_rng(0)
    rows = [{"model": f"M{i}", "value": 50 + rng.normal(0, 0.5), "step": 100 + b,
             "train_gflops": 1e3 * 1.3**b}
            for b in range(60) for i in range(many)]  # fmt: skip
    found = alternatives(frame(rows), "fd_x").groupby("budget")["apart"]
    assert found.ngroups == 60
    assert sum(any(v is True for v in apart) for _, apart in found) <= 7


TRUTH = {f"M{i}": 50.0 for i in range(5)}
UNEQUAL = {"M0": 50.0, "M1": 50.0, "M2": 52.0, "M3": 56.0, "M4": 80.0}
LUCK, NOISE, FREE = 2.0, 1.0, 9  # of a training, of its samples; degrees of freedom of the second
SETS: dict[str, list[dict[str, Any]]] = {
    "one set": [{"seed": 0}],
    "two trainings": [{"seed": s} for s in (0, 1)],
    "four trainings": [{"seed": s} for s in range(4)],
    "two samplings": [{"sampling_seed": s} for s in (0, 1)],
    "four samplings": [{"sampling_seed": s} for s in range(4)],
    "another evaluation": [{}, {"sampling_seed": 5, "samples": 100}],
}


def simulated(truth: dict[str, float], sets: str, budgets: int, rng: Any) -> pd.DataFrame:
    """`alternatives` of trainings whose true values are known, each budget with new noise.

    Of several trainings what is true is the model's value, else that of its one checkpoint.
    """
    several = any(one.get("seed") for one in SETS[sets])
    rows = []
    for b in range(budgets):
        for model, true in truth.items():
            for one in SETS[sets]:
                value = true + rng.normal(0, NOISE) + (rng.normal(0, LUCK) if several else 0.0)
                std = NOISE * np.sqrt(rng.chisquare(FREE) / FREE)
                rows.append({"model": model, "value": value, "std": std, "std_df": float(FREE),
                             "sampling_seed": 0, "step": 100 + b,
                             "train_gflops": 1e3 * 1.3**b, **one})  # fmt: skip
    return alternatives(frame(rows), "fd_x").assign(true=lambda f: f["label"].map(truth))


def bias_and_coverage(
    truth: dict[str, float], sets: str, per_call: int, calls: int, seed: int
) -> tuple[Any, Any, Any]:
    """Per budget: the best's value less its truth (budgets,), whether each interval of a difference
    holds the truth (budgets, others), and whether any difference is told the wrong way."""
    rng = np.random.default_rng(seed)
    bias, held, wrong = [], [], []
    for _ in range(calls):
        found = simulated(truth, sets, per_call, rng)
        for _, part in found.groupby("budget"):
            first, rest = part.iloc[0], part.iloc[1:]
            bias.append(first["value"] - first["true"])
            gap = (rest["true"] - first["true"]).to_numpy()
            low, high = rest["gap_low"].to_numpy(), rest["gap_high"].to_numpy()
            held.append((low <= gap) & (gap <= high))
            told = rest["apart"].to_numpy(bool)
            wrong.append(bool((told & (np.sign(rest["gap"].to_numpy()) != np.sign(gap))).any()))
    return np.array(bias), np.array(held), np.array(wrong)


def far_from_0(values: Any) -> float:
    """The mean in standard errors of it."""
    return float(values.mean() / (values.std(ddof=1) / np.sqrt(len(values))))


ELSEWHERE = [name for name in SETS if name != "one set"]


def case(
    truth: dict[str, float], sets: str, per_call: int, calls: int, mark: Any = pytest.mark.full
) -> Any:
    """One of the table; each change has few of many budgets together, and few of each alone."""
    return pytest.param(truth, sets, per_call, calls, marks=mark)


@pytest.mark.parametrize(
    ("truth", "sets", "per_call", "calls"),
    [
        case(TRUTH, "two trainings", 40, 2, pytest.mark.slow),
        case(TRUTH, "two samplings", 1, 20, pytest.mark.slow),
        *(case(TRUTH, sets, 40, 6) for sets in ELSEWHERE),
        *(case(UNEQUAL, sets, 40, 6) for sets in ELSEWHERE),
        *(case(TRUTH, sets, 1, 60) for sets in ("two trainings", "two samplings")),
    ],
    ids=lambda given: ("equal" if given == TRUTH else "unequal") if type(given) is dict else None,
)
def test_chosen_on_other_samples_the_best_is_not_flattered_and_intervals_hold_the_truth(
    truth: dict[str, float], sets: str, per_call: int, calls: int
) -> None:
    """Of many budgets, whose spread over seeds is pooled, and of one, of few degrees of freedom."""
    bias, held, wrong = bias_and_coverage(truth, sets, per_call, calls, seed=7)
    assert len(bias) == per_call * calls
    assert abs(far_from_0(bias)) < 3.5
    assert held.mean() >= 0.93
    assert stats.binom.sf(int(wrong.sum()) - 1, len(wrong), 0.05) > 1e-3  # family-wise, Holm


@pytest.mark.slow
def test_chosen_by_what_is_reported_the_best_is_flattered() -> None:
    """What the section says of one set of samples: by about the least of five errors."""
    bias, _, wrong = bias_and_coverage(TRUTH, "one set", 40, 3, seed=7)
    assert far_from_0(bias) < -8 and bias.mean() == pytest.approx(-1.16 * NOISE, abs=0.2)
    assert stats.binom.sf(int(wrong.sum()) - 1, len(wrong), 0.05) > 1e-3  # over all pairs
    both = simulated(TRUTH, "two samplings", 50, np.random.default_rng(3))
    by_all = both.groupby("budget")["value"].min() - 50.0  # the best of the values of the rest
    assert far_from_0(by_all) < -8
