from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest
import torch
from diffusers import DiTTransformer2DModel
from safetensors import SafetensorError

from harness.errors import BadInput
from harness.models import build, export, load_checkpoint
from harness.models.diffusers_format import correct_frequencies

SMALL = {"depth": 2, "width": 24, "heads": 4, "patch_size": 2, "input_size": 6, "num_classes": 7}


@pytest.fixture
def model(randomised):
    return randomised(build(**SMALL))


@pytest.fixture
def folder(model, tmp_path):
    export(model, tmp_path / "out" / "transformer", "diffusers")
    return tmp_path / "out" / "transformer"


def same(first, second) -> bool:
    ours, theirs = first.state_dict(), second.state_dict()
    return set(ours) == set(theirs) and all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_an_official_export_is_a_bare_state_dict_and_exact(model, tmp_path):
    done = export(model, tmp_path / "deep" / "model.pt", "official")
    state = torch.load(done.path, weights_only=True)
    assert set(state) == set(model.state_dict())
    assert done.difference == 0
    assert same(load_checkpoint(done.path, heads=4), model)


def test_the_reference_implementations_weights_survive_a_round_trip(golden_state, tmp_path):
    model = load_checkpoint(golden_state, heads=4)
    export(model, tmp_path / "model.pt", "official")
    again = torch.load(tmp_path / "model.pt", weights_only=True)
    assert set(again) == set(golden_state)
    assert all(torch.equal(again[name], golden_state[name]) for name in again)


def test_diffusers_loads_its_export_and_comes_back_bit_for_bit(model, folder):
    transformer, info = DiTTransformer2DModel.from_pretrained(
        folder, output_loading_info=True, low_cpu_mem_usage=False
    )
    assert not any(info[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert transformer.config.num_attention_heads == 4
    assert same(load_checkpoint(folder), model)
    assert same(load_checkpoint(folder.parent), model)  # a pipeline's folder
    assert load_checkpoint(folder).heads == 4


def test_a_diffusers_export_owns_an_embedder_per_block(model, folder):
    transformer = DiTTransformer2DModel.from_pretrained(folder, low_cpu_mem_usage=False)
    for block in transformer.transformer_blocks:
        table = block.norm1.emb.class_embedder.embedding_table.weight
        assert torch.equal(table, model.y_embedder.embedding_table.weight)


def test_the_difference_is_measured_and_the_frequencies_explain_it(model, tmp_path):
    done = export(model, tmp_path / "transformer", "diffusers")
    assert done.difference > 1e-3
    assert done.difference_corrected < 1e-5
    assert "downscale_freq_shift = 0" in str(done)
    assert f"{done.difference:.2g}" in str(done)
    transformer = DiTTransformer2DModel.from_pretrained(done.path, low_cpu_mem_usage=False).eval()
    x, t, y = torch.randn(2, 4, 6, 6), torch.tensor([5, 800]), torch.tensor([0, 7])
    with torch.no_grad():
        expected = model(x, t, y)
        plain = transformer(x, timestep=t, class_labels=y).sample
        correct_frequencies(transformer)
        corrected = transformer(x, timestep=t, class_labels=y).sample
    assert (plain - expected).norm() > 1e-3 * expected.norm()
    torch.testing.assert_close(corrected, expected, rtol=1e-4, atol=1e-5)


def test_a_diffusers_model_with_unequal_embedders_is_no_dit(folder):
    transformer = DiTTransformer2DModel.from_pretrained(folder, low_cpu_mem_usage=False)
    with torch.no_grad():
        transformer.transformer_blocks[1].norm1.emb.timestep_embedder.linear_2.bias.add_(1)
    transformer.save_pretrained(folder)
    with pytest.raises(BadInput, match=r"blocks\.1\..*linear_2\.bias differs from block 0"):
        load_checkpoint(folder)


def test_diffusers_weights_without_their_configuration_are_refused(folder):
    (folder / "config.json").unlink()
    with pytest.raises(BadInput, match=r"config\.json must lie beside"):
        load_checkpoint(folder, heads=4)


def test_missing_and_extra_diffusers_tensors_are_named(folder):
    transformer = DiTTransformer2DModel.from_pretrained(folder, low_cpu_mem_usage=False)
    state = transformer.state_dict()
    with pytest.raises(BadInput, match="no DiT has: surprise"):
        load_checkpoint({**state, "surprise": torch.zeros(1)}, heads=4)
    del state["transformer_blocks.1.attn1.to_k.bias"]
    with pytest.raises(BadInput, match=r"missing transformer_blocks\.1\.attn1\.to_k\.bias"):
        load_checkpoint(state, heads=4)


def test_a_configuration_of_another_size_is_refused(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "num_attention_heads": 5}))
    with pytest.raises(BadInput, match="not divisible by 5 heads"):
        load_checkpoint(folder)


@pytest.mark.parametrize("block", ["adaln", "cross-attention", "in-context"])
def test_designs_that_diffusers_lacks_are_refused_there_and_written_officially(block, tmp_path):
    model = build(**SMALL, block=block)
    with pytest.raises(BadInput, match=f"this model is {block}"):
        export(model, tmp_path / "transformer", "diffusers")
    assert export(model, tmp_path / "model.pt").difference == 0


def test_an_unknown_format_or_a_path_in_use_is_refused(model, tmp_path):
    with pytest.raises(BadInput, match="official, diffusers"):
        export(model, tmp_path / "model.onnx", "onnx")
    (tmp_path / "model.pt").write_text("precious")
    with pytest.raises(BadInput, match="exists already"):
        export(model, tmp_path / "model.pt")
    assert (tmp_path / "model.pt").read_text() == "precious"


def test_a_full_disk_leaves_nothing_that_looks_like_a_checkpoint(model, tmp_path, monkeypatch):
    from diffusers import ModelMixin

    def saved(self, folder, **given):
        Path(folder).mkdir()
        (Path(folder) / "config.json").write_text("{}")
        raise SafetensorError("Error while serializing: I/O error: No space left on device")

    def full(state, file):
        try:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finally:  # as torch's writer does when it closes
            file.write(b"half")
            raise RuntimeError("unexpected pos 64 vs 4")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(BadInput, match=r"model\.pt cannot be written: No space left on device"):
        export(model, tmp_path / "model.pt")
    monkeypatch.setattr(ModelMixin, "save_pretrained", saved)
    with pytest.raises(BadInput, match=r"theirs cannot be written: .*No space left on device"):
        export(model, tmp_path / "theirs", "diffusers")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"out_channels": 4}, "noise and variance, 8 channels.* has 4"),
        ({"num_classes": 0}, "uncon"),
    ],
)
def test_what_diffusers_cannot_hold_is_written_officially(change, said, tmp_path):
    """A model of the flow objective, and one without labels."""
    model = build(**{**SMALL, "channels": 4, **change})
    done = export(model, tmp_path / "model.pt")
    assert done.difference == 0 and done.path.exists()
    with pytest.raises(BadInput, match=said):
        export(model, tmp_path / "transformer", "diffusers")
    assert not (tmp_path / "transformer").exists()
