"""The sampling argument: chance gives no pair, a real difference gives one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from harness.analysis.sampling import compare_pairs, headline_pair, judged_together, uncorrected
from harness.analysis.sampling_curves import mean_error, read_curves, shared_error
from harness.store import influences

STEPS = np.array([16, 32, 64, 128, 256, 1000])
PAPERS = {
    "S/8": 0.36, "B/8": 1.42, "L/8": 5.01, "XL/8": 7.39,
    "S/4": 1.41, "B/4": 5.56, "L/4": 19.70, "XL/4": 29.05,
    "S/2": 6.06, "B/2": 23.01, "L/2": 80.71, "XL/2": 118.64,
}  # fmt: skip
STD = 0.03  # of each value, a share of it


def curve(label, gflops, value, std=None, patch=2, steps=STEPS, **more):
    frame = pd.DataFrame(
        {
            "label": label,
            "gflops": gflops,
            "patch_size": patch,
            "sampling_steps": steps,
            "sampling_gflops": gflops * steps,
            "value": value,
            **more,
        }
    )
    return frame if std is None else frame.assign(std=std)


TWELVE = pd.concat(
    [curve(m, g, 50.0, STD * 50, patch=int(m.split("/")[1])) for m, g in PAPERS.items()],
    ignore_index=True,
)


def standard_error(small, large, shared):
    """True standard error of the pair's mean difference in log value."""
    curves, _ = read_curves(TWELVE)
    a, b = curves[small], curves[large]
    low, high = max(a.compute[0], b.compute[0]), min(a.compute[-1], b.compute[-1])
    return mean_error(a, b, a.weights(low, high), b.weights(low, high), shared, None)[0]


def found(advantage, draws, shared=0.0, seed=0):
    """In how many draws any pair is given; `advantage`: of each model, on the log scale."""
    rng = np.random.default_rng(seed)
    count = 0
    for _ in range(draws):
        own, common = rng.normal(size=(12, 6)), rng.normal(size=(12, 1))
        error = STD * (np.sqrt(1 - shared) * own + np.sqrt(shared) * common)
        values = 50 * (1 + error) * np.exp(-np.asarray(advantage))[:, None]
        count += headline_pair(TWELVE.assign(value=values.ravel()), "fid") is not None
    return count


NOTHING = np.zeros(12)


def one_pair(shared):
    """XL/2 alone is better, by four standard errors of its difference from L/2."""
    return np.r_[np.zeros(11), 4 * standard_error("L/2", "XL/2", shared)]


def every_step(shared):
    """Each size is better than the last by three standard errors."""
    names, out = list(PAPERS), np.zeros(12)
    for k in range(12):
        if k % 4:
            out[k] = out[k - 1] + 3 * standard_error(names[k - 1], names[k], shared)
    return out


@pytest.mark.slow
@pytest.mark.parametrize("shared", [0.0, 0.8])
def test_pure_noise_gives_no_pair_and_differences_are_found(shared):
    draws = 40
    assert stats.binom.sf(found(NOTHING, draws, shared) - 1, draws, 0.065) > 1e-3
    assert stats.binom.cdf(found(one_pair(shared), draws, shared), draws, 0.80) > 1e-3
    assert stats.binom.cdf(found(every_step(shared), draws, shared), draws, 0.95) > 1e-3


@pytest.mark.full
@pytest.mark.timeout(3600)
def test_the_acceptance_of_the_headline_pair_in_two_thousand_draws_each():
    for shared in (0.0, 0.5, 0.9):
        counts = [found(a, 2000, shared, seed=7) / 2000
                  for a in (NOTHING, one_pair(shared), every_step(shared))]  # fmt: skip
        print(f"correlation of errors {shared}: noise, one pair, all steps {counts}", flush=True)
        assert counts[0] <= 0.065 and counts[1] >= 0.80 and counts[2] >= 0.95


def papers_pair(std):
    large = curve("XL/2", 118.64, [30.0, 25.95, 24.5, 23.7, 23.5, 23.3], std)
    small = curve("L/2", 80.71, [40.0, 31.0, 28.0, 26.5, 26.1, 25.9], std)
    return pd.concat([small, large])


