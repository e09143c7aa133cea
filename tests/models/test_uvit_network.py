"""The parts of U-ViT's network: what skips carry, how tokens are laid out, where it starts."""

from __future__ import annotations

import pytest
import torch

from harness.models.dit import timestep_features
from harness.models.uvit_network import STD, Attention, Block, Linear, PatchEmbedding, UViT


def small(depth: int = 5, **changes: int) -> UViT:
    torch.manual_seed(0)
    shape = {
        **{"input_size": 8, "channels": 3, "out_channels": 3, "num_classes": 10},
        **{"patch_size": 2, "depth": depth, "width": 16, "heads": 2},
    }
    return UViT(**{**shape, **changes}).eval()


GIVEN = torch.randn(2, 3, 8, 8), torch.tensor([3.0, 700.0]), torch.tensor([1, 10])


@torch.no_grad()
def test_attention_is_its_definition() -> None:
    attention, x = Attention(16, 2), torch.randn(3, 7, 16)
    q, k, v = (part.view(3, 7, 2, 8).transpose(1, 2) for part in attention.qkv(x).chunk(3, dim=-1))
    weights = (q @ k.transpose(-1, -2) / 8**0.5).softmax(-1)
    expected = attention.proj((weights @ v).transpose(1, 2).reshape(3, 7, 16))
    torch.testing.assert_close(attention(x), expected, rtol=1e-4, atol=1e-6)


def test_linears_start_small_and_without_bias() -> None:
    layer = Linear(400, 400)
    assert float(layer.weight.detach().std()) == pytest.approx(STD, rel=0.05)
    assert layer.bias is not None and not layer.bias.any()
    assert Linear(4, 4, bias=False).bias is None


@torch.no_grad()
def test_a_patchs_token_is_of_its_pixels_alone_in_rows() -> None:
    embed = PatchEmbedding(2, 3, 16)
    x = torch.zeros(1, 3, 4, 4)
    changed = x.clone()
    changed[..., 0, 3] = 1  # the second patch of the first row
    different = (embed(x) != embed(changed)).any(dim=-1)[0]
    assert different.tolist() == [False, True, False, False]


@torch.no_grad()
def test_the_deepest_block_takes_the_last_skip_and_the_last_block_the_first() -> None:
    model, seen = small(), []

    def record(module: Block, inputs: tuple, out: torch.Tensor) -> None:
        seen.append((module, inputs, out))

    for block in (*model.in_blocks, model.mid_block, *model.out_blocks):
        block.register_forward_hook(record)
    model(*GIVEN)
    first, second, _, fourth, fifth = seen
    assert torch.equal(fourth[1][1], second[2]) and torch.equal(fifth[1][1], first[2])
    assert all(block.skip_linear is None for block in (*model.in_blocks, model.mid_block))


@torch.no_grad()
def test_tokens_are_the_label_the_time_then_patches() -> None:
    model = small()
    tokens: list[torch.Tensor] = []
    model.in_blocks[0].register_forward_pre_hook(lambda _, inputs: tokens.append(inputs[0]))
    x, t, y = GIVEN
    model(x, t, y)
    found = tokens[0] - model.pos_embed
    torch.testing.assert_close(found[:, 0], model.label_emb(y))
    torch.testing.assert_close(found[:, 1], timestep_features(t, 16))
    torch.testing.assert_close(found[:, 2:], model.patch_embed(x))


@torch.no_grad()
def test_images_time_and_label_all_reach_the_output() -> None:
    model, (x, t, y) = small(), GIVEN
    out = model(x, t, y)
    assert out.shape == x.shape
    for other in ((x + 1, t, y), (x, t + 1, y), (x, t, y - 1)):
        assert not torch.allclose(model(*other), out)


@torch.no_grad()
def test_unpatchify_puts_each_token_where_it_came_from() -> None:
    model = small()
    image = torch.randn(2, 3, 8, 8)
    patches = image.view(2, 3, 4, 2, 4, 2).permute(0, 2, 4, 3, 5, 1).reshape(2, 16, 12)
    assert torch.equal(model._unpatchify(patches), image)


def test_a_depth_of_one_has_no_skips_and_no_classes_have_one_row() -> None:
    model = small(depth=1, num_classes=0)
    assert not model.in_blocks and not model.out_blocks and model.null_label == 0
    x, t, _ = GIVEN
    assert model(x, t, torch.tensor([0, 0])).shape == x.shape
