from __future__ import annotations

from dataclasses import asdict

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.models import build
from harness.models.zoo import BLOCKS, architecture

SMALL = {"depth": 3, "width": 48, "heads": 4, "patch_size": 2, "input_size": 8, "num_classes": 10}


def relative(found: torch.Tensor, expected: torch.Tensor) -> float:
    return ((found - expected).norm() / expected.norm()).item()


@pytest.fixture
def golden_model(golden_state):
    model = build(**SMALL)
    model.load_state_dict(golden_state)
    return model.eval()


@torch.no_grad()
@pytest.mark.usefixtures("golden_features")
def test_forward_agrees_with_the_reference_implementation(golden_model, golden_io):
    x, t, y = golden_io["x"], golden_io["t"], golden_io["y"]
    assert relative(golden_model(x, t, y), golden_io["out"]) < 1e-5
    found = golden_model.double()(x.double(), t, y)
    assert relative(found, golden_io["out_fp64"]) < 1e-10


@torch.no_grad()
def test_intermediate_activations_agree_with_the_reference_implementation(golden_model, golden_io):
    seen = {}
    for name in ("x_embedder", "t_embedder", "y_embedder", "final_layer"):
        getattr(golden_model, name).register_forward_hook(
            lambda module, given, out, name=name: seen.__setitem__(name, out)
        )
    for i, block in enumerate(golden_model.blocks):
        block.register_forward_hook(lambda module, given, out, i=i: seen.__setitem__(i, out))
    golden_model(golden_io["x"], golden_io["t"], golden_io["y"])
    assert relative(seen["x_embedder"] + golden_model.pos_embed, golden_io["tokens"]) < 1e-5
    assert relative(seen["t_embedder"], golden_io["t_emb"]) < 1e-5
    assert relative(seen["y_embedder"], golden_io["y_emb"]) < 1e-5
    for i in range(3):
        assert relative(seen[i], golden_io["blocks"][i]) < 1e-5
    assert relative(seen["final_layer"], golden_io["final_tokens"]) < 1e-5


@torch.no_grad()
@pytest.mark.parametrize(
    ("kind", "suffix", "limit"), [("float", "", 1e-5), ("double", "_fp64", 1e-10)]
)
@pytest.mark.usefixtures("golden_features")
def test_guided_forward_agrees_with_the_reference_implementation(
    golden_model, golden_io, kind, suffix, limit
):
    from harness.diffusion import guided

    model = getattr(golden_model, kind)()
    n = len(golden_io["cfg_x"]) // 2  # the second half is ignored
    x, t, y = (golden_io[f"cfg_{name}"][:n] for name in "xty")
    found = guided(model, float(golden_io["cfg_scale"]))(getattr(x, kind)(), t, y)
    assert relative(found[:, :4], golden_io[f"cfg_out{suffix}"][:n, :4]) < limit
    # The reference returns both halves; the conditional half's variance comes with the first.
    assert relative(found, golden_io[f"cfg_out{suffix}"][:n]) < limit


def test_the_position_table_is_the_reference_implementations(golden_state):
    assert torch.equal(build(**SMALL).pos_embed, golden_state["pos_embed"])


def test_parameters_have_the_official_names(golden_state):
    assert set(build(**SMALL).state_dict()) == set(golden_state)


