"""Claims on a study's own records: each threshold and each sign, at values just beside it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from harness.paper.claims import decide, decide_all
from harness.paper.evidence import (
    AGREES,
    CONTRADICTED,
    DISAGREES,
    SUPPORTED,
    UNDECIDED,
    Evidence,
    papers_evidence,
)
from harness.store import influences


def rows(*given: dict, **common) -> pd.DataFrame:
    """One row each: DiT-XL/2 with adaLN-Zero, of a known and small error, but for what is said."""
    plain = {"model": "DiT-XL/2", "size": "XL", "patch_size": 2, "family": "DiT",
             "block": "adaln-zero", "image_size": 256, "gflops": 100.0, "params": 6e8,
             "se": 1e-4, "se_df": math.inf}  # fmt: skip
    out = [{**plain, **common, **each} for each in given]
    return pd.DataFrame([{"label": f"{r['model']} {r['block']}", **r} for r in out])


# --- one block against the others -----------------------------------------------------------------


def blocks(ours: dict, **theirs: dict) -> Evidence:
    others = [{"block": name.replace("_", "-"), **row} for name, row in theirs.items()]
    return Evidence(final=rows(ours, *others))


@pytest.mark.parametrize(
    ("ratio", "se", "verdict"),
    [
        (0.50, 0.0001, SUPPORTED),
        (0.41, 0.0001, SUPPORTED),
        (0.59, 0.0001, SUPPORTED),
        (0.39, 0.0001, CONTRADICTED),
        (0.61, 0.0001, CONTRADICTED),
        (0.39, 0.05, UNDECIDED),  # the interval reaches over one end of 0.4 to 0.6
        (0.61, 0.05, UNDECIDED),
        (0.50, 0.20, UNDECIDED),  # over both
    ],
)
def test_nearly_half_is_between_0_4_and_0_6(ratio: float, se: float, verdict: str) -> None:
    one = blocks({"value": 10 * ratio, "se": 10 * ratio * se}, in_context={"value": 10.0, "se": 0})
    found = decide("adaln-zero-half", one)
    assert found.verdict == verdict
    low, high = ratio * math.exp(-1.95996 * se), ratio * math.exp(1.95996 * se)
    assert found.numbers == (
        f"ratio {ratio:.3f} ({low:.3f} to {high:.3f}); nearly half: 0.4 to 0.6"
    )


def test_a_ratio_is_judged_by_both_errors_and_their_degrees_of_freedom() -> None:
    """Welch's interval, worked out here."""
    ours, theirs = {"value": 5.0, "se": 0.3, "se_df": 4.0}, {"value": 10.0, "se": 0.2, "se_df": 9.0}
    a, b = (0.3 / 5) ** 2, (0.2 / 10) ** 2
    df = (a + b) ** 2 / (a**2 / 4 + b**2 / 9)
    half = scipy.stats.t.ppf(0.975, df) * math.sqrt(a + b)
    said = decide("adaln-zero-half", blocks(ours, in_context=theirs)).numbers
    assert f"ratio 0.500 ({math.exp(-half) / 2:.3f} to {math.exp(half) / 2:.3f})" in said


def test_errors_that_two_values_share_are_taken_from_their_ratio() -> None:
    """Of the same draws, with influences that tell the whole error: covariance = r s s'."""
    moves = np.random.default_rng(0).normal(size=(2, 50))
    moves[1] = 0.9 * moves[0] + 0.2 * moves[1]
    moves *= np.array([[0.5], [1.4]]) / moves.std(axis=1, ddof=1, keepdims=True)
    r, a, b = float(np.corrcoef(moves)[0, 1]), 0.5 / math.sqrt(50), 1.4 / math.sqrt(50)
    common = {"sampling_seed": 0, "samples": 100}
    ours, theirs = (
        {"value": v, "se": s, "influence": influences.written(m), **common}
        for v, s, m in ((5.0, a, moves[0]), (10.0, b, moves[1]))
    )
    said = decide("adaln-zero-half", blocks(ours, in_context=theirs)).numbers
    variance = (a / 5) ** 2 + (b / 10) ** 2 - 2 * r * a * b / 50
    half = 1.95996 * math.sqrt(variance)
    assert (
        r > 0.9 and f"ratio 0.500 ({math.exp(-half) / 2:.3f} to {math.exp(half) / 2:.3f})" in said
    )
    apart = decide("adaln-zero-half", blocks({**ours, "samples": 99}, in_context=theirs)).numbers
    assert apart != said


