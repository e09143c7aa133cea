"""The numbers of the paper's text beside records of the same setting."""

from __future__ import annotations

import pandas as pd
import pytest

from harness import paper
from harness.errors import BadInput
from harness.paper.evidence import Evidence, papers_evidence
from harness.paper.numbers import decide_numbers
from harness.store.tables import METRICS


def records(value, std, **changes):
    row = {
        "metric": "fid", "value": value, "std": std, "of": "samples", "model": "DiT-XL/2",
        "size": "XL", "patch_size": 2, "family": "DiT", "block": "adaln-zero", "run": "r",
        "gflops": 118.64, "seed": 0, "step": 400_000, "samples": 10_000, "sampling_steps": 128,
        "guidance_scale": 1.0, "image_size": 256, "reference_sha256": "r", **changes,
    }  # fmt: skip
    return pd.DataFrame([row], columns=[c.name for c in METRICS])


def of(name, metrics, evidence=None):
    found = {v.id: v for v in decide_numbers(evidence or Evidence(), metrics)}
    assert list(found) == [r["id"] for r in paper.table("claims")]
    return found[name]


@pytest.mark.parametrize(
    ("value", "std", "verdict"),
    [(23.8, 0.2, "supported"), (30.0, 0.2, "contradicted"), (24.5, 3.0, "undecided"),
     (23.7, None, "undecided")],
)  # fmt: skip
def test_a_measured_number_is_judged_by_its_interval(value, std, verdict):
    assert of("sampling-xl2-128-fid10k", records(value, std)).verdict == verdict


def test_a_number_of_another_setting_is_not_this_number():
    for change in ({"samples": 5000}, {"sampling_steps": 64}, {"step": 200_000}):
        assert not of("sampling-xl2-128-fid10k", records(23.7, 0.1, **change)).decidable
    assert not of("cfg-3ch-1.5", records(2.27, 0.01)).decidable


def test_counts_agree_to_the_last_digit():
    final = records(1.0, 0.1)
    assert of("sampling-xl2-128-tflops", None, Evidence(final=final)).verdict == "supported"
    other = final.assign(gflops=120.0)
    assert of("sampling-xl2-128-tflops", None, Evidence(final=other)).verdict == "contradicted"


def test_the_papers_own_tables_hold_some_of_them():
    own = papers_evidence()
    for name in ("sampling-l2-1000-tflops", "sampling-xl2-128-tflops", "cfg-3ch-1.5"):
        assert of(name, None, own).verdict == "agrees, spread not published"
    assert not of("tpu-throughput", None, own).decidable


def test_an_unknown_claim_is_refused_by_name():
    with pytest.raises(BadInput, match="unknown claim 'bigger-helps'"):
        paper.chosen_ids(["bigger-helps"])
    assert len(paper.chosen_ids(None)) == 32


def test_a_definition_is_no_finding():
    rows = pd.DataFrame({"train_gflops": [3 * 6.0 * 256 * 100], "gflops": [6.0],
                         "batch_size": [256], "step": [100], "value": [50.0]})  # fmt: skip
    said = of("compute-factor", pd.DataFrame(), Evidence(curves=rows))
    assert not said.decidable and "definition" in said.numbers
    third = rows.assign(train_gflops=rows["train_gflops"] / 3)
    other = of("compute-factor", pd.DataFrame(), Evidence(curves=third))
    assert other.verdict == "contradicted" and other.numbers == "1"
