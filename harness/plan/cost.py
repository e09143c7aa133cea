"""The cost of a stage, in closed form, so that planning needs neither torch nor a trace.

Gflops here are the paper's: forward multiply-accumulates of one image / 1e9, without guidance.
A test holds `dit_gflops` equal to fvcore's count of the real models (harness.models.complexity).
"""

from __future__ import annotations

from typing import Any

TRAINING_FACTOR = 3  # section 4: the backward pass is taken as twice the forward pass


def dit_gflops(
    depth: int,
    width: int,
    patch_size: int,
    input_size: int,
    channels: int,
    block: str = "adaln-zero",
    out_channels: int | None = None,
) -> float:
    """Strict Gflops (convolutions, linears, attention products) of one forward pass."""
    d, p = width, patch_size
    outputs = 2 * channels if out_channels is None else out_channels
    tokens = (input_size // p) ** 2
    sequence = tokens + 2 if block == "in-context" else tokens
    conditioning = {
        "adaln-zero": 6 * d * d,
        "adaln": 4 * d * d,
        "in-context": 0,
        "cross-attention": 2 * tokens * d * d + 4 * d * d + 4 * tokens * d,
    }[block]
    per_block = 12 * sequence * d * d + 2 * sequence * sequence * d + conditioning
    total = depth * per_block + 256 * d + d * d
    total += tokens * p * p * channels * d + tokens * d * p * p * outputs
    if block in ("adaln-zero", "adaln"):
        total += 2 * d * d
    return total / 1e9


def training_gflops(gflops: float, batch_size: int, steps: int) -> float:
    """Training compute (section 5): Gflops x batch x steps x 3."""
    return gflops * batch_size * steps * TRAINING_FACTOR


def sampling_gflops(
    gflops: float, evaluations: int, guidance_scale: float = 1.0, guided: int | None = None
) -> float:
    """Sampling compute of one image. A guided evaluation doubles the batch, so also the cost.

    evaluations: of the network, which are not always the sampler's steps; guided: how many of them
    are guided (None: all), where the scale is not 1.
    """
    if guidance_scale == 1.0:
        return gflops * evaluations
    return gflops * (evaluations + (evaluations if guided is None else guided))


def guided(
    sampler: Any, objective: Any, steps: int, interval: tuple[float, float] | None
) -> int | None:
    """How many evaluations lie in a guidance interval, both ends included; None: in all times."""
    if interval is None:
        return None
    from harness.diffusion.interval import holds

    return sum(holds(interval, t) for t in sampler.times(objective, steps))