def test_nearly_half_holds_of_each_model_that_has_both_blocks() -> None:
    def of(*ratios: float) -> Evidence:
        found = [
            {"model": f"DiT-{size}/2", "block": block, "value": value, "se": 1e-6}
            for size, ratio in zip("SB", ratios, strict=True)
            for block, value in (("adaln-zero", ratio), ("in-context", 1.0))
        ]
        return Evidence(final=rows(*found))

    assert decide("adaln-zero-half", of(0.5, 0.55)).verdict == SUPPORTED
    # An interval that fits of one model is wider where two are judged together.
    both = of(0.5, 0.5)
    both.final["se"] = both.final["value"] * math.log(0.6 / 0.5) / 2.1 / math.sqrt(2)
    assert decide("adaln-zero-half", both).verdict == UNDECIDED
    assert decide("adaln-zero-half", Evidence(final=both.final.iloc[:2])).verdict == SUPPORTED
    found = decide("adaln-zero-half", of(0.5, 0.9))
    assert found.verdict == CONTRADICTED
    assert found.numbers.startswith(
        "ratio 0.500 (0.500 to 0.500) (DiT-S/2), 0.900 (0.900 to 0.900)"
    )


def test_of_unknown_errors_the_ratio_is_said_alone() -> None:
    bare = blocks({"value": 5.0}, in_context={"value": 10.0})
    bare = replace(bare, final=bare.final.drop(columns=["se", "se_df"]))
    assert decide("adaln-zero-half", bare).verdict == UNDECIDED
    papers = replace(bare, published=True)
    for one in (bare, papers):
        said = decide("adaln-zero-half", one).numbers
        assert said == "ratio 0.500; nearly half: 0.4 to 0.6"
    assert decide("adaln-zero-half", papers).verdict == AGREES
    assert decide("adaln-zero-half", replace(one, final=one.final.assign(value=5.0))).verdict == (
        DISAGREES
    )


def others(values: tuple[float, ...], se: float = 1e-4) -> Evidence:
    names = ("in_context", "cross_attention", "adaln")
    each = {n: {"value": v, "se": se} for n, v in zip(names, values, strict=True)}
    return blocks({"value": 10.0, "se": se}, **each)


def test_a_standard_error_of_0_is_said() -> None:
    said = decide("adaln-zero-best", others((11.0, 12.0, 13.0), se=0.0)).numbers
    assert said.endswith("(adaln, DiT-XL/2); 3 of 3 with a standard error of 0")
    half = blocks({"value": 5.0, "se": 0.0}, in_context={"value": 10.0, "se": 0.0})
    assert decide("adaln-zero-half", half).numbers.endswith("; 1 of 1 with a standard error of 0")


def test_the_best_block_is_better_than_each_other_one_by_holm() -> None:
    found = decide("adaln-zero-best", others((11.0, 12.0, 13.0)))
    assert found.verdict == SUPPORTED
    assert found.numbers == (
        "10.00 against 11.00 (in-context, DiT-XL/2), 10.00 against 12.00 (cross-attention, "
        "DiT-XL/2), 10.00 against 13.00 (adaln, DiT-XL/2)"
    )
    assert decide("adaln-zero-best", others((11.0, 9.0, 13.0))).verdict == CONTRADICTED
    assert decide("adaln-zero-best", others((11.0, 10.0, 13.0))).verdict == UNDECIDED
    better = replace(others((11.0, 12.0, 13.0)), metric="inception_score")
    assert decide("adaln-zero-best", better).verdict == CONTRADICTED
    # Each alone is no tie at 5 %; three together are, by Holm.
    gap = 2.1 * math.hypot(0.01, 0.01)
    three = others((10 * math.exp(gap),) * 3, se=0.1)
    assert decide("adaln-zero-best", three).verdict == UNDECIDED
    assert decide("initialisation", three).verdict == SUPPORTED  # asked of one of them alone


