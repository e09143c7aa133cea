"""The four DiT block designs (section 3.2, Figure 3) and the layers they are made of.

Every block is called as ``block(x, condition)`` with x (N, T, D); what the condition is depends on
the design, and DiT.forward prepares it once for all blocks:

    adaln-zero, adaln   SiLU(t + y), (N, D)       regressed to shifts, scales (and gates)
    cross-attention     [t, y], (N, 2, D)         attended to between self-attention and MLP
    in-context          unused: t and y are two more tokens of x

Parameter names are the official checkpoint's where it has them (adaLN-Zero was the only design
released); norms and cross-attention are named in the same manner.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EPS = 1e-6  # of every LayerNorm


class Linear(nn.Linear):
    """nn.Linear that starts Xavier-uniform with zero bias, and is initialised only once."""

    def reset_parameters(self) -> None:
        """Xavier-uniform weights, zero bias."""
        nn.init.xavier_uniform_(self.weight)
        nn.init.zeros_(self.bias)


class ZeroLinear(nn.Linear):
    """nn.Linear that starts as the zero map."""

    def reset_parameters(self) -> None:
        """Zero weights, zero bias."""
        nn.init.zeros_(self.weight)
        nn.init.zeros_(self.bias)


def modulation(width: int, vectors: int, layer: type[nn.Linear]) -> nn.Sequential:
    """The map from SiLU(c) (N, D) to `vectors` shifts, scales and gates, (N, vectors * D).

    The official Sequential begins with the SiLU; here it is applied once for all blocks, so an
    Identity keeps its place and with it the name `adaLN_modulation.1`.
    """
    return nn.Sequential(nn.Identity(), layer(width, vectors * width))


def normalize(x: Tensor) -> Tensor:
    """LayerNorm over the last axis without learned scale and shift."""
    return F.layer_norm(x, x.shape[-1:], eps=EPS)


def modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """LN(x) * (1 + scale) + shift, with (N, T, D) modulated by (N, 1, D)."""
    return torch.addcmul(shift, normalize(x), 1 + scale)


class Attention(nn.Module):
    """Multi-head self-attention, (N, T, D) -> (N, T, D), through the fused operator."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = Linear(width, 3 * width)
        self.proj = Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (N, T, D) -> (N, T, D)."""
        n, tokens, width = x.shape
        # (N, T, 3 D) -> 3 x (N, heads, T, D / heads), views all
        qkv = self.qkv(x).view(n, tokens, 3, self.heads, width // self.heads).transpose(1, 3)
        q, k, v = qkv.unbind(2)
        x = F.scaled_dot_product_attention(q, k, v)
        return self.proj(x.transpose(1, 2).reshape(n, tokens, width))  # type: ignore[no-any-return]


class CrossAttention(nn.Module):
    """Multi-head attention of x (N, T, D) to a condition (N, S, D) -> (N, T, D)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q = Linear(width, width)
        self.kv = Linear(width, 2 * width)
        self.proj = Linear(width, width)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Tokens x (N, T, D) attend to the condition (N, S, D) -> (N, T, D)."""
        n, tokens, width = x.shape
        size = width // self.heads
        q = self.q(x).view(n, tokens, self.heads, size).transpose(1, 2)
        kv = self.kv(condition).view(n, condition.shape[1], 2, self.heads, size).transpose(1, 3)
        k, v = kv.unbind(2)
        x = F.scaled_dot_product_attention(q, k, v)
        return self.proj(x.transpose(1, 2).reshape(n, tokens, width))  # type: ignore[no-any-return]


class MLP(nn.Module):
    """Two linears, four times as wide between, with the tanh approximation of GELU."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = Linear(width, 4 * width)
        self.fc2 = Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (N, T, D) -> (N, T, D), each by itself."""
        return self.fc2(F.gelu(self.fc1(x), approximate="tanh"))  # type: ignore[no-any-return]


class AdaLNZeroBlock(nn.Module):
    """adaLN-Zero: shift, scale and gate for both branches, all zero at the start: the identity."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attn = Attention(width, heads)
        self.mlp = MLP(width)
        self.adaLN_modulation = modulation(width, 6, ZeroLinear)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Tokens x (N, T, D), SiLU of the condition (N, D) -> (N, T, D)."""
        # To the residual's type: under bf16 autocast, 1 + scale would keep 8 bits of the scale.
        vectors = self.adaLN_modulation(condition).to(x.dtype).unsqueeze(1).chunk(6, dim=-1)
        shift_msa, scale_msa, gate_msa, shift_mlp, scale_mlp, gate_mlp = vectors  # (N, 1, D) each
        x = torch.addcmul(x, gate_msa, self.attn(modulate(x, shift_msa, scale_msa)).to(x.dtype))
        return torch.addcmul(x, gate_mlp, self.mlp(modulate(x, shift_mlp, scale_mlp)).to(x.dtype))


class AdaLNBlock(nn.Module):
    """adaLN: shift and scale for both branches, no gates, initialised like any linear."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attn = Attention(width, heads)
        self.mlp = MLP(width)
        self.adaLN_modulation = modulation(width, 4, Linear)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Tokens x (N, T, D), SiLU of the condition (N, D) -> (N, T, D)."""
        vectors = self.adaLN_modulation(condition).to(x.dtype).unsqueeze(1).chunk(4, dim=-1)
        shift_msa, scale_msa, shift_mlp, scale_mlp = vectors  # (N, 1, D) each
        x = x + self.attn(modulate(x, shift_msa, scale_msa))
        return x + self.mlp(modulate(x, shift_mlp, scale_mlp))  # type: ignore[no-any-return]


class CrossAttentionBlock(nn.Module):
    """Self-attention, cross-attention to [t, y], MLP.

    Two affine norms, before self-attention and before the MLP; cross-attention reads the residual
    directly. The published parameter count (597.9 M) leaves no room for a third affine norm and
    the published Gflops (137.62) none for a third norm of any kind.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=EPS)
        self.attn = Attention(width, heads)
        self.cross_attn = CrossAttention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=EPS)
        self.mlp = MLP(width)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Tokens x (N, T, D), condition tokens [t, y] (N, 2, D) -> (N, T, D)."""
        x = x + self.attn(self.norm1(x))
        x = x + self.cross_attn(x, condition)
        return x + self.mlp(self.norm2(x))  # type: ignore[no-any-return]


class InContextBlock(nn.Module):
    """A plain pre-LN transformer block; the condition is among the tokens (T + 2 of them)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=EPS)
        self.attn = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=EPS)
        self.mlp = MLP(width)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Tokens x (N, T + 2, D), which hold the condition, -> (N, T + 2, D).

        The second argument is not read: all four blocks are called in the same way.
        """
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))  # type: ignore[no-any-return]


BLOCK_CLASSES: dict[str, type[nn.Module]] = {
    "adaln-zero": AdaLNZeroBlock,
    "adaln": AdaLNBlock,
    "cross-attention": CrossAttentionBlock,
    "in-context": InContextBlock,
}
