"""Claims about the other metrics and the loss, on values whose truth is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from harness.analysis.correlations import compare_correlations
from harness.paper.evidence import CONTRADICTED, SUPPORTED, UNDECIDED, Evidence
from harness.paper.metrics import benefit_most, loss, other_metrics

GFLOPS = np.array([0.4, 1.4, 5.6, 6.0, 19.7, 23.0, 80.7, 118.6])


def rows(slope: float, noise: float = 0.0, seed: int = 0) -> pd.DataFrame:
    """Values that change by `slope` per e-fold of compute, about 10."""
    draws = np.random.default_rng(seed).standard_normal(len(GFLOPS))
    labels = [f"m{k}" for k in range(len(GFLOPS))]
    value = 10 + slope * np.log(GFLOPS) + noise * draws
    return pd.DataFrame({"label": labels, "gflops": GFLOPS, "value": value})


@pytest.mark.slow
def test_the_sign_that_means_better_supports_and_the_other_contradicts() -> None:
    better = {"sfid": rows(-1, 0.1), "precision": rows(1, 0.1)}
    verdict, words = other_metrics(Evidence(others=better))
    assert verdict == SUPPORTED and ": sFID -1.000 (" in words and "Prec. 1.000 (" in words
    worse = {**better, "recall": rows(-1, 0.1)}
    assert other_metrics(Evidence(others=worse))[0] == CONTRADICTED
    open_ = {**better, "recall": rows(0, 1.0)}
    assert other_metrics(Evidence(others=open_))[0] == UNDECIDED


@pytest.mark.parametrize(
    ("slope", "noise", "verdict"),
    [(-1, 0.1, SUPPORTED), (0, 1.0, UNDECIDED), (1, 0.1, CONTRADICTED)],
)
def test_of_a_distance_less_is_better(slope: float, noise: float, verdict: str) -> None:
    assert other_metrics(Evidence(others={"sfid": rows(slope, noise)}))[0] == verdict


def test_other_extractors_metrics_are_of_the_same_kinds_and_kid_is_not_asked_for() -> None:
    found = other_metrics(Evidence(others={"is_glyphs_cnn": rows(1, 0.1)}))
    assert found[0] == SUPPORTED
    verdict, words = other_metrics(Evidence(others={"kid": rows(-1, 0.1)}))
    assert verdict == UNDECIDED and "no other metrics" in words


def with_correlation(r: float, n: int = 8) -> pd.DataFrame:
    """n models whose values correlate with log compute by exactly r."""
    x = np.log(GFLOPS[:n])
    x = (x - x.mean()) / x.std()
    noise = np.random.default_rng(5).standard_normal(n)
    noise -= noise.mean() + x * (noise @ x) / n
    value = 10 + r * x + np.sqrt(1 - r * r) * noise / noise.std()
    return rows(0).iloc[:n].assign(value=value)


def low_at(confidence: float, n: int = 8) -> float:
    """The correlation of n models whose interval at this confidence ends at 0."""
    return float(np.tanh(scipy.stats.norm.ppf((1 + confidence) / 2) / np.sqrt(n - 3)))


@pytest.mark.slow
@pytest.mark.parametrize(("asked", "share"), [(1, 1.0), (2, 0.5), (4, 0.25)])
def test_several_metrics_are_judged_at_5_percent_of_all_together(asked: int, share: float) -> None:
    """Bonferroni's level: a correlation just within it is open, one just beyond decides."""
    names = ("precision", "recall", "inception_score", "is_glyphs_cnn")[:asked]
    limit = low_at(1 - 0.05 * share)
    for r, verdict in ((limit - 0.003, UNDECIDED), (limit + 0.003, SUPPORTED)):
        found = other_metrics(Evidence(others={name: with_correlation(r) for name in names}))
        assert found[0] == verdict
        worse = other_metrics(Evidence(others={name: with_correlation(-r) for name in names}))
        assert worse[0] == (CONTRADICTED if verdict == SUPPORTED else UNDECIDED)
        down = other_metrics(Evidence(others={"sfid": with_correlation(-r), **{
            name: with_correlation(r) for name in names[1:]}}))  # fmt: skip
        assert down[0] == verdict


