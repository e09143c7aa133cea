"""Evidence is one metric, one protocol, one reference of a study's records."""

from __future__ import annotations

import pandas as pd
import pytest

from harness.paper.claims import decide_all
from harness.paper.evidence import Evidence, adaln_zero, evidence
from harness.store.tables import METRICS

NAMES = [c.name for c in METRICS]


def records(**changes):
    rows = [
        {
            "metric": metric, "value": value, "std": 0.1, "of": "samples", "model": f"DiT-{size}/4",
            "size": size, "patch_size": 4, "family": "DiT", "block": "adaln-zero", "run": size,
            "gflops": gflops, "params": 1e6 * gflops, "seed": 0, "step": step, "samples": 1000,
            "train_gflops": gflops * step, "sampling_steps": 50, "sampling_gflops": 50 * gflops,
            "guidance_scale": 1.0, "sampler": "ancestral", "reference_sha256": "r", **changes,
        }
        for size, gflops in (("S", 1.4), ("B", 5.6), ("L", 19.7))
        for step in (100, 200)
        for metric, value in (("fid", 90 / gflops), ("precision", 0.1 * gflops**0.3))
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=NAMES)


@pytest.mark.slow
def test_records_become_evidence_that_claims_are_decided_from():
    losses = pd.DataFrame({"run": list("SBL"), "model": "m", "step": 100, "loss": [3.0, 2.0, 1.0]})
    found = evidence(records(), losses)
    assert found.metric == "fid" and len(found.final) == 3 and not found.published
    assert len(found.curves) == 6 and set(found.others) == {"precision"}
    assert sorted(found.losses["gflops"]) == [1.4, 5.6, 19.7] and len(found.sweep) == 0
    verdicts = {v.id: v.verdict for v in decide_all(found)}
    assert verdicts["size-helps"] == "supported" and verdicts["patch-helps"] == "undecided"


@pytest.mark.slow
def test_the_losses_are_of_the_main_series() -> None:
    """An in-context model has more Gflops than adaLN-Zero's, and learns worse: another question."""
    other = records(block="in-context")
    other = other.assign(run=other["run"] + "-ic", gflops=other["gflops"] * 1.01)
    runs = [f"{size}{block}" for block in ("", "-ic") for size in "SBL"]
    losses = pd.DataFrame({"run": runs, "model": "m", "step": 100, "loss": [3.0, 2, 1, 9, 9, 9]})
    found = evidence(pd.concat([records(), other], ignore_index=True), losses).losses
    assert dict(zip(found["gflops"], found["loss"], strict=True)) == {1.4: 3, 5.6: 2, 19.7: 1}


def test_models_of_one_block_design_are_the_main_series_whichever_it_is() -> None:
    other = records(block="in-context")
    assert len(adaln_zero(Evidence(final=other))) == len(other)
    both = pd.concat([records(), other])
    assert set(adaln_zero(Evidence(final=both))["block"]) == {"adaln-zero"}
    assert len(adaln_zero(Evidence(final=other.drop(columns="block")))) == len(other)


@pytest.mark.slow
def test_a_run_that_was_sampled_twice_has_one_loss() -> None:
    twice = pd.concat([records(sampling_seed=seed) for seed in (0, 1)], ignore_index=True)
    losses = pd.DataFrame({"run": list("SBL"), "model": "m", "step": 100, "loss": [3.0, 2.0, 1.0]})
    assert sorted(evidence(twice, losses).losses["loss"]) == [1.0, 2.0, 3.0]
    assert len(evidence(records(), losses.iloc[:0]).losses) == 0


@pytest.mark.slow
def test_every_part_of_the_evidence_is_of_the_primary_metric() -> None:
    assert evidence(records(), pd.DataFrame()).losses.empty  # an empty table of training
    found = evidence(records(seed=0))
    both = pd.concat([records(seed=0), records(seed=1)]).reset_index(drop=True)
    both["run"] = both["run"] + both["seed"].astype(str)
    both.loc[both["seed"] == 1, "value"] += 2.0
    two = evidence(both)
    assert len(two.final) == 3  # a model's seeds are one row, their mean
    assert sorted(two.final["value"] - found.final["value"]) == pytest.approx([1.0, 1.0, 1.0])
    assert set(two.curves["step"]) == {100, 200} and len(two.finished) == 6
    renamed = records().replace({"metric": {"fid": "fd_glyphs_cnn"}})
    assert evidence(renamed).metric == "fd_glyphs_cnn"
    mixed = pd.concat([renamed, renamed.assign(reference_sha256="other")])
    assert evidence(mixed).metric == "fd_glyphs_cnn" and len(evidence(mixed).final) == 0


@pytest.mark.slow
def test_a_sweep_over_sampling_steps_is_evidence() -> None:
    sweep = pd.concat([records(sampling_steps=n) for n in (10, 50)])
    assert sorted(set(evidence(sweep).sweep["sampling_steps"])) == [10, 50]


def test_nothing_is_decided_from_nothing_or_from_several_references():
    assert len(evidence(records().iloc[:0]).final) == 0
    mixed = pd.concat([records(), records(reference_sha256="other")])
    assert len(evidence(mixed).final) == 0