def test_equal_published_values_are_no_agreement() -> None:
    equal = replace(others((11.0, 10.0, 13.0)), published=True)
    assert decide("adaln-zero-best", equal).verdict == DISAGREES


def test_the_cheapest_block_may_be_as_cheap_as_another() -> None:
    def of(*gflops: float) -> Evidence:
        one = others((11.0, 12.0, 13.0))
        return replace(one, final=one.final.assign(gflops=gflops))

    found = decide("adaln-zero-cheapest", of(100.0, 119.0, 137.0, 100.0))
    assert found.verdict == SUPPORTED
    assert found.numbers == (
        "100.00 against 119.00 (in-context), 100.00 against 137.00 (cross-attention), "
        "100.00 against 100.00 (adaln)"
    )
    found = decide("adaln-zero-cheapest", of(100.0, 119.0, 98.0, 90.0))
    assert found.verdict == CONTRADICTED
    assert found.numbers.endswith("; adaln is 10.00 % cheaper")
    small = of(1.0, 1.2, 1.3, 1.05).final.assign(model="DiT-S/2")  # of another size: none cheaper
    both = pd.concat([small, of(100.0, 119.0, 98.0, 90.0).final], ignore_index=True)
    found = decide("adaln-zero-cheapest", Evidence(final=both))
    assert found.numbers.endswith("; adaln is 10.00 % cheaper")


# --- steps forward --------------------------------------------------------------------------------


def sizes(values: tuple[float, ...], se: float = 1e-4, **common) -> pd.DataFrame:
    each = [
        {"model": f"DiT-{n}/2", "size": n, "gflops": 10.0**k, "value": v, "se": se}
        for k, (n, v) in enumerate(zip("SBLX"[: len(values)], values, strict=True))
    ]
    return rows(*each, **common)


def test_a_sure_step_and_a_tie_are_neither_support_nor_contradiction() -> None:
    found = decide("size-helps", Evidence(final=sizes((10.0, 9.0, 9.0))))
    assert found.verdict == UNDECIDED
    assert found.numbers == (
        "1 of 2 steps forward improve; beyond Holm's correction 1 improve and 0 worsen"
    )
    found = decide("size-helps", Evidence(final=sizes((10.0, 9.0, 9.0, 9.5))))
    assert found.verdict == CONTRADICTED
    assert found.numbers.endswith("beyond Holm's correction 1 improve and 1 worsen")


def test_steps_forward_are_judged_together_by_holm() -> None:
    gap = 2.1 * math.hypot(0.01, 0.01)
    values = tuple(10 * math.exp(-gap * k) for k in range(4))
    final = sizes(values).assign(se=[0.01 * v for v in values])
    found = decide("size-helps", Evidence(final=final))
    assert found.verdict == UNDECIDED
    assert found.numbers.endswith("beyond Holm's correction 0 improve and 0 worsen")
    assert decide("size-helps", Evidence(final=final.iloc[:2])).verdict == SUPPORTED


def test_steps_forward_are_within_one_training_step_and_of_what_has_a_size_and_a_value() -> None:
    curves = pd.concat(
        [sizes(v, step=s) for s, v in ((100, (10.0, 9.0)), (200, (8.0, 7.0)), (None, (6.0, 5.0)))]
    )
    said = decide("size-helps", Evidence(curves=curves)).numbers
    assert said.startswith("3 of 3 steps forward improve")
    final = sizes((10.0, 0.5, -1.0))
    unsized = sizes((1.0,)).assign(size=None, gflops=1e9)
    found = decide("size-helps", Evidence(final=pd.concat([final, unsized])))
    assert found.numbers.startswith("1 of 1 steps forward improve")
    patches = sizes((10.0, 9.0)).assign(size="S", patch_size=[4.0, 2.0])
    none = sizes((1.0,)).assign(size="S", patch_size=math.nan, gflops=1e9)
    other = pd.concat([patches, none])
    found = decide("patch-helps", Evidence(final=other.assign(model="m", label="m")))
    assert found.numbers.startswith("1 of 1 steps forward improve")
    nothing = decide("size-helps", Evidence(final=final.drop(columns=["size"])))
    assert nothing.numbers.endswith("no models that differ in this alone")
    one = decide("size-helps", Evidence(final=sizes((10.0,))))
    assert one.numbers.endswith("no models that differ in this alone")