@settings(max_examples=12, deadline=None)
@given(
    heads=st.integers(1, 3),
    per_head=st.integers(2, 9),
    depth=st.integers(1, 2),
    patch_size=st.integers(1, 3),
    grid=st.integers(1, 3),
    channels=st.integers(1, 4),
    num_classes=st.integers(1, 5),
)
def test_any_shape_computes_what_a_plain_dit_computes_gradients_included(
    plain_dit, heads, per_head, depth, patch_size, grid, channels, num_classes
):
    shape = architecture(
        depth=depth,
        width=heads * per_head,
        heads=heads,
        patch_size=patch_size,
        input_size=grid * patch_size,
        channels=channels,
        num_classes=num_classes,
    )
    ours = build(**asdict(shape)).double()
    settings_ = asdict(shape)
    settings_.pop("block")
    theirs = plain_dit(**settings_).double()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.2)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(3, channels, shape.input_size, shape.input_size, generator=generator).double()
    t, y = torch.tensor([0, 37, 999]), torch.tensor([0, num_classes, num_classes - 1])
    outputs = [model(x, t, y) for model in (ours, theirs)]
    torch.testing.assert_close(*outputs, rtol=1e-9, atol=1e-9)
    for output in outputs:
        output.square().mean().backward()
    expected = dict(theirs.named_parameters())
    for name, parameter in ours.named_parameters():
        torch.testing.assert_close(parameter.grad, expected[name].grad, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("block", BLOCKS)
def test_every_design_starts_by_predicting_zero(block):
    model = build(**SMALL, block=block)
    out = model(torch.randn(2, 4, 8, 8), torch.tensor([3, 900]), torch.tensor([1, 10]))
    assert out.shape == (2, 8, 8, 8)
    assert not out.any()


@pytest.mark.parametrize("block", BLOCKS)
def test_samples_do_not_depend_on_their_batch(block, randomised):
    model = randomised(build(**SMALL, block=block)).eval()
    x, t, y = torch.randn(5, 4, 8, 8), torch.arange(5) * 200, torch.arange(5)
    with torch.no_grad():
        together, alone = model(x, t, y), model(x[2:3], t[2:3], y[2:3])
    assert relative(together[2:3], alone) < 1e-6  # rounding, whatever the draw


@pytest.mark.parametrize("block", BLOCKS)
def test_every_design_depends_on_image_timestep_and_label(block, randomised):
    model = randomised(build(**SMALL, block=block)).eval()
    x, t, y = torch.randn(1, 4, 8, 8), torch.tensor([10]), torch.tensor([1])
    with torch.no_grad():
        out = model(x, t, y)
        for other in (model(x + 1, t, y), model(x, t + 500, y), model(x, t, y + 1)):
            assert relative(other, out) > 1e-3


def test_the_null_label_is_one_more_class(randomised):
    model = randomised(build(**SMALL))
    assert model.null_label == model.num_classes == 10
    assert model.y_embedder.embedding_table.weight.shape == (11, 48)
    x, t = torch.randn(1, 4, 8, 8), torch.tensor([10])
    outputs = [model(x, t, torch.tensor([y])) for y in (model.null_label, 0)]
    assert relative(*outputs) > 1e-3
    with pytest.raises(IndexError):
        model(x, t, torch.tensor([model.null_label + 1]))


def test_float_timesteps_are_the_integers_between_which_they_lie(golden_model, golden_io):
    x, t, y = golden_io["x"], golden_io["t"], golden_io["y"]
    assert torch.equal(golden_model(x, t.float(), y), golden_model(x, t, y))


def test_an_input_in_another_memory_layout_gives_the_same(golden_model, golden_io):
    x, t, y = golden_io["x"], golden_io["t"], golden_io["y"]
    expected = golden_model(x, t, y)
    for same in (x.to(memory_format=torch.channels_last), torch.cat([x, x], 1)[:, :4]):
        assert torch.equal(golden_model(same, t, y), expected)


def test_the_position_table_is_saved_but_not_trained():
    model = build(**SMALL)
    assert "pos_embed" in model.state_dict()
    assert "pos_embed" not in dict(model.named_parameters())


def test_initialisation_follows_the_reference():
    torch.manual_seed(0)
    model = build(depth=1, width=96, heads=4, patch_size=2, input_size=8)
    limit = (6 / (96 + 4 * 96)) ** 0.5  # Xavier uniform of (96, 384)
    weight = model.blocks[0].mlp.fc1.weight
    assert 0.95 * limit < weight.abs().max() <= limit
    patch_limit = (6 / (96 + 4 * 2 * 2)) ** 0.5  # of the flattened patch convolution
    assert 0.95 * patch_limit < model.x_embedder.proj.weight.abs().max() <= patch_limit
    for normal in (model.t_embedder.mlp[0].weight, model.y_embedder.embedding_table.weight):
        assert abs(normal.std().item() - 0.02) < 0.002
    for name, parameter in model.named_parameters():
        if "adaLN_modulation" in name or "final_layer" in name or name.endswith("bias"):
            assert not parameter.any(), name


def test_building_on_the_meta_device_allocates_nothing():
    with torch.device("meta"):
        model = build("DiT-XXL/2", image_size=512)
    assert {p.device.type for p in model.parameters()} == {"meta"}
    assert model.pos_embed.is_meta
