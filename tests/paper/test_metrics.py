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


def all_four(**instead: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Every metric that the claim names, each surely better with compute, but for what is given."""
    better = {"sfid": rows(-1, 0.1), "inception_score": rows(1, 0.1)}
    return {**better, "precision": rows(1, 0.1), "recall": rows(1, 0.1), **instead}


@pytest.mark.slow
def test_the_sign_that_means_better_supports_and_the_other_contradicts() -> None:
    verdict, words = other_metrics(Evidence(others=all_four()))
    assert verdict == SUPPORTED and ": sFID -1.000 (" in words and "Prec. 1.000 (" in words
    worse = all_four(recall=rows(-1, 0.1))
    assert other_metrics(Evidence(others=worse))[0] == CONTRADICTED
    open_ = all_four(recall=rows(0, 1.0))
    assert other_metrics(Evidence(others=open_))[0] == UNDECIDED


@pytest.mark.slow
def test_a_claim_about_four_metrics_is_undecided_while_some_of_them_lack() -> None:
    names = {"sfid": "sFID", "inception_score": "IS", "precision": "precision", "recall": "recall"}
    for lacking, title in names.items():
        some = {name: frame for name, frame in all_four().items() if name != lacking}
        verdict, said = other_metrics(Evidence(others=some))
        assert verdict == UNDECIDED and said.endswith(f"; not measured: {title}")
        verdict, said = other_metrics(Evidence(others={**some, lacking: rows(1).iloc[:2]}))
        assert verdict == UNDECIDED and said.endswith(f"; of too few models: {title}")
    # One of them that surely gets worse decides it against the claim, whatever lacks.
    verdict, said = other_metrics(Evidence(others={"recall": rows(-1, 0.1)}))
    assert verdict == CONTRADICTED and said.endswith("; not measured: sFID, IS, precision")


def test_the_metric_that_a_study_is_judged_by_may_be_one_of_the_four() -> None:
    others = all_four()
    final = others.pop("recall")
    assert other_metrics(Evidence(metric="recall", final=final, others=others))[0] == SUPPORTED


@pytest.mark.parametrize(
    ("slope", "noise", "verdict"),
    [(-1, 0.1, SUPPORTED), (0, 1.0, UNDECIDED), (1, 0.1, CONTRADICTED)],
)
def test_of_a_distance_less_is_better(slope: float, noise: float, verdict: str) -> None:
    assert other_metrics(Evidence(others=all_four(sfid=rows(slope, noise))))[0] == verdict


def test_other_extractors_metrics_are_of_the_same_kinds_and_kid_is_not_asked_for() -> None:
    others = all_four()
    others["is_glyphs_cnn"] = others.pop("inception_score")
    assert other_metrics(Evidence(others=others))[0] == SUPPORTED
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
@pytest.mark.parametrize("asked", [1, 2, 4])
def test_several_metrics_are_judged_at_5_percent_of_all_together(asked: int) -> None:
    """Bonferroni's level: a correlation just within it is open, one just beyond decides.

    Fewer than four decide against the claim alone: it is about all four.
    """
    names = ("precision", "recall", "inception_score", "sfid")[:asked]
    limit = low_at(1 - 0.05 / asked)

    def judged(r: float) -> str:
        sign = {name: -1 if name == "sfid" else 1 for name in names}
        others = {name: with_correlation(sign[name] * r) for name in names}
        return other_metrics(Evidence(others=others))[0]

    assert judged(-(limit - 0.003)) == UNDECIDED and judged(-(limit + 0.003)) == CONTRADICTED
    assert judged(limit - 0.003) == UNDECIDED
    assert judged(limit + 0.003) == (SUPPORTED if asked == 4 else UNDECIDED)


@pytest.mark.slow
def test_a_metric_without_models_does_not_silence_the_next() -> None:
    others = {"precision": rows(1).iloc[:2], "recall": with_correlation(0.9)}
    verdict, words = other_metrics(Evidence(others=others))
    low, high = (np.tanh(np.arctanh(0.9) + s * 2.241403 / np.sqrt(5)) for s in (-1, 1))
    assert (verdict, words) == (
        UNDECIDED,
        f"Pearson with log Gflops: Rec. 0.90 ({low:.2f} to {high:.2f}); not measured: sFID, IS; "
        "of too few models: precision",
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
    assert verdict == UNDECIDED and ": IS over FID" in words
    assert words.endswith("; not measured: sFID, recall; of too few models: precision")


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


def most() -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """FID and the others, of which class score and precision surely follow compute more closely."""
    strong = {"inception_score": rows(1, 0.05), "precision": rows(1, 0.05, 1)}
    weak = {"sfid": rows(-1, 5.0, 4), "recall": rows(1, 5.0, 2)}
    return rows(-1, 5.0, 3), {**strong, **weak}


def test_other_block_designs_do_not_tell_which_metric_benefits_most() -> None:
    def with_blocks(main: pd.DataFrame) -> pd.DataFrame:
        theirs = rows(-50.0).assign(block="in-context", label=main["label"] + " in-context")
        return pd.concat([main.assign(block="adaln-zero"), theirs])

    fid, others = most()
    alone = benefit_most(Evidence(final=fid, others=others))
    beside = benefit_most(
        Evidence(
            final=with_blocks(fid), others={name: with_blocks(own) for name, own in others.items()}
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
    fid, others = most()
    verdict, words = benefit_most(Evidence(final=fid, others=others))
    assert verdict == SUPPORTED
    assert "IS over FID" in words and "Prec. over Rec." in words and words.count(" over ") == 6
    for lacking, title in {"sfid": "sFID", "recall": "recall", "precision": "precision"}.items():
        some = {name: own for name, own in others.items() if name != lacking}
        verdict, words = benefit_most(Evidence(final=fid, others=some))
        assert verdict == UNDECIDED and words.endswith(f"; not measured: {title}")
    of_others = {**others, "recall": others["recall"].assign(label=[f"n{k}" for k in range(8)])}
    verdict, words = benefit_most(Evidence(final=fid, others=of_others))  # of no model in common
    assert verdict == UNDECIDED and words.endswith("; of too few models: recall")
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