# --- Gflops, not parameters -----------------------------------------------------------------------

GFLOPS = np.array([1.0, 3, 9, 27, 81, 2, 20, 200])
PARAMS = 1e7 * np.array([3.0, 1, 9, 4, 20, 2, 2, 30])
DESIGN = np.column_stack([np.ones(8), np.log(GFLOPS), np.log(PARAMS)])
NOISE = np.array([1.0, -1, 1, -1, -1, 1, 1, -1])  # less what Gflops and parameters explain of it:
WOBBLE = np.exp(0.05 * (NOISE - DESIGN @ np.linalg.lstsq(DESIGN, NOISE, rcond=None)[0]))


def models(values: np.ndarray, gflops: np.ndarray = GFLOPS, params: np.ndarray = PARAMS, **common):
    each = [
        {"model": f"m{k}", "gflops": g, "params": p, "value": v}
        for k, (g, p, v) in enumerate(zip(gflops, params, values, strict=False))
    ]
    return rows(*each, **common)


@pytest.mark.parametrize(
    ("of_gflops", "of_params", "verdict"),
    [
        (-0.4, 0.0, SUPPORTED),
        (0.0, -0.4, CONTRADICTED),
        (-0.4, -0.4, UNDECIDED),
        (0.0, 0.0, UNDECIDED),
        (0.4, 0.4, UNDECIDED),  # both harm
        (-0.4, 0.4, SUPPORTED),  # parameters harm
        (0.4, -0.4, CONTRADICTED),
    ],
)
def test_gflops_and_not_parameters(of_gflops: float, of_params: float, verdict: str) -> None:
    lower = 50 * GFLOPS**of_gflops * (PARAMS / 1e8) ** of_params * WOBBLE
    found = decide("gflops-not-params", Evidence(final=models(lower)))
    assert found.verdict == verdict
    higher = models(1 / lower)
    assert decide("gflops-not-params", Evidence("inception_score", higher)).verdict == verdict
    r2 = np.corrcoef(np.log(GFLOPS), np.log(lower))[0, 1] ** 2
    assert found.numbers.startswith(f"R2 {r2:.3f} with Gflops alone")
    assert f"coefficients {of_gflops + 0.0:.3f} (" in found.numbers.replace("-0.000", "0.000")
    assert f"of Gflops, {of_params:+.3f} (" in found.numbers.replace("-0.000", "+0.000")


def test_five_models_with_positive_values_tell_gflops_from_parameters() -> None:
    values = 50 * GFLOPS**-0.4 * WOBBLE
    needed = "five models with Gflops and parameters are needed"
    assert decide("gflops-not-params", Evidence(final=models(values[:5]))).verdict == SUPPORTED
    for final in (
        models(values[:4]),
        models(values).drop(columns=["params"]),
        models(np.append(values[:7], 0.0)),
    ):
        assert decide("gflops-not-params", Evidence(final=final)).numbers.endswith(needed)
    small = models(values / 100)  # below 1, and positive
    assert decide("gflops-not-params", Evidence(final=small)).verdict == SUPPORTED
    same = models(values, params=GFLOPS * 1e6)
    found = decide("gflops-not-params", Evidence(final=same))
    assert found.numbers.endswith("do not determine 3 coefficients of gflops, params")


# --- similar Gflops -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ratio", "se", "verdict"),
    [
        (1.0, 1e-4, SUPPORTED),
        (1.24, 1e-4, SUPPORTED),
        (1 / 1.24, 1e-4, SUPPORTED),
        (1.26, 1e-4, CONTRADICTED),
        (1 / 1.26, 1e-4, CONTRADICTED),
        (1.24, 0.05, UNDECIDED),
        (1 / 1.24, 0.05, UNDECIDED),
        (1.26, 0.05, UNDECIDED),
        (1 / 1.26, 0.05, UNDECIDED),
        (1.0, 0.3, UNDECIDED),
    ],
)
def test_similar_is_within_a_factor_of_1_25(ratio: float, se: float, verdict: str) -> None:
    final = models(np.array([ratio, 1.0]), gflops=np.array([10.0, 14.9]))
    final["se"] = [ratio * se, 0.0]
    found = decide("similar-gflops-similar-fid", Evidence(final=final))
    assert found.verdict == verdict
    near = int(1 / 1.25 <= ratio <= 1.25)
    assert found.numbers.startswith(f"1 pairs, {near} within a factor of 1.25, the largest factor")
    assert f"factor {max(ratio, 1 / ratio):.2f}" in found.numbers


