"""What each part of the training step gained: as first written, beside as it is now, in one run.

    python -m pytest -m benchmark tests/benchmarks/test_training_parts.py -s     # about 2 minutes

Both sides of a part compute the same thing (asserted) and take turns; medians of one thread's
processor time are compared, and the whole step is told beside them, to say what a part is worth.
DiT-S/4, batch 8, float32. torch.compile is measured and told; it is a setting (off: it takes a
minute to compile, which a micro model never earns back), so its gain is not asserted.
"""

from __future__ import annotations

import copy
import math
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.data.latents import Latents
from harness.data.order import batch_indices
from harness.diffusion import Diffusion
from harness.models import build
from harness.models.blocks import modulate
from harness.stages.benchmark import Setting, training

pytestmark = [pytest.mark.benchmark, pytest.mark.slow]

BATCH, TOKENS, WIDTH, DEPTH = 8, 64, 384, 12  # DiT-S/4's


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def compared(
    what: str, before: Callable[[], object], after: Callable[[], object], turns: int = 25
) -> float:
    """Median of after / before, turn by turn."""
    spent: tuple[list[float], list[float]] = ([], [])
    for _ in range(turns + 3):
        for side, times in zip((before, after), spent, strict=True):
            began = time.process_time()
            side()
            times.append(time.process_time() - began)
    old, new = (times[3:] for times in spent)  # the first turns warm up
    ratio = statistics.median(b / a for a, b in zip(old, new, strict=True))
    print(
        f"\n{what}: before {1e3 * statistics.median(old):.2f} ms, "
        f"now {1e3 * statistics.median(new):.2f} ms, ratio {ratio:.2f}"
    )
    return ratio


def test_modulation_in_one_operation() -> None:
    x = torch.randn(BATCH, TOKENS, WIDTH, requires_grad=True)
    shift, scale = (torch.randn(BATCH, 1, WIDTH, requires_grad=True) for _ in range(2))
    norm = nn.LayerNorm(WIDTH, elementwise_affine=False, eps=1e-6)

    def plain() -> Tensor:
        return norm(x) * (1 + scale) + shift

    torch.testing.assert_close(modulate(x, shift, scale), plain(), rtol=1e-5, atol=1e-5)

    def blocks(one: Callable[[], Tensor]) -> Callable[[], None]:
        return lambda: [one().sum().backward() for _ in range(2 * DEPTH)] and None

    what = f"modulation, {2 * DEPTH} times, forward and backward"
    assert compared(what, blocks(plain), blocks(lambda: modulate(x, shift, scale))) <= 1.02


def test_one_silu_for_all_blocks() -> None:
    c = torch.randn(BATCH, WIDTH, requires_grad=True)
    layers = [nn.Linear(WIDTH, 6 * WIDTH) for _ in range(DEPTH)]

    def each() -> None:
        sum(layer(F.silu(c)).sum() for layer in layers).backward()  # type: ignore[union-attr]

    def once() -> None:
        activated = F.silu(c)
        sum(layer(activated).sum() for layer in layers).backward()  # type: ignore[union-attr]

    assert compared("SiLU of the condition, 12 blocks, with their linears", each, once) <= 1.02


def test_the_loss_with_its_coefficients_worked_out() -> None:
    """Against the papers' formulas one after another (tests/benchmarks/test_training_speed.py)."""
    diffusion = Diffusion(1000, sampling=None)
    s = diffusion.schedule
    x0, noise = torch.randn(BATCH, 4, 32, 32).clamp(-1, 1), torch.randn(BATCH, 4, 32, 32)
    t, output = torch.randint(1, 1000, (BATCH,)), torch.randn(BATCH, 8, 32, 32)
    output.requires_grad_(True)

    def at(table: np.ndarray) -> Tensor:
        return torch.from_numpy(table)[t].float()[:, None, None, None]

    def plain() -> Tensor:
        xt = at(np.sqrt(s.alphas_cumprod)) * x0 + at(np.sqrt(1 - s.alphas_cumprod)) * noise
        eps, v = output.chunk(2, dim=1)
        low, high = at(s.posterior_log_variance), at(np.log(s.betas))
        fraction = (v + 1) / 2
        log_variance = fraction * high + (1 - fraction) * low
        recip = np.sqrt(1 / s.alphas_cumprod)
        predicted = at(recip) * xt - at(np.sqrt(1 / s.alphas_cumprod - 1)) * eps.detach()
        mean = at(s.posterior_mean_x0) * predicted + at(s.posterior_mean_xt) * xt
        true = at(s.posterior_mean_x0) * x0 + at(s.posterior_mean_xt) * xt
        kl = 0.5 * (
            log_variance
            - low
            - 1
            + torch.exp(low - log_variance)
            + (true - mean) ** 2 * torch.exp(-log_variance)
        )
        mse = ((eps - noise) ** 2).mean(dim=(1, 2, 3))
        return mse + kl.mean(dim=(1, 2, 3)) / math.log(2)

    def ours() -> Tensor:
        return diffusion.training_losses(lambda x, t: output, x0, t, noise)["loss"]

    torch.testing.assert_close(ours(), plain(), rtol=1e-4, atol=1e-5)
    assert (
        compared(
            "loss, forward and backward",
            lambda: plain().sum().backward(),
            lambda: ours().sum().backward(),
        )
        <= 1.0
    )


