"""The diffusion transformer (section 3.2): a plain ViT over latent patches, in four block designs.

    model = DiT(input_size=32, patch_size=2, channels=4, depth=28, width=1152, heads=16)
    noise_and_variance = model(x, t, y)  # (N, 4, 32, 32), (N,), (N,) -> (N, 8, 32, 32)

`harness.models.build` makes one by name and checks its arguments. Dropping labels for
classifier-free guidance is the training step's work: it replaces labels by `model.null_label`.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from harness.models.blocks import (
    BLOCK_CLASSES,
    EPS,
    Linear,
    ZeroLinear,
    modulate,
    modulation,
)

TIMESTEP_FEATURES = 256
MAX_PERIOD = 10000.0  # of the timestep's and the positions' sinusoids


def position_table(grid: int, width: int) -> Tensor:
    """The fixed sin-cos table, (1, grid * grid, width), float32.

    The first half of the width encodes the column, the second the row, each as [sin | cos]
    (width divisible by 4; otherwise the last features of a half stay zero).
    """
    quarter = width // 4
    frequencies = MAX_PERIOD ** (-torch.arange(quarter, dtype=torch.float64) / quarter)
    angles = torch.arange(grid, dtype=torch.float64)[:, None] * frequencies  # (grid, width / 4)
    axis = F.pad(torch.cat([angles.sin(), angles.cos()], dim=1), (0, width // 2 - 2 * quarter))
    column = axis[None, :, :].expand(grid, grid, -1)
    row = axis[:, None, :].expand(grid, grid, -1)
    table = F.pad(torch.cat([column, row], dim=-1), (0, width % 2))
    return table.reshape(1, grid * grid, width).float()


class PatchEmbedder(nn.Module):
    """Image (N, C, H, W) -> tokens (N, T, D): one linear map per p x p patch.

    The parameters are a convolution's (`proj`), as official checkpoints hold them; the map is
    computed as one matrix product over unfolded patches.
    """

    def __init__(self, patch_size: int, channels: int, width: int) -> None:
        super().__init__()
        self.patch_size = patch_size
        self.proj = nn.Conv2d(channels, width, patch_size, stride=patch_size)
        nn.init.xavier_uniform_(self.proj.weight.view(width, -1))
        assert self.proj.bias is not None
        nn.init.zeros_(self.proj.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Image (N, C, H, W) -> tokens (N, H W / p^2, D), row by row."""
        n, channels, height, width = x.shape
        p = self.patch_size
        x = x.reshape(n, channels, height // p, p, width // p, p).permute(0, 2, 4, 1, 3, 5)
        x = x.reshape(n, (height // p) * (width // p), channels * p * p)
        return F.linear(x, self.proj.weight.flatten(1), self.proj.bias)


def timestep_features(t: Tensor, size: int = TIMESTEP_FEATURES) -> Tensor:
    """Sinusoids of t (N,), [cos | sin] -> (N, size), float32 whatever the model's type."""
    half = size // 2
    exponents = torch.arange(half, dtype=torch.float32, device=t.device)
    frequencies = torch.exp(exponents * (-math.log(MAX_PERIOD) / half))
    angles = t.float()[:, None] * frequencies
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


class TimestepEmbedder(nn.Module):
    """Timesteps (N,), integer or float -> (N, D)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        first, second = Linear(TIMESTEP_FEATURES, width), Linear(width, width)
        nn.init.normal_(first.weight, std=0.02)
        nn.init.normal_(second.weight, std=0.02)
        self.mlp = nn.Sequential(first, nn.SiLU(), second)

    def forward(self, t: Tensor) -> Tensor:
        """Timesteps (N,) -> embeddings (N, D) in the weights' type."""
        return self.mlp(timestep_features(t).to(self.mlp.get_parameter("0.weight").dtype))  # type: ignore[no-any-return]


class LabelEmbedder(nn.Module):
    """Labels (N,) -> (N, D). Row `num_classes` is the null label of classifier-free guidance."""

    def __init__(self, num_classes: int, width: int) -> None:
        super().__init__()
        self.embedding_table = nn.Embedding(num_classes + 1, width)
        nn.init.normal_(self.embedding_table.weight, std=0.02)

    def forward(self, y: Tensor) -> Tensor:
        """Labels (N,), integers from 0 to num_classes -> embeddings (N, D)."""
        return self.embedding_table(y)  # type: ignore[no-any-return]


class ModulatedFinalLayer(nn.Module):
    """Tokens (N, T, D) -> patches (N, T, p * p * out), the norm modulated by SiLU(t + y)."""

    def __init__(self, width: int, outputs: int) -> None:
        super().__init__()
        self.linear = ZeroLinear(width, outputs)
        self.adaLN_modulation = modulation(width, 2, ZeroLinear)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Tokens x (N, T, D), SiLU of the condition (N, D) -> patches (N, T, p * p * out)."""
        vectors = self.adaLN_modulation(condition).to(x.dtype).unsqueeze(1)
        shift, scale = vectors.chunk(2, dim=-1)
        return self.linear(modulate(x, shift, scale))  # type: ignore[no-any-return]


class PlainFinalLayer(nn.Module):
    """Tokens (N, T, D) -> patches (N, T, p * p * out) after an affine norm."""

    def __init__(self, width: int, outputs: int) -> None:
        super().__init__()
        self.norm_final = nn.LayerNorm(width, eps=EPS)
        self.linear = ZeroLinear(width, outputs)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Tokens x (N, T, D) -> patches (N, T, p * p * out). The condition is not read."""
        return self.linear(self.norm_final(x))  # type: ignore[no-any-return]


class DiT(nn.Module):
    """A DiT; see the module's docstring. Arguments are checked by `harness.models.build`.

    `null_label` (= num_classes) is the label that stands for "no class". With `checkpointing`,
    training recomputes each block in the backward pass and stores only the blocks' inputs.
    """

    def __init__(
        self,
        *,
        input_size: int,
        patch_size: int,
        channels: int,
        depth: int,
        width: int,
        heads: int,
        block: str = "adaln-zero",
        num_classes: int = 1000,
        out_channels: int | None = None,
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.patch_size = patch_size
        self.channels = channels
        self.depth = depth
        self.width = width
        self.heads = heads
        self.block = block
        self.num_classes = num_classes
        self.out_channels = 2 * channels if out_channels is None else out_channels
        self.null_label = num_classes
        self.checkpointing = checkpointing
        self.grid = input_size // patch_size

        self.x_embedder = PatchEmbedder(patch_size, channels, width)
        # A buffer, so that it is in the state dict (as official files have it) but not trained.
        self.register_buffer("pos_embed", position_table(self.grid, width))
        self.t_embedder = TimestepEmbedder(width)
        self.y_embedder = LabelEmbedder(num_classes, width)
        self.blocks = nn.ModuleList(BLOCK_CLASSES[block](width, heads) for _ in range(depth))
        outputs = patch_size * patch_size * self.out_channels
        modulated = block in ("adaln-zero", "adaln")
        self.final_layer = (ModulatedFinalLayer if modulated else PlainFinalLayer)(width, outputs)

    @property
    def tokens(self) -> int:
        """Image tokens T = (input size / patch size)^2."""
        return self.grid**2

    def forward(self, x: Tensor, t: Tensor, y: Tensor) -> Tensor:
        """Predict what the objective asks for; DDPM: noise and variance.

        x (N, C, H, W), timesteps t (N,), labels y (N,) int -> (N, out_channels, H, W). With 2C of
        them: the predicted noise in the first C channels, the variance's interpolation in the last
        C (section 3.1).
        """
        x = self.x_embedder(x) + self.pos_embed  # (N, T, D)
        t_embedding, y_embedding = self.t_embedder(t), self.y_embedder(y)  # (N, D) each
        if self.block == "in-context":
            condition = torch.stack([t_embedding, y_embedding], dim=1).to(x.dtype)
            x = torch.cat([x, condition], dim=1)  # (N, T + 2, D)
        elif self.block == "cross-attention":
            condition = torch.stack([t_embedding, y_embedding], dim=1)  # (N, 2, D)
        else:
            condition = F.silu(t_embedding + y_embedding)  # (N, D)
        for block in self.blocks:
            if self.checkpointing and self.training and torch.is_grad_enabled():
                x = checkpoint(block, x, condition, use_reentrant=False)
            else:
                x = block(x, condition)
        if self.block == "in-context":
            x = x[:, : self.tokens]
        out = self.final_layer(x, condition)
        return unpatchify(out, self.patch_size, self.grid, self.out_channels)


def unpatchify(x: Tensor, patch: int, grid: int, channels: int) -> Tensor:
    """(N, T, p * p * C) -> (N, C, H, W); a token is in order row, column, channel."""
    x = x.view(-1, grid, grid, patch, patch, channels).permute(0, 5, 1, 3, 2, 4)
    return x.reshape(-1, channels, grid * patch, grid * patch)