def test_similar_gflops_are_within_a_factor_of_1_5_of_positive_values() -> None:
    none = "no two models within a factor of 1.5 in Gflops"
    for gflops, values in (
        ((10.0, 15.1), (1.0, 1.0)),
        ((15.1, 10.0), (1.0, 1.0)),
        ((10.0, 10.0), (1.0, -1.0)),
        ((10.0, 10.0), (1.0, 0.0)),
        ((0.0, 10.0), (1.0, 1.0)),
    ):
        final = models(np.array(values), gflops=np.array(gflops))
        found = decide("similar-gflops-similar-fid", Evidence(final=final))
        assert found.verdict == UNDECIDED and found.numbers.endswith(none)
    small = models(np.array([0.5, 0.5]), gflops=np.array([0.5, 0.6]))
    assert decide("similar-gflops-similar-fid", Evidence(final=small)).verdict == SUPPORTED


def test_similar_models_are_judged_together_by_holm_and_told_by_patch() -> None:
    """Three of one compute: 3 pairs, of which two are surely apart alone, and none of three."""
    factor = 1.25 * math.exp(2.1 * 0.02)
    final = models(np.array([factor, 1.0, 1.0]), gflops=np.full(3, 10.0))
    final["se"] = [0.02 * factor, 0.0, 0.0]
    two = Evidence(final=final.iloc[:2])
    assert decide("similar-gflops-similar-fid", two).verdict == CONTRADICTED
    found = decide("similar-gflops-similar-fid", Evidence(final=final))
    assert found.verdict == UNDECIDED
    assert found.numbers.startswith("3 pairs, 1 within a factor of 1.25, the largest factor 1.30")
    assert "patch" not in found.numbers  # all are of one patch size
    found = decide("similar-gflops-similar-fid", Evidence(final=final.assign(patch_size=[8, 2, 4])))
    assert "(with patch 8: 2, up to 1.30; without: 1, up to 1.00)" in found.numbers
    for lacking in (final.drop(columns=["patch_size"]), final.assign(patch_size=[8, 2, None])):
        found = decide("similar-gflops-similar-fid", Evidence(final=lacking))
        assert found.verdict == UNDECIDED and "patch" not in found.numbers


# --- correlations ---------------------------------------------------------------------------------


def correlated(r: float, metric: str = "fid", n: int = 40) -> Evidence:
    """n models whose correlation with log compute is exactly r."""
    x = np.linspace(0.0, 2.0, n)
    z = np.random.default_rng(0).normal(size=n)
    x = (x - x.mean()) / x.std()
    z -= z.mean() + x * (z @ x) / (x @ x)
    y = r * x + math.sqrt(1 - r * r) * z / z.std()
    return Evidence(metric, models(20 + y, gflops=10**x, params=np.ones(n)))


@pytest.mark.parametrize("metric", ["fid", "inception_score"])
@pytest.mark.parametrize(
    ("strength", "verdict"),
    [(0.9, SUPPORTED), (0.75, UNDECIDED), (0.4, CONTRADICTED), (-0.9, CONTRADICTED)],
)
def test_strong_is_0_7_or_more_on_the_side_that_means_better(
    metric: str, strength: float, verdict: str
) -> None:
    r = strength if metric == "inception_score" else -strength
    found = decide("strong-correlation", correlated(r, metric))
    assert found.verdict == verdict
    half = 1.95996 / math.sqrt(37)
    low, high = (math.tanh(math.atanh(r) + s * half) for s in (-1, 1))
    assert found.numbers.startswith(f"Pearson {r:.3f} ({low:.3f} to {high:.3f} over models")
    assert found.numbers.endswith(", 40 models")


def test_a_correlation_has_an_interval_over_measurements_where_errors_are_known() -> None:
    values = 50 * GFLOPS**-0.3
    none = models(values).drop(columns=["se", "std"], errors="ignore")
    assert "over measurements" not in decide("strong-correlation", Evidence(final=none)).numbers
    known = Evidence(final=models(values).assign(se=0.02 * values, se_df=9.0))
    assert " over models; -0." in decide("strong-correlation", known).numbers
    assert " over measurements)" in decide("strong-correlation", known).numbers