def test_the_average_and_the_optimizer_over_all_tensors_at_once() -> None:
    model = build("DiT-S/4", image_size=256)
    for p in model.parameters():
        p.grad = torch.full_like(p, 1e-3) if p.requires_grad else None
    live, ema = list(model.parameters()), list(copy.deepcopy(model).parameters())
    averages = [p.detach().clone() for p in ema]

    @torch.no_grad()
    def one_by_one() -> None:
        for average, weight in zip(averages, live, strict=True):
            average.mul_(0.9999).add_(weight, alpha=1e-4)

    @torch.no_grad()
    def together() -> None:
        torch._foreach_lerp_(averages, [p.detach() for p in live], 1e-4)

    assert compared("EMA of 33M weights", one_by_one, together) <= 1.0
    trained = [p for p in model.parameters() if p.requires_grad]
    loop = torch.optim.AdamW(trained, lr=1e-9, foreach=False)
    fused = torch.optim.AdamW(trained, lr=1e-9, fused=True)
    assert compared("AdamW of 33M weights", loop.step, fused.step, turns=8) <= 0.6


class Items(torch.utils.data.Dataset):
    """One stored latent at a time, as data loaders are usually fed."""

    def __init__(self, latents: Latents) -> None:
        self.latents = latents

    def __len__(self) -> int:
        return self.latents.count

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        stored = torch.from_numpy(self.latents._parts[0][index].astype(np.float32))
        mean, deviation = stored[torch.randint(2, ())]
        return (mean + deviation * torch.randn_like(mean)) * 0.18215, int(
            self.latents.labels[index]
        )


def test_batches_gathered_at_once(tmp_path: Path) -> None:
    setting = Setting("train", "DiT-S/4", batch_size=BATCH, steps=1, device="cpu")
    training(setting, tmp_path, torch.device("cpu"))
    latents = Latents.open(tmp_path / "latents", autoencoder="sd-vae")
    loader = iter(torch.utils.data.DataLoader(Items(latents), batch_size=BATCH, shuffle=True))
    steps = iter(range(10_000))

    def ours() -> tuple[Tensor, Tensor]:
        step = next(steps)
        noise = torch.randn(BATCH, 4, 32, 32)
        flip = torch.rand(BATCH) < 0.5
        return latents.batch(batch_indices(0, step, BATCH, latents.count), flip, noise)

    x, y = ours()
    expected, labels = next(loader)
    assert x.shape == expected.shape and y.shape == labels.shape and x.dtype == expected.dtype
    assert compared("a batch of 8 latents", lambda: next(loader), ours) <= 1.0


def test_the_whole_step_compiled() -> None:
    """Told, and held to be the same computation; a GPU's gain is another matter."""
    diffusion = Diffusion(1000, sampling=None)
    torch.manual_seed(0)
    model = build("DiT-S/4", image_size=256).train()
    for p in model.parameters():  # the zero-initialised layers would hide a difference
        if p.requires_grad:
            torch.nn.init.normal_(p, std=0.02)
    began = time.perf_counter()
    compiled = torch.compile(model)
    x, t = torch.randn(BATCH, 4, 32, 32), torch.randint(1, 1000, (BATCH,))
    y, noise = torch.randint(0, 1000, (BATCH,)), torch.randn(BATCH, 4, 32, 32)

    def step(forward: Callable[..., Tensor]) -> Tensor:
        model.zero_grad()
        loss = diffusion.training_losses(forward, x, t, noise, y=y)["loss"].mean()
        loss.backward()
        return loss.detach()

    torch.testing.assert_close(step(compiled), step(model), rtol=1e-4, atol=1e-4)
    print(f"\ncompiling took {time.perf_counter() - began:.0f} s")
    compared("forward and backward, compiled", lambda: step(model), lambda: step(compiled), 8)
