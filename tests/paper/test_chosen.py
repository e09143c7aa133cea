"""Pairs that a study names beforehand: found by label or model, decided by the sweep alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from harness.paper.chosen import Pair, compared, decide
from harness.paper.evidence import CONTRADICTED, SUPPORTED, UNDECIDED, Evidence, Verdict

STEPS = np.array([16, 64, 256, 1000])
GFLOPS = {"DiT-S/2": 6.0, "DiT-L/2": 80.7}


def sweep(ratio: float = 1.3, std: float = 0.2, **changes) -> pd.DataFrame:
    """S/2 at 50 whatever the steps, L/2 better by `ratio`."""
    rows = [
        {
            "label": model, "model": model, "gflops": gflops, "sampling_steps": steps,
            "sampling_gflops": gflops * steps, "std": std,
            "value": 50.0 / (ratio if model == "DiT-L/2" else 1.0), **changes,
        }
        for model, gflops in GFLOPS.items()
        for steps in STEPS
    ]  # fmt: skip
    return pd.DataFrame(rows)


def decide_over(asked: list[tuple[Pair, Evidence]]) -> list[Verdict]:
    """Each pair on its own evidence; one that stands there twice is compared once."""
    of = {id(e): compared([p for p, other in asked if other is e], e) for _, e in asked}
    return decide([(pair, of[id(e)]) for pair, e in asked])


def decided(rows: pd.DataFrame, smaller: str = "DiT-S/2", larger: str = "DiT-L/2", **evidence):
    (found,) = decide_over([((smaller, larger), Evidence(sweep=rows, **evidence))])
    return found


def test_the_verdict_is_whose_curve_is_ahead() -> None:
    found = decided(sweep())
    assert found.verdict == SUPPORTED and found.numbers.startswith("1.300 times better (1.2")
    assert (found.id, found.where) == ("sampling:DiT-S/2<DiT-L/2", "this study")
    pair = ("DiT-S/2", "DiT-L/2")
    assert compared([pair], Evidence(sweep=sweep())).decidable(pair)
    assert found.said == "DiT-L/2 is ahead of DiT-S/2 at equal sampling compute"
    assert decided(sweep(0.7)).verdict == CONTRADICTED
    assert decided(sweep(1.01, std=5.0)).verdict == UNDECIDED
    assert decided(sweep().drop(columns="std")).verdict == UNDECIDED  # no spread, no verdict


def test_where_more_is_better_the_higher_curve_is_ahead() -> None:
    assert decided(sweep(0.7), metric="inception_score").verdict == SUPPORTED
    assert decided(sweep(1.3), metric="inception_score").verdict == CONTRADICTED


def test_a_model_of_several_settings_is_named_by_its_label() -> None:
    other = sweep(2.0)
    other["label"] += " lr 0.1"
    both = pd.concat([sweep(), other])
    found = decided(both, "DiT-S/2", "DiT-L/2 lr 0.1")
    assert not found.decidable and "DiT-S/2 was swept in several settings" in found.numbers
    found = decided(both, "DiT-S/2 lr 0.1", "DiT-L/2 lr 0.1")
    assert found.verdict == SUPPORTED and "2.000 times better" in found.numbers


def noise(rng: np.random.Generator) -> pd.DataFrame:
    """A sweep in which neither is ahead: one error per model, which its step counts share."""
    rows = sweep(1.0, std=2.0)
    moved = {m: 2.0 * rng.normal() for m in GFLOPS}
    return rows.assign(value=rows["value"] + rows["model"].map(moved))


def test_a_pair_is_corrected_over_all_settings_that_it_is_read_in() -> None:
    """Sure at 5 % alone, and not where four more settings were asked."""
    pair = ("DiT-S/2", "DiT-L/2")
    clear, open_ = Evidence(sweep=sweep(1.12, std=2.0)), Evidence(sweep=sweep(1.0, std=2.0))
    assert decide_over([(pair, clear)])[0].verdict == SUPPORTED
    first, _ = decide_over([(pair, e) for e in (clear, open_)])
    many = [clear, *(Evidence(sweep=sweep(1.0, std=2.0)) for _ in range(4))]
    found = decide_over([(pair, e) for e in many])
    assert [v.verdict for v in found] == [UNDECIDED] * 5
    assert first.numbers != found[0].numbers  # the interval is at the corrected level
    sure = [Evidence(sweep=sweep(1.5, std=2.0)), *many[1:]]
    assert decide_over([(pair, e) for e in sure])[0].verdict == SUPPORTED
    # The same records asked for by two names are one test.
    assert decide_over([(pair, clear), (pair, clear)])[1].verdict == SUPPORTED


@pytest.mark.slow
def test_noise_in_five_settings_decides_a_pair_as_seldom_as_in_one() -> None:
    rng, draws, wrong = np.random.default_rng(0), 100, 0
    for _ in range(draws):
        asked = [(("DiT-S/2", "DiT-L/2"), Evidence(sweep=noise(rng))) for _ in range(5)]
        wrong += any(v.verdict == SUPPORTED for v in decide_over(asked))
    assert stats.binom.sf(wrong - 1, draws, 0.05) > 1e-3  # each setting by itself: 23 of 100


@pytest.mark.parametrize(
    ("rows", "smaller", "said"),
    [
        (sweep().iloc[:0], "DiT-S/2", "no sweep over sampling steps"),
        (sweep(), "DiT-B/2", "DiT-B/2 was not swept"),
        (sweep()[lambda r: (r.gflops > 7) ^ (r.sampling_steps < 100)], "DiT-S/2", "no common"),
    ],
)
def test_what_cannot_be_decided_says_why(rows: pd.DataFrame, smaller: str, said: str) -> None:
    found = decided(rows, smaller)
    assert found.verdict == UNDECIDED and not found.decidable and said in found.numbers
    pair = (smaller, "DiT-L/2")
    assert not compared([pair], Evidence(sweep=rows)).decidable(pair)


def test_a_pair_named_the_wrong_way_round_is_told() -> None:
    found = decided(sweep(), "DiT-L/2", "DiT-S/2")
    assert not found.decidable and "DiT-S/2 has no more Gflops than DiT-L/2" in found.numbers


def test_several_pairs_are_tested_together() -> None:
    parts = [sweep(std=1.0)]
    for k, ratio in enumerate((1.02, 1.01)):
        one = sweep(ratio, std=1.0)
        one[["label", "model"]] = one[["label", "model"]].replace(
            {"DiT-L/2": f"DiT-L{k}/2", "DiT-S/2": f"DiT-S{k}/2"}
        )
        parts.append(one)
    pairs = [("DiT-S/2", "DiT-L/2"), ("DiT-S0/2", "DiT-L0/2"), ("DiT-S1/2", "DiT-L1/2")]
    every = pd.concat(parts, ignore_index=True)
    evidence = Evidence(sweep=every)
    together = decide_over([(pair, evidence) for pair in (*pairs, ("DiT-S/2", "nobody"))])
    alone = [decided(every, *pair) for pair in pairs]
    low = [float(v.numbers.partition("(")[2].split()[0]) for v in (together[0], alone[0])]
    assert low[0] < low[1]  # the surest of three, by Holm
    assert together[0].verdict == alone[0].verdict == SUPPORTED
    assert not together[3].decidable and "nobody was not swept" in together[3].numbers