# --- over training --------------------------------------------------------------------------------


def curves(laws: dict[str, tuple[float, float]], se: float, **common) -> Evidence:
    """Per size (log value at the first, at the last compute), of one common range of compute."""
    each = [
        {"model": f"DiT-{name}/2", "size": name, "gflops": 10.0**k, "train_gflops": compute,
         "value": math.exp(log), "se": se * math.exp(log)}
        for k, (name, law) in enumerate(laws.items())
        for compute, log in zip((1e3, 1e6), law, strict=True)
    ]  # fmt: skip
    return Evidence(finished=rows(*each, **common))


def test_gains_at_equal_compute_are_judged_together_by_holm() -> None:
    gap = 2.1 * math.hypot(0.01, 0.01)
    three = curves({n: (0.0, -gap * k) for k, n in enumerate("SBLX")}, 0.01)
    found = decide("larger-train-efficient", three)
    assert found.verdict == UNDECIDED
    assert found.numbers.endswith("ahead in 0, the smaller in 0, 3 undecided (Holm)")
    two = curves({n: (0.0, -gap * k) for k, n in enumerate("SB")}, 0.01)
    assert decide("larger-train-efficient", two).verdict == SUPPORTED


def test_only_a_lead_of_the_smaller_that_grows_surely_contradicts() -> None:
    def of(first: float, last: float, se: float = 1e-3) -> str:
        """Two neighbours: the larger's log value less the smaller's; and a tie."""
        laws = {"S": (0.0, 0.0), "B": (first, last), "L": (first, last)}
        return decide("larger-train-efficient", curves(laws, se)).verdict

    assert of(0.1, 0.5) == CONTRADICTED
    assert of(0.5, 0.1) == UNDECIDED  # the lead shrinks
    assert of(-0.5, -0.1) == UNDECIDED  # the larger is ahead, by less and less
    assert of(-0.1, -0.5) == UNDECIDED  # ahead, and one tie
    assert of(0.3, 0.3) == UNDECIDED  # the lead stays
    # A growth of 2.1 standard errors is none where three are asked.
    gap = 2.1 * 2 * 0.01
    laws = {n: (1.0 * k, 1.0 * k + gap * k) for k, n in enumerate("SBLX")}
    assert decide("larger-train-efficient", curves(laws, 0.01)).verdict == UNDECIDED
    two = dict(list(laws.items())[:2])
    assert decide("larger-train-efficient", curves(two, 0.01)).verdict == CONTRADICTED


def crossing(at: float, se: float = 1e-6, patches: tuple[int, ...] = (4, 2), **common) -> Evidence:
    """XL/4 and XL/2 over 10^7 to 10^13 training Gflops, equal at one compute."""
    each = [
        {"model": f"DiT-XL/{p}", "patch_size": p, "gflops": 400 / p**2, "train_gflops": compute,
         "value": 10 * (compute / at) ** (-0.4 / p), "se": se * 10 * (compute / at) ** (-0.4 / p)}
        for p in patches
        for compute in np.geomspace(1e7, 1e13, 25)
    ]  # fmt: skip
    return Evidence(finished=rows(*each, **common))


@pytest.mark.parametrize(
    ("at", "se", "verdict"),
    [
        (1e10, 1e-6, SUPPORTED),
        (3.1e9, 1e-6, SUPPORTED),
        (2.9e10, 1e-6, SUPPORTED),
        (2.9e9, 1e-6, CONTRADICTED),
        (3.1e10, 1e-6, CONTRADICTED),
        (1e10, 0.1, UNDECIDED),  # over both ends
        (3.1e9, 0.01, UNDECIDED),
        (2.9e9, 0.01, UNDECIDED),
        (2.9e10, 0.01, UNDECIDED),
        (3.1e10, 0.01, UNDECIDED),
        (1e10, 10.0, UNDECIDED),  # open on both sides
        (1e10, math.nan, UNDECIDED),
    ],
)
def test_the_crossing_is_roughly_at_1e10(at: float, se: float, verdict: str) -> None:
    for patches in ((4, 2), (8, 4, 2)):  # XL/8 crosses at the same place, and is not asked for
        one = crossing(at, se, patches)
        if len(patches) == 3:
            eight = one.finished["patch_size"] == 8
            one.finished.loc[eight, "value"] *= 5
        found = decide("xl4-xl2-crossing", one)
        assert found.verdict == verdict
        assert found.numbers.startswith(f"crossing: {at:.2g} Gflops (")


