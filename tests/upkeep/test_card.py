"""A model card says what is known of a checkpoint, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import yaml

from harness.store.codec import FileEntry, Manifest
from harness.upkeep.card import card

MANIFEST = Manifest(
    "train",
    "c" * 64,
    files={"ema.safetensors": FileEntry(1, "f" * 64)},
    facts={
        "architecture": {"channels": 4, "num_classes": 1000},
        "columns": {
            "model": "DiT-S/2",
            "block": "adaln-zero",
            "depth": 12,
            "width": 384,
            "heads": 6,
            "input_size": 32,
            "params": 32_956_832,
            "gflops": 6.06,
            "data": "imagenet",
            "step": 400_000,
            "recipe": {"ema": 0.9999, "grad_clip": None, "flip": False},
        },
    },
    provenance={"harness": "0.1.0", "commit": None, "host": "secret-node", "torch": "2.15"},
)
MEASURED = {
    "metric": "fid",
    "value": 68.4,
    "of": "samples",
    "samples": 50_000,
    "sampler": "ancestral",
    "sampling_steps": 250,
    "extractor": "inception-2015",
    "extractor_sha256": "a" * 64,
    "floor": 1.25,
}


def test_it_says_what_is_known() -> None:
    text = card(MANIFEST, [MEASURED], "out", "diffusers")
    assert "| fid | 68.4 |  | 1.25 | 50,000 | ancestral, 250 steps |" in text
    assert "inception-2015 aaaaaaaaaaaa" in text
    assert "32,956,832" in text and "32 x 32 x 4" in text and "| ema | 0.9999 |" in text
    assert "| flip | no |" in text
    assert "c" * 64 in text and "f" * 64 in text
    assert 'from_pretrained("out"' in text and "downscale_freq_shift = 0" in text


def test_what_is_not_known_is_left_out() -> None:
    text = card(MANIFEST, [], "out.pt", "official")
    assert "Nothing was measured" in text
    for absent in ("None", "nan", "grad clip", "commit", "patch size", "learning rate"):
        assert absent not in text, absent
    bare = replace(MANIFEST, facts={"columns": {}, "architecture": {}}, provenance={})
    assert "# a diffusion transformer" in card(bare, [], "out.pt", "official")


def test_the_machine_is_nobodys_business() -> None:
    assert "secret-node" not in card(MANIFEST, [MEASURED], "out", "diffusers")


def test_floors_are_not_the_models() -> None:
    text = card(MANIFEST, [{**MEASURED, "of": "floor"}], "out", "diffusers")
    assert "Nothing was measured" in text


def test_its_head_can_be_read() -> None:
    _, head, body = card(MANIFEST, [], "out", "diffusers").split("---\n", 2)
    assert yaml.safe_load(head)["datasets"] == ["imagenet"]
    assert "pipeline_tag" not in head, "a model of a thousand classes is not unconditional"
    facts = {**MANIFEST.facts, "architecture": {"channels": 4, "num_classes": 0}}
    without = card(replace(MANIFEST, facts=facts), [], "out", "diffusers")
    assert "pipeline_tag: unconditional-image-generation" in without
    assert body.lstrip().startswith("# DiT-S/2, 400,000 steps")