def test_the_papers_pair_needs_standard_errors_and_then_survives():
    assert headline_pair(papers_pair(None), "fid") is None
    pair = headline_pair(papers_pair(0.3), "fid")
    assert (pair.larger, pair.larger_steps, pair.smaller, pair.smaller_steps) == (
        *("XL/2", 64, "L/2", 1000),
    )
    assert pair.saving.value == pytest.approx(80.71 * 1000 / (118.64 * 64))
    assert pair.saving.low <= pair.saving.value <= pair.saving.high and pair.selected
    assert pair.ratio.low > 1 and pair.difference.value == pytest.approx(24.5 - 25.9)
    assert pair.basis == "checkpoints" and pair.p_holm < 0.05
    assert headline_pair(papers_pair(8.0), "fid") is None


def test_where_higher_is_better_the_higher_curve_is_ahead():
    sweep = pd.concat([curve("small", 10.0, 5.0, 0.1), curve("large", 20.0, 9.0, 0.1)])
    (up,) = compare_pairs(sweep, "inception_score").to_dict("records")
    (down,) = compare_pairs(sweep, "fid").to_dict("records")
    assert (up["ahead"], down["ahead"]) == ("larger", "smaller")
    assert up["ratio"] == pytest.approx(9 / 5) and down["ratio"] == pytest.approx(5 / 9)
    assert up["share"] == 1 and up["low"] == 320 and up["high"] == 10_000


def test_the_pairs_are_of_one_series_unless_others_are_named():
    pairs = compare_pairs(TWELVE, "fid", "neighbours")
    assert len(pairs) == 9 and ("L/2", "XL/2") in set(zip(pairs.smaller, pairs.larger, strict=True))
    assert len(compare_pairs(TWELVE, "fid")) == 18
    named = compare_pairs(TWELVE, "fid", [("B/2", "XL/2"), ("B/2", "nobody")])
    assert named[["smaller", "larger"]].values.tolist() == [["B/2", "XL/2"]]
    apart = compare_pairs(pd.concat([curve("a", 1, 5.0, 0.1), curve("b", 1000, 4.0, 0.1)]), "fid")
    assert len(apart) == 0 and list(apart) == list(pairs)


def test_recipes_are_never_paired_with_one_another():
    parts = [("S", "", 1.0), ("B", "", 2.0), ("S", " lr 0.1", 1.0), ("B", " lr 0.1", 2.0)]
    sweep = pd.concat([curve(f"{m}{r}", g, 5.0, 0.1, model=m) for m, r, g in parts])
    pairs = compare_pairs(sweep, "fid")
    assert set(zip(pairs.smaller, pairs.larger, strict=True)) == {
        ("S", "B"),
        ("S lr 0.1", "B lr 0.1"),
    }


@pytest.mark.slow
def test_seeds_are_the_replicate_where_there_are_several():
    rng = np.random.default_rng(0)
    held, draws = 0, 100
    for _ in range(draws):
        parts = [
            curve(m, g, 50 * np.exp(0.1 * rng.normal() + 0.01 * rng.normal(size=6)), 0.5, seed=s)
            for m, g in (("S", 6.06), ("B", 23.0), ("L", 80.0))
            for s in range(3)
        ]
        frame = compare_pairs(pd.concat(parts), "fid")
        assert set(frame["basis"]) == {"seeds"}
        held += (frame["ahead"] == "undecided").all()
    assert stats.binom.cdf(held, draws, 0.90) > 1e-3  # either side at 5 % over both pairs


@pytest.mark.slow
def test_how_much_step_counts_share_is_seen_from_the_curves():
    rng = np.random.default_rng(0)
    for shared in (0.0, 0.6, 1.0):
        seen = []
        for _ in range(20):
            own, common = rng.normal(size=(12, 6)), rng.normal(size=(12, 1))
            values = 50 * np.exp(STD * (np.sqrt(1 - shared) * own + np.sqrt(shared) * common))
            seen.append(shared_error(read_curves(TWELVE.assign(value=values.ravel()))[0]))
        assert np.mean(seen) == pytest.approx(shared, abs=0.12)
    assert shared_error(read_curves(papers_pair(0.3))[0]) == 1.0  # too few curves to see it


def test_values_that_are_not_positive_are_compared_as_they_are():
    sweep = pd.concat([curve("a", 10, 0.02, 0.001), curve("b", 20, -0.001, 0.001)])
    (row,) = compare_pairs(sweep, "kid").to_dict("records")
    assert row["ahead"] == "larger" and row["ratio"] > 1


def test_nothing_to_compare_is_no_error():
    empty = TWELVE.iloc[:0]
    assert len(compare_pairs(empty, "fid")) == 0 and headline_pair(empty, "fid") is None
    holes = TWELVE.assign(value=np.nan)
    assert headline_pair(holes, "fid") is None