@pytest.mark.slow
def test_a_metric_without_models_does_not_silence_the_next() -> None:
    others = {"precision": rows(1).iloc[:2], "recall": with_correlation(0.9)}
    verdict, words = other_metrics(Evidence(others=others))
    low, high = (np.tanh(np.arctanh(0.9) + s * 2.241403 / np.sqrt(5)) for s in (-1, 1))
    assert (verdict, words) == (
        SUPPORTED,
        f"Pearson with log Gflops: Rec. 0.90 ({low:.2f} to {high:.2f}); not measured: sFID, IS",
    )
    both = {**others, "sfid": with_correlation(-0.96)}
    assert "), sFID -0.960 (" in other_metrics(Evidence(others=both))[1]
    losses = pd.concat([rows(-1).iloc[:2].assign(step=5), rows(-1, 0.01).assign(step=10)]).rename(
        columns={"value": "loss"}
    )
    verdict, words = loss(Evidence(losses=losses))
    assert verdict == SUPPORTED and words.startswith("Spearman of loss and Gflops -1.000 (")
    assert words.count(") at step 10") == 3  # each with its interval
    # Of precision there are too few models to compare; class score over FID is judged all the same.
    some = {"precision": rows(1).iloc[:2], "inception_score": rows(1, 0.05)}
    verdict, words = benefit_most(Evidence(final=rows(-1, 5.0, 3), others=some))
    assert verdict == SUPPORTED and ": IS over FID" in words


@pytest.mark.parametrize(
    ("order", "rho", "verdict"),
    [
        ((7, 6, 5, 3, 2, 1, 4, 0), -0.857, SUPPORTED),  # 2.45 standard errors
        ((7, 5, 4, 3, 6, 2, 0, 1), -0.833, UNDECIDED),  # 2.31
    ],
)
def test_the_loss_is_judged_at_5_percent_of_its_three_stages(
    order: tuple[int, ...], rho: float, verdict: str
) -> None:
    """Two-sided 5 % of three together ask for 2.394 standard errors."""

    def at(values: list[float]) -> str:
        frame = pd.DataFrame({"label": list("abcdefgh"), "gflops": GFLOPS, "loss": values})
        return loss(Evidence(losses=frame.assign(step=1)))[0]

    assert np.corrcoef(order, range(8))[0, 1] == pytest.approx(rho, abs=0.001)
    assert at([float(v) for v in order]) == verdict
    turned = at([-float(v) for v in order])
    assert turned == (CONTRADICTED if verdict == SUPPORTED else UNDECIDED)


def test_pairs_of_metrics_are_judged_at_5_percent_of_all_pairs() -> None:
    one = rows(-1, 2.0, 1)
    others = {"sfid": rows(-1, 3.0, 2), "precision": rows(1, 1.0, 3), "recall": rows(1, 2.0, 4),
              "inception_score": rows(1, 1.5, 5)}  # fmt: skip
    _, words = benefit_most(Evidence(final=one, others=others))
    said = words.partition(": ")[2].split(", ")
    assert len(said) == 6
    for strong, title in (("inception_score", "IS"), ("precision", "Prec.")):
        for weak, name in ((one, "FID"), (others["sfid"], "sFID"), (others["recall"], "Rec.")):
            gap = compare_correlations(GFLOPS, others[strong]["value"], weak["value"], 1 - 0.05 / 6)
            told = f"{title} over {name} {gap.value:+.2f} ({gap.low:.2f} to {gap.high:.2f})"
            assert told in said


def test_two_models_have_no_correlation() -> None:
    verdict, words = other_metrics(Evidence(others={"precision": rows(1).iloc[:2]}))
    assert verdict == UNDECIDED and "no other metrics of three models" in words


def test_other_block_designs_are_not_of_the_series() -> None:
    main = rows(1, 0.1).assign(block="adaln-zero")
    other = rows(-50).assign(block="in-context")
    found = other_metrics(Evidence(others={"precision": pd.concat([main, other])}))
    assert found == other_metrics(Evidence(others={"precision": main}))


