"""Side by side with the plain writing of the same model: ours must not be slower."""

from __future__ import annotations

import time
from dataclasses import asdict

import pytest
import torch

from harness.models import build
from harness.models.zoo import architecture

RUNS = [("DiT-micro-S/8", 64, 15), ("DiT-micro-XL/2", 64, 7), ("DiT-S/4", 8, 5)]


@pytest.mark.slow
@pytest.mark.benchmark
@pytest.mark.parametrize(("name", "batch_size", "repeats"), RUNS)
def test_a_training_step_is_no_slower_than_plain_modules(plain_dit, name, batch_size, repeats):
    shape = architecture(name)
    plain_settings = asdict(shape)
    plain_settings.pop("block")
    models = {"ours": build(name), "plain": plain_dit(**plain_settings)}
    models["plain"].load_state_dict(models["ours"].state_dict())
    optimizers = {k: torch.optim.AdamW(m.parameters(), fused=True) for k, m in models.items()}
    x = torch.randn(batch_size, shape.channels, shape.input_size, shape.input_size)
    t, y = torch.randint(1000, (batch_size,)), torch.randint(1000, (batch_size,))
    seconds = {"ours": [], "plain": []}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for _ in range(repeats):
            for kind, model in models.items():
                start = time.process_time()
                optimizers[kind].zero_grad()
                model(x, t, y).square().mean().backward()
                optimizers[kind].step()
                seconds[kind].append(time.process_time() - start)
    finally:
        torch.set_num_threads(threads)
    ours, plain = (min(seconds[kind]) for kind in ("ours", "plain"))
    print(f"{name}: ours {1e3 * ours:.1f} ms, plain {1e3 * plain:.1f} ms, ratio {ours / plain:.3f}")
    assert ours <= 1.05 * plain
