"""diffusers' configurations and names, without its files: what is a DiT, and what is not."""

from __future__ import annotations

from dataclasses import asdict

import pytest
import torch

from harness.errors import BadInput
from harness.models import build, diffusers_format
from harness.models.checkpoint import architecture_of, read_checkpoint

SMALL = {"depth": 2, "width": 24, "heads": 4, "patch_size": 2, "input_size": 6, "num_classes": 7}


@pytest.fixture
def model(randomised):
    return randomised(build(**SMALL))


@pytest.fixture
def theirs(model) -> dict[str, torch.Tensor]:
    return dict(diffusers_format.to_diffusers(model).state_dict())


def test_names_there_and_back_are_ours_bit_for_bit(model, theirs):
    assert diffusers_format.recognises(theirs)
    assert not diffusers_format.recognises(model.state_dict())
    back = diffusers_format.to_official(theirs, 6, "x")
    ours = model.state_dict()
    assert set(back) == set(ours)
    assert all(torch.equal(back[name], ours[name]) for name in ours)


def test_queries_keys_and_values_are_merged_in_their_order(model, theirs):
    parts = [theirs[f"transformer_blocks.1.attn1.to_{part}.weight"] for part in "qkv"]
    assert torch.equal(torch.cat(parts), model.blocks[1].attn.qkv.weight)
    assert not torch.equal(parts[0], parts[1])


def test_a_state_that_is_not_whole_is_refused_by_the_tensors_name(theirs):
    lacking = {k: v for k, v in theirs.items() if not k.endswith("blocks.1.attn1.to_k.weight")}
    with pytest.raises(BadInput, match=r"x is not a whole .*: missing .*blocks\.1\.attn1\.to_k"):
        diffusers_format.to_official(lacking, 6, "x")
    with pytest.raises(BadInput, match="x has tensors no DiT has: more"):
        diffusers_format.to_official({**theirs, "more": torch.zeros(1)}, 6, "x")
    with pytest.raises(BadInput, match=r"config\.json must lie beside the weights"):
        diffusers_format.to_official(theirs, None, "x")


def test_its_own_configuration_is_a_dits_and_has_no_notes(model):
    config = diffusers_format.config(model)
    assert diffusers_format.ignored(config, "x") == ()
    diffusers_format.check_shape(config, asdict(architecture_of(model)), "x")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"activation_fn": "geglu"}, "activation_fn is 'geglu', a DiT's is gelu-approximate"),
        ({"norm_type": "layer_norm"}, "norm_type is 'layer_norm'"),
        ({"attention_bias": False}, "attention_bias is False"),
        ({"norm_eps": 0.1}, r"norm_eps is 0\.1, a DiT's is 1e-06 or 1e-05"),
        ({"out_channels": 4}, r"out_channels is 4, a DiT's is 8 \(noise and variance\)"),
        ({"_class_name": "UNet2DModel"}, "x is of UNet2DModel, not of DiTTransformer2DModel"),
    ],
)
def test_a_configuration_of_another_network_is_refused(model, change, said):
    with pytest.raises(BadInput, match=said):
        diffusers_format.ignored({**diffusers_format.config(model), **change}, "x")
    with pytest.raises(BadInput, match="no configuration but a list"):
        diffusers_format.ignored([], "x")  # type: ignore[arg-type]


def test_what_makes_no_difference_is_noted(model):
    config = {**diffusers_format.config(model), "dropout": 0.1, "_diffusers_version": "0.1"}
    assert diffusers_format.ignored(config, "x") == ("x: ignored: dropout 0.1",)
    notes = diffusers_format.ignored({**config, "norm_eps": 1e-5}, "x")
    assert notes[-1] == "x: norm_eps is 1e-05, a DiT's 1e-06 is used"


@pytest.mark.parametrize(
    ("saved", "said"),
    [
        ({}, None),
        ({"variant": "fp16"}, "the weights of the variant 'fp16', rounded to half precision"),
        ({"max_shard_size": "20KB"}, None),
        ({"max_shard_size": "20KB", "variant": "non_ema"}, "'non_ema', which are not averaged"),
        ({"max_shard_size": "20KB", "safe_serialization": False}, None),
    ],
    ids=("whole", "variant", "parts", "parts of a variant", "pickled parts"),
)
def test_folders_in_parts_and_variants_are_read(model, saved, said, tmp_path):
    diffusers_format.to_diffusers(model).save_pretrained(tmp_path / "transformer", **saved)
    found = read_checkpoint(tmp_path)  # a pipeline's
    ours = model.state_dict()
    assert all(torch.equal(t, ours[name]) for name, t in found.model.state_dict().items())
    assert ("variant" in " ".join(found.notes)) == (said is not None)
    assert said is None or said in found.notes[0]
    if "max_shard_size" not in saved:
        return
    assert found.weights.endswith(" files")
    index = next((tmp_path / "transformer").glob("*.index*.json"))
    assert read_checkpoint(index).weights == found.weights
    part = next((tmp_path / "transformer").glob("*-00002-of-*"))
    with pytest.raises(BadInput, match=r"is part 2 of \d+ of a checkpoint: give the folder"):
        read_checkpoint(part)
    part.unlink()
    with pytest.raises(BadInput, match=r"1 of them are not there .*: copy the whole folder"):
        read_checkpoint(tmp_path)


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("num_layers", 3, "num_layers is 3"),
        ("patch_size", 4, "patch_size is 4"),
        ("in_channels", 3, "in_channels is 3"),
        ("num_embeds_ada_norm", 1000, "num_embeds_ada_norm is 1000"),
        ("attention_head_dim", 8, "num_attention_heads x attention_head_dim is 32"),
    ],
)
def test_a_configuration_of_other_weights_is_refused(model, field, value, named):
    config = {**diffusers_format.config(model), field: value}
    with pytest.raises(BadInput, match=f"{named}, and the weights beside it have"):
        diffusers_format.check_shape(config, asdict(architecture_of(model)), "x")


def test_what_a_configuration_leaves_out_is_not_compared(model):
    diffusers_format.check_shape({}, asdict(architecture_of(model)), "x")


def test_correcting_the_frequencies_makes_the_outputs_equal(model):
    transformer = diffusers_format.to_diffusers(model)
    x, t, y = torch.randn(2, 4, 6, 6), torch.tensor([5, 800]), torch.tensor([0, 7])
    with torch.no_grad():
        expected = model.eval()(x, t, y)
        before = transformer(x, timestep=t, class_labels=y).sample
        diffusers_format.correct_frequencies(transformer)
        after = transformer(x, timestep=t, class_labels=y).sample
    torch.testing.assert_close(after, expected, rtol=1e-4, atol=1e-5)
    assert (before - expected).norm() > 10 * (after - expected).norm()
