"""DiT-modern's network, with the parameter names of published LightningDiT checkpoints.

Shapes: x (N, T, D), condition (N, D). Tables of positions are buffers that are worked out and not
in the state dict.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from harness.models.blocks import EPS, MLP, Linear, ZeroLinear, modulation
from harness.models.dit import (
    LabelEmbedder,
    PatchEmbedder,
    TimestepEmbedder,
    position_table,
    unpatchify,
)
from harness.models.transformer import swiglu_width

THETA = 10_000.0  # of rotary positions


class RMSNorm(nn.Module):
    """x / sqrt(mean(x^2)) over the last axis, in float32 at least, times a learned scale."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """(..., D) -> (..., D) in the type of x."""
        low = x.dtype in (torch.bfloat16, torch.float16)
        normed = F.rms_norm(x.float() if low else x, x.shape[-1:], eps=EPS)
        return normed.to(x.dtype) * self.weight


def norm_layer(kind: str, width: int, learned: bool = False) -> nn.Module:
    """RMSNorm, or LayerNorm; learned: with scale and shift of its own."""
    if kind == "rms":
        return RMSNorm(width)
    return nn.LayerNorm(width, eps=1e-5 if learned else EPS, elementwise_affine=learned)


def rotary_table(grid: int, size: int) -> tuple[Tensor, Tensor]:
    """Cosines and sines, (grid * grid, size) each, float32.

    The first half of a head's `size` channels turns with the row, the second with the column;
    neighbouring channels are a pair.
    """
    half = size // 2
    frequencies = THETA ** (-torch.arange(0, half, 2, dtype=torch.float64) / half)
    angles = torch.arange(grid, dtype=torch.float64)[:, None] * frequencies
    angles = angles.repeat_interleave(2, dim=-1)  # (grid, half)
    row = angles[:, None].expand(grid, grid, half)
    column = angles[None].expand(grid, grid, half)
    table = torch.cat([row, column], dim=-1).reshape(grid * grid, size)
    return table.cos().float(), table.sin().float()


def rotate(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Turn pairs of channels of x (N, heads, T, size) by the angles of its position."""
    even, odd = x.unflatten(-1, (-1, 2)).unbind(-1)  # type: ignore[no-untyped-call]
    turned = torch.stack([-odd, even], dim=-1).flatten(-2)
    return (x * cosine + turned * sine).to(x.dtype)