def test_other_block_designs_do_not_tell_which_metric_benefits_most() -> None:
    def with_blocks(main: pd.DataFrame, other: float) -> pd.DataFrame:
        theirs = rows(other).assign(block="in-context", label=main["label"] + " in-context")
        return pd.concat([main.assign(block="adaln-zero"), theirs])

    fid, score = rows(-1, 5.0, 3), rows(1, 0.05)
    alone = benefit_most(Evidence(final=fid, others={"inception_score": score}))
    beside = benefit_most(
        Evidence(
            final=with_blocks(fid, -50.0), others={"inception_score": with_blocks(score, -50.0)}
        )
    )
    assert alone[0] == SUPPORTED and beside == alone


@pytest.mark.slow
def test_noise_in_four_metrics_is_called_a_trend_one_time_in_twenty() -> None:
    draws, wrong = 30, 0
    names = ("sfid", "inception_score", "precision", "recall")
    for k in range(draws):
        others = {name: rows(0, 1, 10 * k + i) for i, name in enumerate(names)}
        _, words = other_metrics(Evidence(others=others))
        limits = [part.rstrip(")").split("(")[1].split(" to ") for part in words.split(", ")]
        wrong += any(float(low) > 0 or float(high) < 0 for low, high in limits)
    assert wrong <= 6  # of 30 at 5 %: more is one in a thousand


def test_which_metric_benefits_most_is_judged_by_all_pairs() -> None:
    strong = {"inception_score": rows(1, 0.05), "precision": rows(1, 0.05, 1)}
    weak = {"recall": rows(1, 5.0, 2)}
    verdict, words = benefit_most(Evidence(final=rows(-1, 5.0, 3), others={**strong, **weak}))
    assert verdict == SUPPORTED
    assert "IS over FID" in words and "Prec. over Rec." in words and words.count(" over ") == 4
    turned = {"inception_score": rows(1, 5.0, 2), "recall": rows(1, 0.05)}
    assert benefit_most(Evidence(final=rows(-1, 0.05), others=turned))[0] == CONTRADICTED
    one = {
        "inception_score": rows(1, 0.05),
        "precision": rows(1, 5.0, 4),
    }  # the first alone is sure
    assert benefit_most(Evidence(final=rows(-1, 5.0, 3), others=one))[0] == UNDECIDED
    some = {"precision": rows(1).iloc[:2], **turned}  # of precision there are too few models
    mixed = benefit_most(Evidence(final=rows(-1, 5.0, 4), others=some))
    assert mixed[0] == CONTRADICTED and mixed[1].count(" over ") == 2
    same = {"inception_score": rows(1, 1.0, 4), "recall": rows(1, 1.0, 5)}
    assert benefit_most(Evidence(final=rows(-1, 1.0, 6), others=same))[0] == UNDECIDED
    assert "needed" in benefit_most(Evidence(others={"recall": rows(1)}))[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("turned", "verdict"), [(None, SUPPORTED), (3, SUPPORTED), (1, UNDECIDED), (0, CONTRADICTED)]
)
def test_the_loss_is_judged_at_the_first_the_middle_and_the_last_milestone(
    turned: int | None, verdict: str
) -> None:
    """One milestone has the opposite trend (0 and 1: or none); the fourth of five is not asked."""
    steps = (10, 20, 30, 40, 50)
    slopes = [-1.0] * 5
    if turned is not None:
        slopes[{0: 0, 1: 2, 3: 3}[turned]] = 0.0 if turned == 1 else 1.0
    parts = [rows(slope, 1.0 if slope == 0 else 0.01, 7) for slope in slopes]
    losses = pd.concat(
        part.rename(columns={"value": "loss"}).assign(step=step)
        for part, step in zip(parts, steps, strict=True)
    )
    found, words = loss(Evidence(losses=losses))
    assert found == verdict
    assert [part.split("step ")[1] for part in words.split(", ")] == ["10", "30", "50"]


def test_four_models_in_order_by_chance_are_not_called_a_trend() -> None:
    """One time in twelve noise orders four models: their rank correlation is 1 and open."""
    four = rows(-1).iloc[::2].rename(columns={"value": "loss"}).assign(step=5)
    assert len(four) == 4 and loss(Evidence(losses=four))[0] == UNDECIDED


def test_losses_of_too_few_models_decide_nothing() -> None:
    assert "no training losses" in loss(Evidence())[1]
    two = rows(-1).iloc[:2].rename(columns={"value": "loss"}).assign(step=5)
    assert "no training step" in loss(Evidence(losses=two))[1]
