"""U-ViT's network (2209.12152, section 3), with the parameter names of published checkpoints.

Tokens are the label's, the time's, then the patches', (N, T + 2, D). The time token is the bare
sinusoidal embedding of the time that the network is given.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from harness.models.dit import timestep_features

STD = 0.02  # of initial weights


class Linear(nn.Linear):
    """nn.Linear that starts with a truncated normal and zero bias, and is initialised only once."""

    def reset_parameters(self) -> None:
        """A truncated normal of standard deviation 0.02, zero bias."""
        nn.init.trunc_normal_(self.weight, std=STD)
        if self.bias is not None:
            nn.init.zeros_(self.bias)


class Attention(nn.Module):
    """Self-attention (N, T, D) -> (N, T, D), in float32 at least, whatever the input."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = Linear(width, 3 * width, bias=False)
        self.proj = Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (N, T, D) -> (N, T, D)."""
        n, tokens, width = x.shape
        qkv = self.qkv(x).view(n, tokens, 3, self.heads, width // self.heads).transpose(1, 3)
        if qkv.dtype in (torch.bfloat16, torch.float16):
            with torch.autocast(qkv.device.type, enabled=False):
                out = F.scaled_dot_product_attention(*qkv.float().unbind(2)).to(qkv.dtype)
        else:
            out = F.scaled_dot_product_attention(*qkv.unbind(2))
        return self.proj(out.transpose(1, 2).reshape(n, tokens, width))  # type: ignore[no-any-return]


class MLP(nn.Module):
    """Two linears, four times as wide between, with the exact GELU."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = Linear(width, 4 * width)
        self.fc2 = Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (N, T, D) -> (N, T, D), each by itself."""
        return self.fc2(F.gelu(self.fc1(x)))  # type: ignore[no-any-return]


class Block(nn.Module):
    """A pre-norm block; with `skip`, tokens of a shallow block are first taken in."""

    def __init__(self, width: int, heads: int, skip: bool = False) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attn = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = MLP(width)
        self.skip_linear = Linear(2 * width, width) if skip else None

    def forward(self, x: Tensor, skip: Tensor | None = None) -> Tensor:
        """Tokens x (N, T, D), and of a shallow block `skip` (N, T, D) -> (N, T, D)."""
        if self.skip_linear is not None and skip is not None:
            x = self.skip_linear(torch.cat([x, skip], dim=-1))
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))  # type: ignore[no-any-return]


class PatchEmbedding(nn.Module):
    """Image (N, C, H, W) -> tokens (N, T, D)."""

    def __init__(self, patch_size: int, channels: int, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(channels, width, patch_size, stride=patch_size)

    def forward(self, x: Tensor) -> Tensor:
        """Image (N, C, H, W) -> tokens (N, H W / p^2, D), row by row."""
        return self.proj(x).flatten(2).transpose(1, 2)  # type: ignore[no-any-return]


class UViT(nn.Module):
    """A U-ViT; arguments are checked by UViTFamily. `null_label` stands for "no class"."""

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
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        self.width, self.patch_size, self.out_channels = width, patch_size, out_channels
        self.null_label = num_classes
        self.checkpointing = checkpointing
        self.grid = input_size // patch_size
        tokens = self.grid**2 + 2

        self.patch_embed = PatchEmbedding(patch_size, channels, width)
        self.label_emb = nn.Embedding(num_classes + 1, width)
        self.pos_embed = nn.Parameter(torch.empty(1, tokens, width))
        nn.init.trunc_normal_(self.pos_embed, std=STD)
        half = range(depth // 2)
        self.in_blocks = nn.ModuleList(Block(width, heads) for _ in half)
        self.mid_block = Block(width, heads)
        self.out_blocks = nn.ModuleList(Block(width, heads, skip=True) for _ in half)
        self.norm = nn.LayerNorm(width)
        self.decoder_pred = Linear(width, patch_size**2 * out_channels)
        self.final_layer = nn.Conv2d(out_channels, out_channels, 3, padding=1)

    def forward(self, x: Tensor, t: Tensor, y: Tensor) -> Tensor:
        """x (N, C, H, W), times t (N,), labels y (N,) int -> (N, out_channels, H, W)."""
        x = self.patch_embed(x)
        time = timestep_features(t, self.width).to(x.dtype)
        label = self.label_emb(y).to(x.dtype)
        x = torch.cat([label[:, None], time[:, None], x], dim=1) + self.pos_embed
        skips: list[Tensor] = []
        for block in self.in_blocks:
            x = self._run(block, x)
            skips.append(x)
        x = self._run(self.mid_block, x)
        for block in self.out_blocks:
            x = self._run(block, x, skips.pop())
        x = self.decoder_pred(self.norm(x))[:, 2:]
        return self.final_layer(self._unpatchify(x))  # type: ignore[no-any-return]

    def _run(self, block: nn.Module, *inputs: Tensor) -> Tensor:
        if self.checkpointing and self.training and torch.is_grad_enabled():
            out: Tensor = checkpoint(block, *inputs, use_reentrant=False)
            return out
        return block(*inputs)  # type: ignore[no-any-return]

    def _unpatchify(self, x: Tensor) -> Tensor:
        """(N, T, p * p * C) -> (N, C, H, W); within a token the order is row, column, channel."""
        p, grid, channels = self.patch_size, self.grid, self.out_channels
        x = x.view(-1, grid, grid, p, p, channels).permute(0, 5, 1, 3, 2, 4)
        return x.reshape(-1, channels, grid * p, grid * p)