def test_values_that_are_all_nothing_tie() -> None:
    sweep = pd.concat([curve(m, g, 0.0, 0.1) for m, g in (("a", 10.0), ("b", 20.0))])
    (row,) = compare_pairs(sweep, "fid").to_dict("records")
    assert row["ahead"] == "undecided"


LARGE = np.array([30.0, 25.95, 24.5, 23.7, 23.5, 23.3])
SMALL = np.array([40.0, 31.0, 28.0, 26.5, 26.1, 25.9])


def of_same_draws(rng, shared, std=0.5, groups=32):
    """Both curves of one sampling seed, whose errors have the correlation `shared`."""
    common = rng.normal(size=groups)
    parts = []
    for label, gflops, truth in (("XL/2", 118.64, LARGE), ("L/2", 80.71, SMALL)):
        own = rng.normal(size=(6, groups))
        moves = np.sqrt(1 - shared) * own + np.sqrt(shared) * common
        moves *= std * np.sqrt(groups)
        error = moves.std(axis=1, ddof=1) / np.sqrt(groups)
        known = [influences.written(m - m.mean()) for m in moves]
        parts.append(curve(label, gflops, truth + moves.mean(axis=1), se=error, se_df=groups - 1.0,
                           sampling_seed=0, samples=10_000, influence=known))  # fmt: skip
    return pd.concat(parts, ignore_index=True)


@pytest.mark.slow
@pytest.mark.parametrize("shared", [0.0, 0.9])
def test_the_selected_pair_is_as_well_known_as_values_of_the_same_draws_are(shared):
    """Its intervals cover the truth, and with shared errors they are far narrower."""
    rng, draws, covers, saves = np.random.default_rng(0), 60, 0, 0
    narrower = []
    for _ in range(draws):
        sweep = of_same_draws(rng, shared)
        pair = headline_pair(sweep, "fid")
        apart = headline_pair(sweep.drop(columns="influence"), "fid")
        true = LARGE[list(STEPS).index(pair.larger_steps)] - SMALL[-1]
        covers += true in pair.difference
        saves += 80.71 * 1000 / (118.64 * 64) in pair.saving  # of the true curves
        wide = pair.saving.high / pair.saving.low, apart.saving.high / apart.saving.low
        narrower.append((pair.difference.half_width / apart.difference.half_width, *np.log(wide)))
    share, saving, saving_apart = np.mean(narrower, axis=0)
    assert stats.binom.cdf(covers, draws, 0.95) > 1e-3
    assert stats.binom.cdf(saves, draws, 0.95) > 1e-3
    if shared:
        assert stats.binom.sf(covers - 1, draws, 0.95) > 1e-3  # not far too wide either
        assert share == pytest.approx(np.sqrt(1 - shared), abs=0.05)
        assert saving < 0.8 * saving_apart
    else:
        assert share == pytest.approx(1.0, abs=0.1)


def test_of_other_draws_the_two_models_count_as_independent():
    sweep = of_same_draws(np.random.default_rng(0), 0.9)
    sweep.loc[sweep["label"] == "L/2", "sampling_seed"] = 1
    pair = headline_pair(sweep, "fid")
    apart = headline_pair(sweep.drop(columns="influence"), "fid")
    assert pair.difference.half_width == pytest.approx(apart.difference.half_width)
    assert headline_pair(sweep, "fid", correlation=1.0) == headline_pair(
        sweep.drop(columns="influence"), "fid", correlation=1.0
    )  # as asked for, and not from influences


def test_pairs_of_several_settings_are_corrected_together():
    parts = [pd.concat([curve("a", 10.0, 50.0, 2.0), curve("b", 20.0, v, 2.0)]) for v in (44, 50)]
    alone = compare_pairs(parts[0], "fid")
    frames = [uncorrected(part, "fid") for part in (*parts, parts[0].iloc[:0])]
    first, second, none = judged_together(frames)
    assert list(first) == list(second) == list(none) == list(alone) and not len(none)
    assert first["p"].tolist() == alone["p"].tolist()
    assert first["p_holm"][0] == pytest.approx(2 * alone["p_holm"][0])
    assert first["ratio_low"][0] < alone["ratio_low"][0] and first["ratio"][0] == alone["ratio"][0]
    assert [len(one) for one in judged_together([none, none])] == [0, 0]
