"""Classifier-free guidance: two predictions, one batch (Ho and Salimans 2021; DiT section 3.1)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from harness.diffusion.interval import holds
from harness.errors import BadInput

Guided = Callable[[Tensor, Tensor, Tensor], Tensor]


def guided(
    model: torch.nn.Module,
    scale: float,
    channels: int | None = 3,
    interval: tuple[float, float] | None = None,
    *,
    null_label: int | None = None,
    own_time: Callable[[float], float] | None = None,
) -> Guided:
    """A function (x (N, C, H, W), t (N,), y (N,)) -> (N, 2C, H, W) with guided noise.

    noise = null + scale (conditional - null) on the first `channels` noise channels (the published
    DiT numbers use 3 of 4; None means all); other channels, the variance's among them, are the
    conditional prediction's. Both predictions are one batch of 2N; the null label is
    model.null_label. scale 1 is a plain forward, and so is scale 1's cost.

    interval: guide only where low <= t <= high, in original timesteps (Kynkaanniemi et al. 2024),
    or in the time that own_time makes of what the network is given; a batch of samplers shares one
    t, so steps outside cost one forward. null_label: the model's own where it is not given.

    Raises BadInput if channels is negative, the interval is empty, or the model has no null label.
    """
    if channels is not None and channels < 1:
        raise BadInput(f"guidance channels must be at least 1 (or none for all), not {channels}")
    if interval is not None and interval[0] > interval[1]:
        raise BadInput(f"guidance interval {interval}: the first timestep is above the second")
    if scale == 1:
        return lambda x, t, y: model(x, t, y)
    if null_label is None:
        null_label = getattr(model, "null_label", None)
    if not isinstance(null_label, int):
        raise BadInput(
            f"guidance scale {scale} needs a model trained with label dropout, and this one has no "
            "null label; use scale 1 or another checkpoint"
        )

    def both(x: Tensor, t: Tensor, y: Tensor) -> Tensor:
        if channels is not None and channels > x.shape[1]:
            raise BadInput(f"guidance on {channels} channels, but samples have {x.shape[1]}")
        count = x.shape[1] if channels is None else channels
        labels = torch.cat([y, torch.full_like(y, null_label)])
        conditional, null = model(torch.cat([x, x]), torch.cat([t, t]), labels).chunk(2)
        noise = torch.lerp(null[:, :count], conditional[:, :count], scale)
        return torch.cat([noise, conditional[:, count:]], dim=1)

    if interval is None:
        return both

    def within(x: Tensor, t: Tensor, y: Tensor) -> Tensor:
        first = float(t[0]) if own_time is None else own_time(float(t[0]))
        return both(x, t, y) if holds(interval, first) else model(x, t, y)

    return within
