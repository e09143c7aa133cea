"""Averages of the weights: several at once, and of any length after training (EDM2, 2312.02696).

A power-function average weighs step t by t^gamma, so that its relative length is the same at any
length of training. The length is given as `std`, the standard deviation of that profile as a share
of the training (EDM2's sigma_rel, appendix C). Its value at step t follows from that at t - 1:

    average = lerp(average, weights, 1 - beta),    beta = (1 - 1 / t)^(gamma + 1)

From snapshots of averages of two lengths or more, taken now and then, the average of any other
length between them is made after training as a weighted sum (equation 117 and algorithm 3).

Pure functions; solved in float64.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import BadInput

if TYPE_CHECKING:
    from torch import Tensor

LONGEST = 0.28  # std from which gamma would fall below 0: more than a plain mean's


@dataclass(frozen=True)
class Snapshot:
    """When an average was kept, and its length."""

    step: int  # training steps done
    std: float


def gamma(std: float) -> float:
    """The exponent of a profile of relative standard deviation `std` (EDM2, appendix C.1).

    std^-2 = (gamma + 2)^2 (gamma + 3) / (gamma + 1). Raises BadInput outside (0, 0.28).
    """
    if not 0 < std < LONGEST:
        raise BadInput(
            f"an average's length is a share of the training between 0 and {LONGEST}, not {std}"
        )
    inverse = std**-2
    roots = np.roots([1.0, 7.0, 16.0 - inverse, 12.0 - inverse])
    return float(roots.real.max())


def power_decay(step: int, std: float) -> float:
    """beta of the update after training step `step` (1 is the first, and takes the weights)."""
    if step < 1:
        raise BadInput(f"averages are updated after steps 1, 2, ..., not {step}")
    return float((1 - 1 / step) ** (gamma(std) + 1))


def update(
    averages: Sequence[Sequence[Tensor]], live: Sequence[Tensor], betas: Sequence[float]
) -> None:
    """Move each average towards the live weights, in place: its new share is 1 - beta."""
    import torch

    with torch.no_grad():
        for average, beta in zip(averages, betas, strict=True):
            torch._foreach_lerp_(list(average), list(live), 1.0 - beta)


def snapshot_steps(every: int, until: int) -> list[int]:
    """The steps at which averages are kept: every so many, and the last."""
    if every < 1:
        raise BadInput(f"snapshots are kept every 1 step or more, not {every}")
    return sorted({*range(every, until + 1, every), until})


def post_hoc_weights(snapshots: Sequence[Snapshot], step: int, std: float) -> np.ndarray:
    """What to multiply each snapshot with, and add up: (snapshots,) float64, of sum 1 or nearly.

    The result comes nearest, by least squares over all steps, to the average of length `std` at
    `step`. Snapshots after `step` are not used. Raises BadInput, naming what fits, when there are
    none, or `std` is outside what they can give.
    """
    usable = [i for i, each in enumerate(snapshots) if each.step <= step]
    if not usable:
        taken = ", ".join(f"{s:,}" for s in sorted({each.step for each in snapshots})) or "none"
        raise BadInput(
            f"no average was kept up to step {step:,} (kept at: {taken}): one of another length "
            "cannot be made after training without snapshots"
        )
    lengths = sorted({snapshots[i].std for i in usable})
    if len(lengths) < 2 and std != lengths[0]:
        raise BadInput(
            f"averages of one length only were kept ({lengths[0]:g}); an average of length {std:g} "
            "needs snapshots of two lengths"
        )
    low, high = lengths[0], lengths[-1]
    if not low <= std <= high * 1.5:
        raise BadInput(
            f"from averages of lengths {', '.join(f'{each:g}' for each in lengths)}, lengths of "
            f"{low:g} to {high * 1.5:g} can be made, not {std:g}"
        )
    at = np.array([snapshots[i].step for i in usable], dtype=np.float64)
    exponents = np.array([gamma(snapshots[i].std) for i in usable])
    wanted_at, wanted = np.array([float(step)]), np.array([gamma(std)])
    products = _inner(at[:, None], exponents[:, None], at[None, :], exponents[None, :])
    aims = _inner(at[:, None], exponents[:, None], wanted_at[None, :], wanted[None, :])
    solved = np.linalg.lstsq(products, aims, rcond=None)[0][:, 0]
    weights = np.zeros(len(snapshots))
    weights[usable] = solved
    return weights


def _inner(t_a: np.ndarray, g_a: np.ndarray, t_b: np.ndarray, g_b: np.ndarray) -> np.ndarray:
    """The integral of two profiles' product, each p(t) = (g + 1) / T (t / T)^g up to its T."""
    shorter = np.minimum(t_a, t_b)
    logs = (g_a + g_b + 1) * np.log(shorter) - (g_a + 1) * np.log(t_a) - (g_b + 1) * np.log(t_b)
    return np.asarray((g_a + 1) * (g_b + 1) / (g_a + g_b + 1) * np.exp(logs))


def combine(
    states: Iterable[Mapping[str, Tensor]], weights: Sequence[float] | np.ndarray
) -> dict[str, Tensor]:
    """The weighted sum of state dicts, summed in float64; read one after another.

    Tensors that are not floating point are the last state's. Raises BadInput when names or shapes
    differ, and ValueError when there are more or fewer states than weights.
    """
    import torch

    total: dict[str, Tensor] = {}
    kept: dict[str, torch.dtype] = {}
    count = 0
    for state, weight in zip(states, weights, strict=True):
        count += 1
        if total and state.keys() != total.keys():
            raise BadInput(f"snapshot {count} holds other tensors than the first")
        for name, value in state.items():
            if not value.is_floating_point():
                total[name] = value
                continue
            kept[name] = value.dtype
            part = value.detach().to(torch.float64) * float(weight)
            if name in total and total[name].shape != part.shape:
                raise BadInput(f"{name} of snapshot {count} has another shape than the first's")
            total[name] = total[name] + part if name in total else part
    return {name: value.to(kept.get(name, value.dtype)) for name, value in total.items()}
