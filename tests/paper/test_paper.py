"""The paper's tables read as numbers, and agree with what the paper says of itself."""

from __future__ import annotations

import pytest

from harness import paper
from harness.errors import BadInput


def test_every_table_reads_and_has_rows():
    counts = {name: len(paper.table(name)) for name in paper.TABLES}
    assert counts == {
        "table1_configs": 4,
        "table2_imagenet256": 15,
        "table3_models": 19,
        "table4_decoders": 3,
        "table5_unets": 7,
        "claims": 12,
        "claims_text": 20,
    }


def test_numbers_are_numbers_and_empty_cells_are_none():
    cdm = next(r for r in paper.table("table2_imagenet256") if r["model"] == "CDM")
    assert cdm["fid"] == 4.88 and cdm["sfid"] is None and cdm["recall"] is None
    assert all(isinstance(r["params_m"], int) for r in paper.table("table3_models"))
    assert all(r["learning_rate"] == 1e-4 for r in paper.table("table3_models"))


def test_the_total_of_a_two_part_unet_is_the_sum_of_its_parts():
    for row in paper.table("table5_unets"):
        assert row["total_gflops"] == row["base_gflops"] + (row["upsampler_gflops"] or 0)


def test_a_model_is_found_by_name_block_and_training():
    assert paper.model("DiT-XL/2")["fid50k_no_guidance"] == 19.47
    assert paper.model("DiT-XL/2", block="in-context")["fid50k_no_guidance"] == 35.24
    assert paper.model("DiT-XL/2", image_size=512, train_steps_k=3000)["gflops"] == 524.6
    assert paper.model("DiT-XXL/2") is None


def test_claims_are_found_by_id_and_unknown_names_are_refused():
    assert paper.claim("compute-factor") == 3
    assert paper.claim("xl4-vs-xl2") == 1e10
    with pytest.raises(BadInput, match="claims:"):
        paper.claim("nothing")
    with pytest.raises(BadInput, match="tables:"):
        paper.table("table9")
