"""The noise schedule: betas, which steps a shorter sampler keeps, and the float64 tables.

Sources: DDPM (Ho et al. 2020) section 2 and equations 6-7 for the forward process and its
posterior; Improved DDPM (Nichol and Dhariwal 2021) section 4 for respacing and equation 15 for the
learned range of the variance. No torch here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.errors import BadInput

LEAST_STEPS = 21  # the last beta is 20 / steps


def linear_betas(steps: int) -> np.ndarray:
    """The linear schedule, 1e-4 to 2e-2 at 1000 steps and scaled for any other number: (steps,).

    Of LEAST_STEPS at least: with fewer the last betas are 1 or more, and no signal is left to keep.
    """
    scale = 1000 / steps
    return np.linspace(scale * 1e-4, scale * 2e-2, steps, dtype=np.float64)


def kept_timesteps(steps: int, sampling: str | int | None) -> np.ndarray:
    """The original timesteps that `sampling` keeps, ascending: (kept,) int64.

    sampling    what is kept
    None, ""    all
    "250", 250  250 steps evenly over all, first and last included: 0, 4, 8, 12, ..., 995, 999
    "10,20,30"  the steps cut into three equal sections, 10 kept in the first, 20, 30
    "ddim50"    every k-th step from 0, for the integer k that keeps exactly 50

    Raises BadInput if the text is none of these or asks for more steps than there are.
    """
    text = "" if sampling is None else str(sampling).strip()
    if not text:
        return np.arange(steps, dtype=np.int64)
    try:
        if text.startswith("ddim"):
            return _every_kth(steps, int(text[4:]))
        counts = [int(part) for part in text.split(",")]
    except ValueError:
        raise BadInput(
            f"sampling steps {sampling!r} are not understood: give a number up to {steps} "
            '(250), sections ("10,20,30"), or an integer stride ("ddim50")'
        ) from None
    kept: list[int] = []
    start = 0
    for section, count in enumerate(counts):
        size = steps // len(counts) + (section < steps % len(counts))
        if not 1 <= count <= size:
            raise BadInput(
                f"sampling steps {sampling!r}: cannot keep {count} of {size} steps; "
                f"give at least 1 and at most {size}"
            )
        stride = 1.0 if count == 1 else (size - 1) / (count - 1)
        position = 0.0
        for _ in range(count):
            # The sum, not index * stride: they round differently at some counts, and published
            # results used the sum.
            kept.append(start + round(position))
            position += stride
        start += size
    return np.unique(np.array(kept, dtype=np.int64))


def _every_kth(steps: int, count: int) -> np.ndarray:
    for stride in range(1, steps + 1):
        if len(range(0, steps, stride)) == count:
            return np.arange(0, steps, stride, dtype=np.int64)
    raise BadInput(
        f'sampling steps "ddim{count}": no integer stride keeps exactly {count} of {steps}; '
        f'give "{count}" instead, which rounds'
    )


@dataclass(frozen=True)
class Schedule:
    """Float64 tables over the kept steps, each (kept,); index 0 is the least noisy.

    The betas are rebuilt so that the kept steps alone reach the same alphas_cumprod.
    """

    timesteps: np.ndarray  # original indices, int64, ascending: what the model sees
    betas: np.ndarray
    alphas_cumprod: np.ndarray
    alphas_cumprod_prev: np.ndarray  # 1 at index 0
    posterior_variance: np.ndarray  # DDPM equation 7; 0 at index 0
    posterior_log_variance: np.ndarray  # clipped: index 0 repeats index 1, as log 0 is not finite
    posterior_mean_x0: np.ndarray  # coefficient of x_0 in the posterior mean, DDPM equation 7
    posterior_mean_xt: np.ndarray  # coefficient of x_t


def schedule(steps: int = 1000, sampling: str | int | None = None) -> Schedule:
    """The linear schedule of `steps` steps, reduced to what `sampling` keeps (kept_timesteps).

    Raises BadInput for fewer than LEAST_STEPS, and for what `sampling` cannot keep.
    """
    if steps < LEAST_STEPS:
        raise BadInput(
            f"diffusion steps must be at least {LEAST_STEPS}, not {steps}: with fewer, betas of "
            "the linear schedule reach 1"
        )
    timesteps = kept_timesteps(steps, sampling)
    kept = np.cumprod(1.0 - linear_betas(steps))[timesteps]
    betas = 1.0 - kept / np.append(1.0, kept[:-1])
    alphas_cumprod = np.cumprod(1.0 - betas)
    previous = np.append(1.0, alphas_cumprod[:-1])
    variance = betas * (1.0 - previous) / (1.0 - alphas_cumprod)
    # With one kept step there is no index 1 to repeat: its variance is beta, the upper bound.
    clipped = np.append(variance[1:2] if len(betas) > 1 else betas[:1], variance[1:])
    return Schedule(
        timesteps=timesteps,
        betas=betas,
        alphas_cumprod=alphas_cumprod,
        alphas_cumprod_prev=previous,
        posterior_variance=variance,
        posterior_log_variance=np.log(clipped),
        posterior_mean_x0=betas * np.sqrt(previous) / (1.0 - alphas_cumprod),
        posterior_mean_xt=(1.0 - previous) * np.sqrt(1.0 - betas) / (1.0 - alphas_cumprod),
    )
