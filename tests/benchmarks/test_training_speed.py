"""One training step of DiT-S/4 beside the same model in plain torch modules, in one run.

    python -m pytest -m benchmark tests/benchmarks/test_training_speed.py -s     # about a minute

The two take turns, step by step: ours is the train stage's own loop (data, loss, AdamW, EMA), the
other runs in between, inside its question whether to stop. Processor time of one thread is
compared, which neighbours on the machine hardly change.
"""

from __future__ import annotations

import copy
import math
import statistics
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.models import build
from harness.stages import train
from harness.stages.benchmark import Setting, training

pytestmark = [pytest.mark.benchmark, pytest.mark.slow]

BATCH = 8
TURNS = 8  # timed, after as many warm-up steps as the loop's first half


class Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.norm2 = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(approximate="tanh"), nn.Linear(4 * width, width)
        )
        self.modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 6 * width))

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        shift1, scale1, gate1, shift2, scale2, gate2 = self.modulation(c).chunk(6, dim=1)
        h = self.norm1(x) * (1 + scale1[:, None]) + shift1[:, None]
        n, t, d = h.shape
        q, k, v = self.qkv(h).reshape(n, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        h = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, t, d)
        x = x + gate1[:, None] * self.proj(h)
        h = self.norm2(x) * (1 + scale2[:, None]) + shift2[:, None]
        return x + gate2[:, None] * self.mlp(h)


class PlainDiT(nn.Module):
    """DiT-S/4 on 32 x 32 x 4 latents, adaLN-Zero, as one writes it down from the paper."""

    def __init__(self, depth: int = 12, width: int = 384, heads: int = 6, patch: int = 4) -> None:
        super().__init__()
        self.patch, self.grid = patch, 32 // patch
        self.embed = nn.Conv2d(4, width, patch, stride=patch)
        self.positions = nn.Parameter(torch.zeros(1, self.grid**2, width), requires_grad=False)
        self.time = nn.Sequential(nn.Linear(256, width), nn.SiLU(), nn.Linear(width, width))
        self.labels = nn.Embedding(1001, width)
        self.blocks = nn.ModuleList([Block(width, heads) for _ in range(depth)])
        self.norm = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * width))
        self.linear = nn.Linear(width, patch * patch * 8)

    def forward(self, x: Tensor, t: Tensor, y: Tensor) -> Tensor:
        x = self.embed(x).flatten(2).transpose(1, 2) + self.positions
        frequencies = torch.exp(-math.log(10000) * torch.arange(128) / 128)
        angles = t[:, None].float() * frequencies[None]
        c = self.time(torch.cat([angles.cos(), angles.sin()], dim=1)) + self.labels(y)
        for block in self.blocks:
            x = block(x, c)
        shift, scale = self.modulation(c).chunk(2, dim=1)
        x = self.linear(self.norm(x) * (1 + scale[:, None]) + shift[:, None])
        x = x.reshape(-1, self.grid, self.grid, self.patch, self.patch, 8)
        return torch.einsum("nhwpqc->nchpwq", x).reshape(-1, 8, 32, 32)


def gaussian_kl(mean1: Tensor, log1: Tensor, mean2: Tensor, log2: Tensor) -> Tensor:
    return 0.5 * (
        log2 - log1 - 1 + torch.exp(log1 - log2) + (mean1 - mean2) ** 2 * torch.exp(-log2)
    )


def cdf(x: Tensor) -> Tensor:
    return 0.5 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


