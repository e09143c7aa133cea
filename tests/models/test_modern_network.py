"""The parts of DiT-modern's network, each against its definition."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from harness.models.blocks import EPS, MLP
from harness.models.modern_network import (
    THETA,
    Attention,
    ModernDiT,
    RMSNorm,
    SwiGLU,
    norm_layer,
    rotary_table,
    rotate,
)

SHAPE = {
    **{"input_size": 8, "channels": 4, "out_channels": 4, "num_classes": 10, "patch_size": 2},
    **{"depth": 2, "width": 32, "heads": 2},
}
MODERN = {"norm": "rms", "mlp": "swiglu", "rotary": True, "qk_norm": True, "shift": True}


def test_rms_norm_is_its_definition_and_in_float32_for_half_precision() -> None:
    norm = RMSNorm(6)
    nn.init.normal_(norm.weight)
    x = 100 * torch.randn(4, 6)
    expected = x / (x.square().mean(-1, keepdim=True) + EPS).sqrt() * norm.weight
    torch.testing.assert_close(norm(x), expected)
    low = (10 * x).half()  # whose squares float16 cannot hold
    torch.testing.assert_close(norm.half()(low), expected.half(), rtol=1e-2, atol=1e-2)


def test_norms_with_a_scale_of_their_own_are_those_of_queries_and_keys() -> None:
    assert isinstance(norm_layer("rms", 8), RMSNorm)
    plain, learned = norm_layer("layer", 8), norm_layer("layer", 8, learned=True)
    assert not list(plain.parameters()) and len(list(learned.parameters())) == 2
    assert isinstance(plain, nn.LayerNorm) and plain.eps == EPS  # the condition modulates it


def test_rotary_angles_are_of_row_then_column_in_pairs() -> None:
    grid, size = 3, 8
    cosine, sine = rotary_table(grid, size)
    assert cosine.shape == sine.shape == (grid * grid, size)
    torch.testing.assert_close(cosine**2 + sine**2, torch.ones(grid * grid, size))
    row, column = 2, 1
    found = torch.atan2(sine, cosine)[row * grid + column]
    frequencies = [THETA ** (-2 * i / (size / 2)) for i in range(size // 4)]
    angles = [p * f for p in (row, column) for f in frequencies for _ in range(2)]
    torch.testing.assert_close(found, torch.tensor(angles))
    assert not sine[0].any()  # at the corner nothing turns


def test_rotation_keeps_lengths_and_is_undone_by_its_inverse() -> None:
    cosine, sine = rotary_table(3, 8)
    x = torch.randn(2, 2, 9, 8)
    turned = rotate(x, cosine, sine)
    torch.testing.assert_close(turned.norm(dim=-1), x.norm(dim=-1))
    torch.testing.assert_close(rotate(turned, cosine, -sine), x)
    assert rotate(x.bfloat16(), cosine, sine).dtype == torch.bfloat16


@pytest.mark.parametrize("qk_norm", [False, True])
def test_attention_is_its_definition(qk_norm: bool) -> None:
    torch.manual_seed(0)
    attention = Attention(16, 2, "rms", qk_norm)
    x = torch.randn(3, 9, 16)
    q, k, v = (part.view(3, 9, 2, 8).transpose(1, 2) for part in attention.qkv(x).chunk(3, dim=-1))
    if qk_norm:
        q, k = attention.q_norm(q), attention.k_norm(k)
    turns = rotary_table(3, 8)
    q, k = rotate(q, *turns), rotate(k, *turns)
    weights = (q @ k.transpose(-1, -2) / 8**0.5).softmax(-1)
    expected = attention.proj((weights @ v).transpose(1, 2).reshape(3, 9, 16))
    torch.testing.assert_close(attention(x, turns), expected, rtol=1e-4, atol=1e-5)


def test_swiglu_gates_its_second_half_by_its_first() -> None:
    mlp, x = SwiGLU(12), torch.randn(2, 12)
    gate, value = mlp.w12.weight.chunk(2)
    first, second = mlp.w12.bias.chunk(2)
    hidden = nn.functional.silu(x @ gate.T + first) * (x @ value.T + second)
    torch.testing.assert_close(mlp(x), mlp.w3(hidden))


@pytest.mark.parametrize(("part", "value"), [("mlp", "gelu"), ("rotary", False), ("norm", "layer")])
def test_every_part_can_be_left_out(part: str, value: object) -> None:
    model = ModernDiT(**SHAPE, **{**MODERN, part: value})
    assert isinstance(model.blocks[0].mlp, MLP) == (part == "mlp")
    assert hasattr(model, "cosine") == (part != "rotary")
    x, t, y = torch.randn(2, 4, 8, 8), torch.tensor([0.1, 0.9]), torch.tensor([0, 10])
    assert model(x, t, y).shape == (2, 4, 8, 8)
    assert not model(x, t, y).any()  # it starts at zero


def test_tables_of_positions_are_not_in_checkpoints() -> None:
    model = ModernDiT(**SHAPE, **MODERN)
    assert not {"pos_embed", "cosine", "sine"} & set(model.state_dict())


def test_checkpointing_changes_no_gradient() -> None:
    gradients = []
    for checkpointing in (False, True):
        torch.manual_seed(0)
        model = ModernDiT(**SHAPE, **MODERN, checkpointing=checkpointing).train()
        for parameter in model.parameters():
            nn.init.normal_(parameter, std=0.1)
        x = torch.ones(2, 4, 8, 8)
        model(x, torch.tensor([0.1, 0.9]), torch.tensor([1, 10])).square().sum().backward()
        gradients.append([p.grad for p in model.parameters()])
    for plain, recomputed in zip(*gradients, strict=True):
        torch.testing.assert_close(plain, recomputed)