def test_the_crossing_is_of_the_papers_networks_alone() -> None:
    none = "no curves of XL/4 and XL/2 over common training compute"
    for other in ({"family": "U-ViT"}, {"size": "L"}, {"image_size": 512}, {"family": None}):
        found = decide("xl4-xl2-crossing", crossing(1e10, **other))
        assert found.verdict == UNDECIDED and found.numbers.endswith(none)
    mixed = pd.concat(
        [crossing(1e10).finished, crossing(1e11, family="U-ViT").finished.assign(model="U-ViT")]
    )
    assert decide("xl4-xl2-crossing", Evidence(finished=mixed)).verdict == SUPPORTED
    unsized = crossing(1e10).finished.drop(columns=["size"])
    assert (
        "no curves over training" in decide("xl4-xl2-crossing", Evidence(finished=unsized)).numbers
    )
    only = crossing(1e10, patches=(8, 4)).finished
    assert decide("xl4-xl2-crossing", Evidence(finished=only)).numbers.endswith(none)


def test_no_crossing_is_said_so() -> None:
    ahead = crossing(1e10).finished
    ahead.loc[ahead["patch_size"] == 4, "value"] *= 100
    found = decide("xl4-xl2-crossing", Evidence(finished=ahead))
    assert found.verdict == CONTRADICTED  # before all that was measured: below 10^7
    assert found.numbers == "larger ahead throughout: no crossing (0 to 1e+07)"


# --- words ----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_each_claim_says_what_it_lacks() -> None:
    lacks = {
        "adaln-zero-best": "not all of these block designs were measured at one size",
        "adaln-zero-half": "adaLN-Zero and in-context were not both measured",
        "adaln-zero-cheapest": "not all four block designs are among the models",
        "initialisation": "not all of these block designs were measured at one size",
        "size-helps": "no models that differ in this alone",
        "patch-helps": "no models that differ in this alone",
        "gflops-not-params": "five models with Gflops and parameters are needed",
        "similar-gflops-similar-fid": "no two models within a factor of 1.5 in Gflops",
        "sampling-cannot-compensate": "no sweep over sampling steps",
        "other-metrics": "no other metrics of three models",
        "is-precision-most": "class score, precision and another metric of four models are needed",
        "loss-falls-faster": "no training losses",
    }
    found = {v.id: v for v in decide_all(Evidence())}
    assert {name: found[name].numbers for name in lacks} == {
        name: f"not decidable: {words}" for name, words in lacks.items()
    }
    assert not any(v.decidable for v in found.values())
    assert all(v.decidable for v in decide_all(papers_evidence()) if v.verdict == AGREES)
    one = curves({"S": (1.0, 0.5)}, 0.01)
    assert decide("larger-train-efficient", one).numbers.endswith(
        "no neighbours in size share a training compute"
    )
    sweep = rows({"value": 5.0, "sampling_steps": 10, "sampling_gflops": 1e3},
                 {"value": 4.0, "sampling_steps": 50, "sampling_gflops": 5e3})  # fmt: skip
    assert decide("sampling-cannot-compensate", Evidence(sweep=sweep)).numbers.endswith(
        "no two sizes of one patch with common sampling compute"
    )


def test_the_papers_own_evidence_is_table_3_in_our_units() -> None:
    final = papers_evidence().final.set_index("label")
    best = final.loc["DiT-XL/2"]
    assert (best["size"], best["patch_size"], best["family"]) == ("XL", 2, "DiT")
    assert best["params"] == 675e6 and best["value"] == 19.47 and len(final) == 15
    assert {"DiT-XL/2 in-context", "DiT-XL/2 cross-attention", "DiT-XL/2 adaln"} < set(final.index)
    assert list(papers_evidence().final.index) == list(range(15))