class Attention(nn.Module):
    """Self-attention (N, T, D) -> (N, T, D), with rotary positions and QK-norm where asked."""

    def __init__(self, width: int, heads: int, norm: str, qk_norm: bool) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = Linear(width, 3 * width)
        self.q_norm = norm_layer(norm, width // heads, learned=True) if qk_norm else nn.Identity()
        self.k_norm = norm_layer(norm, width // heads, learned=True) if qk_norm else nn.Identity()
        self.proj = Linear(width, width)

    def forward(self, x: Tensor, turns: tuple[Tensor, Tensor] | None) -> Tensor:
        """Tokens x (N, T, D) -> (N, T, D).

        turns: cosines and sines of `rotary_table`, (T, D / heads) each; None: no rotary positions.
        """
        n, tokens, width = x.shape
        qkv = self.qkv(x).view(n, tokens, 3, self.heads, width // self.heads).transpose(1, 3)
        q, k, v = qkv.unbind(2)  # (N, heads, T, D / heads) each
        q, k = self.q_norm(q).to(v.dtype), self.k_norm(k).to(v.dtype)
        if turns is not None:
            q, k = rotate(q, *turns), rotate(k, *turns)
        x = F.scaled_dot_product_attention(q, k, v)
        return self.proj(x.transpose(1, 2).reshape(n, tokens, width))  # type: ignore[no-any-return]


class SwiGLU(nn.Module):
    """SiLU(x W1) * (x W2), then W3; W1 and W2 are one linear."""

    def __init__(self, width: int) -> None:
        super().__init__()
        hidden = swiglu_width(width)
        self.w12 = Linear(width, 2 * hidden)
        self.w3 = Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (N, T, D) -> (N, T, D), each by itself."""
        gate, value = self.w12(x).chunk(2, dim=-1)
        return self.w3(F.silu(gate) * value)  # type: ignore[no-any-return]


class Block(nn.Module):
    """adaLN-Zero with or without shift."""

    def __init__(
        self, width: int, heads: int, norm: str, mlp: str, qk_norm: bool, shift: bool
    ) -> None:
        super().__init__()
        self.shift = shift
        self.norm1 = norm_layer(norm, width)
        self.attn = Attention(width, heads, norm, qk_norm)
        self.norm2 = norm_layer(norm, width)
        self.mlp = SwiGLU(width) if mlp == "swiglu" else MLP(width)
        self.adaLN_modulation = modulation(width, 6 if shift else 4, ZeroLinear)

    def forward(self, x: Tensor, condition: Tensor, turns: tuple[Tensor, Tensor] | None) -> Tensor:
        """Tokens x (N, T, D), SiLU of the condition (N, D), turns as above -> (N, T, D)."""
        vectors = self.adaLN_modulation(condition).to(x.dtype).unsqueeze(1)
        if self.shift:
            shift1, scale1, gate1, shift2, scale2, gate2 = vectors.chunk(6, dim=-1)
            first = torch.addcmul(shift1, self.norm1(x), 1 + scale1)
            x = torch.addcmul(x, gate1, self.attn(first, turns).to(x.dtype))
            second = torch.addcmul(shift2, self.norm2(x), 1 + scale2)
        else:
            scale1, gate1, scale2, gate2 = vectors.chunk(4, dim=-1)
            x = torch.addcmul(x, gate1, self.attn(self.norm1(x) * (1 + scale1), turns).to(x.dtype))
            second = self.norm2(x) * (1 + scale2)
        return torch.addcmul(x, gate2, self.mlp(second).to(x.dtype))


class FinalLayer(nn.Module):
    """Tokens (N, T, D) -> patches (N, T, p * p * out), the norm modulated by the condition."""

    def __init__(self, width: int, outputs: int, norm: str) -> None:
        super().__init__()
        self.norm_final = norm_layer(norm, width)
        self.linear = ZeroLinear(width, outputs)
        self.adaLN_modulation = modulation(width, 2, ZeroLinear)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Tokens x (N, T, D), SiLU of the condition (N, D) -> patches (N, T, p * p * out)."""
        vectors = self.adaLN_modulation(condition).to(x.dtype).unsqueeze(1)
        shift, scale = vectors.chunk(2, dim=-1)
        return self.linear(torch.addcmul(shift, self.norm_final(x), 1 + scale))  # type: ignore[no-any-return]


class ModernDiT(nn.Module):
    """See harness.models.modern; arguments are checked there. `null_label` is "no class"."""

    def __init__(
        self,
        *,
        input_size: int,
        channels: int,
        out_channels: int,
        num_classes: int,
        patch_size: int,
        depth: int,
        width: int,
        heads: int,
        norm: str,
        mlp: str,
        rotary: bool,
        qk_norm: bool,
        shift: bool,
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        self.patch_size, self.out_channels = patch_size, out_channels
        self.null_label = num_classes
        self.checkpointing = checkpointing
        self.grid = input_size // patch_size
        self.x_embedder = PatchEmbedder(patch_size, channels, width)
        self.register_buffer("pos_embed", position_table(self.grid, width), persistent=False)
        self.rotary = rotary
        if rotary:
            cosine, sine = rotary_table(self.grid, width // heads)
            self.register_buffer("cosine", cosine, persistent=False)
            self.register_buffer("sine", sine, persistent=False)
        self.t_embedder = TimestepEmbedder(width)
        self.y_embedder = LabelEmbedder(num_classes, width)
        self.blocks = nn.ModuleList(
            Block(width, heads, norm, mlp, qk_norm, shift) for _ in range(depth)
        )
        self.final_layer = FinalLayer(width, patch_size**2 * out_channels, norm)

    def forward(self, x: Tensor, t: Tensor, y: Tensor) -> Tensor:
        """x (N, C, H, W), times t (N,), labels y (N,) int -> (N, out_channels, H, W)."""
        x = self.x_embedder(x) + self.pos_embed
        condition = F.silu(self.t_embedder(t) + self.y_embedder(y))
        turns = (self.cosine, self.sine) if self.rotary else None
        for block in self.blocks:
            if self.checkpointing and self.training and torch.is_grad_enabled():
                x = checkpoint(block, x, condition, turns, use_reentrant=False)
            else:
                x = block(x, condition, turns)
        out = self.final_layer(x, condition)
        return unpatchify(out, self.patch_size, self.grid, self.out_channels)