class PlainStep:
    """A training step as the papers' formulas say, one after another."""

    def __init__(self) -> None:
        self.model = PlainDiT()
        self.ema = copy.deepcopy(self.model).requires_grad_(False)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-4, weight_decay=0)
        betas = torch.linspace(1e-4, 2e-2, 1000, dtype=torch.float64)
        cumulative = torch.cumprod(1 - betas, 0)
        previous = torch.cat([torch.ones(1, dtype=torch.float64), cumulative[:-1]])
        variance = betas * (1 - previous) / (1 - cumulative)
        self.tables = {
            "signal": cumulative.sqrt(),
            "noise": (1 - cumulative).sqrt(),
            "low": torch.log(torch.cat([variance[1:2], variance[1:]])),
            "high": torch.log(betas),
            "x0": betas * previous.sqrt() / (1 - cumulative),
            "xt": (1 - previous) * (1 - betas).sqrt() / (1 - cumulative),
            "recip": (1 / cumulative).sqrt(),
            "recipm1": (1 / cumulative - 1).sqrt(),
        }
        self.stored = np.random.default_rng(0).random((512, 2, 2, 4, 32, 32), dtype=np.float32)
        self.classes = torch.randint(0, 1000, (512,))

    def at(self, name: str, t: Tensor) -> Tensor:
        return self.tables[name][t].float()[:, None, None, None]

    def __call__(self) -> None:
        rows = np.random.permutation(512)[:BATCH]
        both = torch.from_numpy(self.stored[rows, np.random.randint(0, 2, BATCH)])
        x0 = (both[:, 0] + both[:, 1] * torch.randn_like(both[:, 0])) * 0.18215
        y = torch.where(torch.rand(BATCH) < 0.1, 1000, self.classes[rows])
        t, noise = torch.randint(0, 1000, (BATCH,)), torch.randn_like(x0)
        xt = self.at("signal", t) * x0 + self.at("noise", t) * noise
        eps, v = self.model(xt, t, y).chunk(2, dim=1)
        mse = ((eps - noise) ** 2).mean(dim=(1, 2, 3))

        frozen = eps.detach()
        fraction = (v + 1) / 2
        log_variance = fraction * self.at("high", t) + (1 - fraction) * self.at("low", t)
        predicted = self.at("recip", t) * xt - self.at("recipm1", t) * frozen
        mean = self.at("x0", t) * predicted + self.at("xt", t) * xt
        true = self.at("x0", t) * x0 + self.at("xt", t) * xt
        kl = gaussian_kl(true, self.at("low", t).expand_as(true), mean, log_variance)
        kl = kl.mean(dim=(1, 2, 3)) / math.log(2)
        inverse = torch.exp(-0.5 * log_variance)
        above = cdf(inverse * (x0 - mean + 1 / 255))
        below = cdf(inverse * (x0 - mean - 1 / 255))
        inside = torch.log((above - below).clamp(min=1e-12))
        low, high = torch.log(above.clamp(min=1e-12)), torch.log((1 - below).clamp(min=1e-12))
        nll = -torch.where(x0 < -0.999, low, torch.where(x0 > 0.999, high, inside))
        vb = torch.where(t == 0, nll.mean(dim=(1, 2, 3)) / math.log(2), kl)

        self.optimizer.zero_grad()
        (mse + vb).mean().backward()
        self.optimizer.step()
        with torch.no_grad():
            for average, weight in zip(self.ema.parameters(), self.model.parameters(), strict=True):
                average.mul_(0.9999).add_(weight, alpha=1e-4)


def test_the_plain_model_is_the_same_model() -> None:
    ours = build("DiT-S/4", image_size=256)
    count = sum(p.numel() for p in PlainDiT().parameters() if p.requires_grad)
    assert count == sum(p.numel() for p in ours.parameters())


def test_a_training_step_is_no_slower_than_plain_torch(tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    plain = PlainStep()
    times: dict[str, list[float]] = {"ours": [], "plain": []}
    last = [time.process_time()]

    def stopping() -> bool:
        times["ours"].append(time.process_time() - last[0])
        began = time.process_time()
        plain()
        times["plain"].append(time.process_time() - began)
        last[0] = time.process_time()
        return False

    setting = Setting("train", "DiT-S/4", batch_size=BATCH, steps=TURNS // 2 + 1, device="cpu")
    settings, work, gflops = training(setting, tmp_path, torch.device("cpu"), stopping)
    try:
        train.fit(settings, work, gflops)
    finally:
        torch.set_num_threads(threads)
    ours, theirs = (times[k][2:] for k in ("ours", "plain"))  # the first two warm up
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    ratio = statistics.median(ratios)
    print(
        f"\nDiT-S/4, batch {BATCH}, float32, one thread, {len(ratios)} turns, processor seconds: "
        f"ours {statistics.median(ours):.3f}, plain torch {statistics.median(theirs):.3f}, "
        f"ratio {ratio:.3f} ({min(ratios):.3f} to {max(ratios):.3f})"
    )
    assert ratio <= 1.0
