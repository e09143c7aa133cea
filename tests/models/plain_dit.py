"""adaLN-Zero DiT written the straightforward way, from the design in the paper: a second opinion.

Same parameters by the same names as harness.models.DiT, nothing shared with its code: a real
convolution, explicit softmax attention or the fused one, one SiLU per block, modulation written
out.
"""

from __future__ import annotations

import math

import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.norm2 = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.attn = nn.Module()
        self.attn.qkv, self.attn.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Module()
        self.mlp.fc1, self.mlp.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.gelu = nn.GELU(approximate="tanh")
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 6 * width))

    def attend(self, x):
        n, tokens, width = x.shape
        qkv = self.attn.qkv(x).reshape(n, tokens, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        x = nn.functional.scaled_dot_product_attention(q, k, v)
        return self.attn.proj(x.transpose(1, 2).reshape(n, tokens, width))

    def forward(self, x, c):
        parts = self.adaLN_modulation(c).chunk(6, dim=1)
        shift1, scale1, gate1, shift2, scale2, gate2 = (part.unsqueeze(1) for part in parts)
        x = x + gate1 * self.attend(self.norm1(x) * (1 + scale1) + shift1)
        hidden = self.gelu(self.mlp.fc1(self.norm2(x) * (1 + scale2) + shift2))
        return x + gate2 * self.mlp.fc2(hidden)


class PlainDiT(nn.Module):
    def __init__(
        self,
        *,
        input_size,
        patch_size,
        channels,
        depth,
        width,
        heads,
        num_classes,
        out_channels=None,
    ):
        super().__init__()
        assert out_channels in (None, 2 * channels)
        self.patch, self.channels, self.grid = patch_size, channels, input_size // patch_size
        self.x_embedder = nn.Module()
        self.x_embedder.proj = nn.Conv2d(channels, width, patch_size, stride=patch_size)
        self.register_buffer("pos_embed", torch.zeros(1, self.grid**2, width))
        self.t_embedder = nn.Module()
        self.t_embedder.mlp = nn.Sequential(
            nn.Linear(256, width), nn.SiLU(), nn.Linear(width, width)
        )
        self.y_embedder = nn.Module()
        self.y_embedder.embedding_table = nn.Embedding(num_classes + 1, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.final_layer = nn.Module()
        self.final_layer.norm = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.final_layer.linear = nn.Linear(width, patch_size**2 * 2 * channels)
        self.final_layer.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * width))

    def forward(self, x, t, y):
        x = self.x_embedder.proj(x).flatten(2).transpose(1, 2) + self.pos_embed
        steps = torch.arange(128, dtype=torch.float32) / 128
        angles = t[:, None].float() * torch.exp(-math.log(10000) * steps)[None]
        features = torch.cat([torch.cos(angles), torch.sin(angles)], dim=1).to(x.dtype)
        c = self.t_embedder.mlp(features) + self.y_embedder.embedding_table(y)
        for block in self.blocks:
            x = block(x, c)
        shift, scale = self.final_layer.adaLN_modulation(c).chunk(2, dim=1)
        x = self.final_layer.norm(x) * (1 + scale.unsqueeze(1)) + shift.unsqueeze(1)
        x = self.final_layer.linear(x)
        x = x.reshape(len(x), self.grid, self.grid, self.patch, self.patch, 2 * self.channels)
        x = torch.einsum("nhwpqc->nchpwq", x)
        size = self.grid * self.patch
        return x.reshape(len(x), 2 * self.channels, size, size)
