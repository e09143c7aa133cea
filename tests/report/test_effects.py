"""Effects of factors, for all sections: whose level stands first, which pairs, how they turn."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from harness.report.effects import PAPERS, find, first


def rows(rates=(1e-3, 2e-3), gain=math.log(0.5), turn=0.0, seeds=(0, 1, 2), noise=0.01, **columns):
    """Three models by rates by seeds; the second rate's log ratio is `gain` at 1 Gflop."""
    rng = np.random.default_rng(0)
    made = [
        {
            "metric": "fid", "of": "samples", "model": f"DiT-{size}/2", "family": "DiT",
            "size": size, "patch_size": 2, "block": "adaln-zero", "gflops": gflops,
            "image_size": 256, "learning_rate": rate, "seed": seed, "step": 100,
            "run": f"{size}-{rate}-{seed}", "samples": 1000, "sampling_steps": 50,
            "guidance_scale": 1.0, "sampler": "ancestral",
            "value": 50 * gflops**-0.3 * math.exp(noise * rng.normal())
            * math.exp((gain + turn * math.log10(gflops)) * (rate == rates[1])),
        }
        for size, gflops in (("S", 1.0), ("B", 10.0), ("L", 100.0))
        for rate in rates
        for seed in seeds
    ]  # fmt: skip
    from harness.store.tables import METRICS

    frame = pd.DataFrame(made, columns=[c.name for c in METRICS])
    return frame.assign(**columns)


@pytest.mark.slow
def test_ratios_of_every_model_are_against_the_first_level() -> None:
    found = find([("", rows())], "fid")
    assert found.factors == ("learning_rate",)
    points = found.points
    assert set(points["factor"]) == {"lr"} and set(points["against"]) == {"0.001"}
    assert points["level"].tolist() == ["0.002"] * 3
    assert points["gflops"].tolist() == [1.0, 10.0, 100.0]
    np.testing.assert_allclose(points["ratio"], 0.5, rtol=0.05)
    assert (points["low"] < 0.5).all() and (points["high"] > 0.5).all()
    assert not found.table["part"].any() and len(found.table) == 1


@pytest.mark.slow
def test_the_papers_level_stands_first_where_it_is_one() -> None:
    found = find([("", rows((PAPERS["learning_rate"], 5e-5)))], "fid")
    assert set(found.points["against"]) == {"0.0001"}
    turned = find([("", rows((5e-5, PAPERS["learning_rate"])))], "fid")
    assert set(turned.points["against"]) == {"0.0001"}
    table = pd.DataFrame({"factor": ["x"], "level": ["b"], "against": ["a"]})
    assert first(table) == "b"  # a setting that the paper says nothing of


@pytest.mark.slow
def test_an_effect_that_turns_with_scale_is_found_with_the_corrected_level() -> None:
    found = find([("", rows(turn=0.4))], "fid")
    (turn,) = found.turns
    assert turn.models == 3 and abs(turn.slope.value) == pytest.approx(0.4, abs=0.05)
    assert not turn.slope.low <= 0 <= turn.slope.high
    (level,) = find([("", rows())], "fid").turns
    assert level.slope.low <= 0 <= level.slope.high


@pytest.mark.slow
def test_without_errors_ratios_have_no_interval_and_no_turn() -> None:
    found = find([("", rows(seeds=(0,)))], "fid")
    assert found.points["low"].isna().all() and len(found.points) == 3
    assert found.turns == ()


@pytest.mark.slow
def test_references_are_never_paired_with_one_another() -> None:
    one, two = rows((1e-3, 2e-3)), rows((1e-3, 2e-3), gain=math.log(2))
    found = find([("a", one), ("b", two)], "fid")
    assert found.table["part"].tolist() == ["a", "b"]
    ratios = found.points["ratio"].to_numpy()
    np.testing.assert_allclose(ratios[:3], 0.5, rtol=0.05)
    np.testing.assert_allclose(ratios[3:], 2.0, rtol=0.05)


def test_a_study_of_one_recipe_has_no_effects() -> None:
    alone = find([("", rows()[lambda r: r["learning_rate"] == 1e-3])], "fid")
    assert alone.factors == () and not len(alone.points) and alone.turns == ()
    assert find([("", rows().iloc[:0])], "fid").factors == ()
