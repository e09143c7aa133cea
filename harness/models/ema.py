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
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import BadInput

if TYPE_CHECKING:
    from torch import Tensor

LONGEST = 0.28  # std from which gamma would fall below 0: more than a plain mean's
FAR = 0.03  # a made profile may be this far from the one wanted, as a share of its norm


@dataclass(frozen=True)
class Snapshot:
    """When an average was kept, and its length."""

    step: int  # training steps done
    std: float


@cache
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
    """The weight of each snapshot in the average: (snapshots,) float64, of sum 1 or nearly.

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
    products, aims, _ = _products([snapshots[i] for i in usable], step, std)
    weights = np.zeros(len(snapshots))
    weights[usable] = np.linalg.lstsq(products, aims, rcond=None)[0]
    return weights


def misfit(snapshots: Sequence[Snapshot], step: int, std: float) -> float:
    """How far the profile that `post_hoc_weights` make is from the one wanted, over its norm.

    Errors: as `post_hoc_weights`.
    """
    weights = post_hoc_weights(snapshots, step, std)
    products, aims, norm = _products(snapshots, step, std)
    rest = norm - 2 * weights @ aims + weights @ products @ weights
    return float(np.sqrt(max(rest, 0.0) / norm))


def check_post_hoc(every: int, lengths: Sequence[float], step: int, std: float) -> None:
    """Raise BadInput, naming what fits, unless an average of `std` at `step` can be made well.

    From averages of these lengths, kept every so many steps and at `step`.
    """

    def of(spacing: int) -> float:
        kept = snapshot_steps(spacing, step)
        return misfit([Snapshot(s, each) for each in lengths for s in kept], step, std)

    found = of(every)
    if found <= FAR:
        return
    closer = [step // n for n in (2, 4, 8, 16, 32, 64) if step // n and step // n < every]
    fits = next((spacing for spacing in closer if of(spacing) <= FAR), None)
    advice = f"every {fits:,} steps would do" if fits else "a length that was kept would do"
    raise BadInput(
        f"from snapshots every {every:,} steps, an average of length {std:g} at step {step:,} is "
        f"{found:.0%} off what was asked for (at most {FAR:.0%}): {advice}"
    )


def _products(
    snapshots: Sequence[Snapshot], step: int, std: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """Inner products of the snapshots' profiles (S, S), with the wanted one (S,), and its own."""
    at = np.array([each.step for each in snapshots], dtype=np.float64)
    exponents = np.array([gamma(each.std) for each in snapshots])
    end, wanted = np.array([float(step)]), np.array([gamma(std)])
    products = _inner(at[:, None], exponents[:, None], at[None, :], exponents[None, :])
    return products, _inner(at, exponents, end, wanted), float(_inner(end, wanted, end, wanted)[0])


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
