"""Values of the same draws: their differences cover the truth, and are known better."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from harness.analysis.averaging import averaged
from harness.analysis.intervals import difference
from harness.analysis.ranking import best
from harness.analysis.sampling import compare_pairs
from harness.analysis.shared_draws import covariance, draws_of, error_correlations, in_common
from harness.metrics.frechet import moments_distance
from harness.metrics.influence import grouped, of_distance
from harness.metrics.moments import Moments
from harness.metrics.uncertainty import over_halves
from harness.store import influences

SIZE, SAMPLES = 6, 256
REFERENCE = Moments.of(np.random.default_rng(9).normal(size=(4000, SIZE)))


def frame(groups, std=1.0, seeds=None, samples=SAMPLES):
    return pd.DataFrame(
        {
            "value": [float(i + 1) for i in range(len(groups))],
            "std": std,
            "std_df": 19.0,
            "influence": [influences.written(i) for i in groups],
            "sampling_seed": seeds or [0] * len(groups),
            "samples": samples,
        }
    )


def moves(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=32) * np.sqrt(32)


def test_the_same_influences_are_wholly_shared_and_others_are_not() -> None:
    one, other = moves(1), moves(2)
    found = covariance(frame([one, one, -one, other, None], std=1.0))
    linear = min(1.0, one.std(ddof=1) / np.sqrt(32))
    assert np.diag(found) == pytest.approx(1.0)
    assert found[0, 1] == pytest.approx(1.0)  # linear part and rest
    assert found[0, 2] == pytest.approx(
        -(linear**2), rel=0.01
    )  # squares of opposite errors tell nothing
    assert abs(found[0, 3]) < 0.6 and not found[4, :4].any()
    assert (found == found.T).all() and np.linalg.eigvalsh(found[:4, :4]).min() > -1e-9


@pytest.mark.parametrize(
    "other", [{"seeds": [0, 1]}, {"samples": [256, 512]}, {"seeds": [0, None]}]
)
def test_values_of_other_draws_are_independent(other: dict[str, list[object]]) -> None:
    assert covariance(frame([moves(1), moves(1)], **other))[0, 1] == 0  # type: ignore[arg-type]


def test_without_the_columns_all_are_independent_and_without_errors_nothing_is_known() -> None:
    rows = frame([moves(1), moves(1)])
    assert covariance(rows.drop(columns="influence"))[0, 1] == 0
    assert covariance(rows.drop(columns="samples"))[0, 1] == 0
    unknown = covariance(rows.assign(std=np.nan))
    assert np.isnan(np.diag(unknown)).all() and unknown[0, 1] == 0
    assert covariance(frame([np.zeros(32), moves(1)]))[0, 1] == 0


def test_a_mean_over_seeds_is_of_no_draws_in_common() -> None:
    rows = frame([moves(1)] * 3).assign(label=["a", "b", "b"], seed=[0, 0, 1], gflops=1.0)
    found = averaged(rows).set_index("label")
    assert found.loc["a", "draws"] == "0/256" and found.loc["a", "influence"]
    assert found.loc["b", "draws"] is None and found.loc["b", "influence"] is None
    assert list(draws_of(frame([None]))) == ["0/256"]


def test_a_small_difference_of_the_same_draws_is_no_tie() -> None:
    rows = frame([moves(1), moves(1) * 1.001]).assign(value=[1.0, 1.2])
    std, df = np.ones(2), np.full(2, 19.0)
    assert best(rows["value"], std, df).tolist() == [True, True]
    assert best(rows["value"], std, df, covariance(rows)).tolist() == [True, False]


def test_what_all_values_share_is_taken_out_of_their_own_errors() -> None:
    shared = moves(0)
    rows = frame([shared + moves(k) for k in range(1, 13)], std=1.2)  # all of it linear
    own, common = in_common(rows) or ([], [])
    assert np.hypot(own, common) == pytest.approx(1.2)
    assert (common[0] / 1.2) ** 2 == pytest.approx(0.5, abs=0.2)
    assert in_common(rows.assign(sampling_seed=[0] * 11 + [1])) is None
    assert in_common(rows.assign(influence=None)) is None
    assert in_common(rows.assign(std=np.nan)) is None
    assert in_common(rows.iloc[:1]) is None and in_common(rows.drop(columns="influence")) is None
    apart = in_common(frame([moves(k) for k in range(12)]))
    assert apart is not None and apart[1].max() < 0.4


@pytest.mark.filterwarnings("error")
def test_an_error_without_an_end_is_shared_with_none() -> None:
    found = covariance(frame([moves(1), moves(1)], std=[np.inf, 1.0]))
    assert np.isnan(found[0, 0]) and found[1, 1] == 1 and found[0, 1] == found[1, 0] == 0


@pytest.mark.filterwarnings("error")
def test_correlations_of_errors_do_not_depend_on_the_unit() -> None:
    one, other = moves(1), moves(1) + moves(2)
    usual = error_correlations(frame([one, other, None], std=1.0))
    huge = error_correlations(frame([1e70 * one, 1e70 * other, None], std=1e70))
    assert huge == pytest.approx(usual, abs=1e-3) and 0.3 < usual[0, 1] < 1
    assert np.diag(usual) == pytest.approx(1) and not usual[2, :2].any()
    assert (error_correlations(frame([one, one], std=0.0)) == np.eye(2)).all()


def sweep(same: bool) -> pd.DataFrame:
    """Two models at four step counts, the larger 4 % better, errors of 10 % that both share."""
    rows = []
    for size, gflops, value in (("S", 1.0, 10.0), ("B", 2.0, 9.6)):
        for steps in (4, 8, 16, 32):
            moved = moves(1) if same else moves(int(gflops * 100 + steps))
            rows.append(
                {
                    "label": size, "size": size, "patch_size": 2, "gflops": gflops,
                    "sampling_steps": steps, "sampling_gflops": gflops * steps, "seed": 0,
                    "value": value, "std": value / 10, "std_df": 19.0,
                    "influence": influences.written(moved * value / 10),
                    "sampling_seed": 0, "samples": SAMPLES,
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def test_sampling_compute_is_compared_by_the_draws_that_both_models_share() -> None:
    by = {same: compare_pairs(sweep(same), "fd_x").iloc[0] for same in (True, False)}
    assert by[True]["ahead"] == "larger" and by[False]["ahead"] == "undecided"
    assert by[True]["ratio"] == pytest.approx(10 / 9.6)
    blind = compare_pairs(sweep(True).drop(columns="influence"), "fd_x").iloc[0]
    assert blind["ahead"] == "undecided"


def covered(first, second, same: float, draws: int) -> tuple[float, float, float]:
    """(share of intervals that hold the true difference, their mean error, of independent ones).

    first, second: (scale, shift) of two models, whose samples have `same` of their variance in
    common, draw by draw.
    """
    rng, found, blind = np.random.default_rng(5), [], []
    for _ in range(draws):
        drawn, rows = rng.normal(size=(SAMPLES, SIZE)), []
        for scale, shift in (first, second):
            own = rng.normal(size=(SAMPLES, SIZE))
            x = (np.sqrt(same) * drawn + np.sqrt(1 - same) * own) * scale + shift
            x = x.astype(np.float32)
            value = moments_distance(Moments.of(x), REFERENCE)
            std = over_halves(x, REFERENCE, 20)
            rows.append((value, std, grouped(of_distance(x, REFERENCE))))
        values, errors, groups = zip(*rows, strict=True)
        shared = covariance(frame(groups).assign(value=values, std=errors))[0, 1]
        found.append(difference(*values, *errors, 19, 19, covariance=float(shared)))
        blind.append(difference(*values, *errors, 19, 19))
    truth = float(np.mean([d.value for d in found]))
    return (
        float(np.mean([truth in d.interval for d in found])),
        float(np.mean([d.std for d in found])),
        float(np.mean([d.std for d in blind])),
    )


CASES = {
    "far, alike": ((1.3, 0.4), (1.31, 0.4)),
    "far, unlike": ((1.3, 0.4), (1.1, 0.6)),
    "near": ((1.05, 0.05), (1.03, 0.02)),
    "at the floor": ((1.0, 0.0), (1.0, 0.02)),
}


@pytest.mark.full
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("same", [1.0, 0.7, 0.2, 0.0])
def test_differences_cover_the_truth_whatever_is_shared(case: str, same: float) -> None:
    draws = 600
    share, error, _ = covered(*CASES[case], same, draws)
    assert stats.binom.cdf(round(share * draws), draws, 0.95) > 1e-3, (case, same, share, error)


@pytest.mark.slow
@pytest.mark.parametrize("same", [1.0, 0.0])
def test_differences_of_models_that_are_alike_cover_the_truth(same: float) -> None:
    share, error, blind = covered(*CASES["far, alike"], same, 60)
    assert share >= 0.88  # 0.95 less two and a half of its own errors at 60 draws
    assert (error < blind / 10) if same else (error == pytest.approx(blind, rel=0.2))
