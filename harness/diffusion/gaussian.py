"""Diffusion: the training loss and the samplers of the paper, over the kept steps of a schedule.

The model predicts the noise and, in a second set of channels, where the reverse variance lies
between its two bounds (Improved DDPM, equation 15). Every formula is reduced on paper to few tensor
operations, with coefficients worked out in float64: for the micro models of a laptop study the
sampler and the loss would otherwise cost as much as the network.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harness.diffusion.schedule import schedule
from harness.errors import BadInput

Model = Callable[..., Tensor]  # model(x (N, C, H, W), t (N,), **condition) -> (N, 2C, H, W)
Noise = Callable[[int], Tensor]  # loop step (0 = noisiest) -> (N, C, H, W)
Progress = Callable[[int, int], None]  # called with (steps done, steps in all)


class Diffusion:
    """The diffusion process over `steps` timesteps, reduced to those `sampling` keeps.

    sampling: how many of the steps to keep ("250"), or None for all (see schedule.kept_timesteps).
    timesteps (kept,) int64: their original indices, ascending; the model sees these.
    betas, alphas_cumprod (kept,) float64: of the kept steps.
    """

    def __init__(self, steps: int = 1000, sampling: str | int | None = "250") -> None:
        self.schedule = schedule(steps, sampling)
        self.timesteps = self.schedule.timesteps
        self.betas = self.schedule.betas
        self.alphas_cumprod = self.schedule.alphas_cumprod
        self._training_tables: dict[torch.device, tuple[Tensor, Tensor]] = {}

    def __len__(self) -> int:
        return len(self.timesteps)

    def q_sample(self, x_start: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """x_t of the forward process, (N, C, H, W); t (N,) indexes the kept steps (DDPM eq. 4)."""
        signal, sigma, _, _, _ = self._coefficients(t)
        return torch.addcmul(signal * x_start, sigma, noise)

    def training_losses(
        self,
        model: Model,
        x_start: Tensor,
        t: Tensor,
        noise: Tensor | None = None,
        **condition: Any,
    ) -> dict[str, Tensor]:
        """The hybrid loss: {"loss", "mse", "vb"}, each (N,), loss = mse + vb.

        x_start, noise (N, C, H, W); t (N,) int64 indexes the kept steps. "mse" is of the noise
        (DDPM equation 14), "vb" this step's term of the variational bound in bits per dimension
        (Improved DDPM equations 4-7): it trains the variance only, the noise prediction being
        detached. "vb" is not rescaled by the number of steps.
        Raises BadInput if the model does not return 2C channels.
        """
        if noise is None:
            noise = torch.randn_like(x_start)
        signal, sigma, spread, weight, error_scale = self._coefficients(t)
        x_t = torch.addcmul(signal * x_start, sigma, noise)
        prediction, v = _split(model(x_t, self._original(t), **condition), x_start)

        error = prediction - noise
        squared = error.square()
        mse = squared.mean(dim=(1, 2, 3))

        # With both means written in x_t and noise, the posterior's minus the model's is
        # error_scale * error; and with d = model log-variance - posterior log-variance the KL
        # divergence of the two Gaussians (DDPM equation 5) is as below. expm1 because d is tiny at
        # the noisy end, where d - 1 + exp(-d) would be rounding and nothing else.
        d = torch.addcmul(spread, v, spread)  # (v + 1) / 2 * (log beta - posterior log-variance)
        shrink = torch.expm1(-d)
        distance = weight * squared.detach()
        kl = 0.5 * (d + shrink + torch.addcmul(distance, shrink, distance)).mean(dim=(1, 2, 3))

        # The term at t = 0 is a likelihood instead. On the CPU it is worked out for the samples
        # that need it; on a device for all, as asking which would wait for the device.
        first = t == 0
        if not _host_may_look(x_start):
            centred = torch.where(first[:, None, None, None], error_scale * error.detach(), 0.0)
            nll = self._decoder_nll(x_start, centred, d)
            kl = torch.where(first, nll, kl)
        elif bool(first.any()):
            at = first.nonzero()[:, 0]
            centred = (error_scale * error.detach())[at]
            kl = kl.index_put((at,), self._decoder_nll(x_start[at], centred, d[at]))
        vb = kl / math.log(2.0)
        return {"loss": mse + vb, "mse": mse, "vb": vb}

    def _decoder_nll(self, x_start: Tensor, centred: Tensor, d: Tensor) -> Tensor:
        """-log p(x_0 | x_1) in nats, mean over dimensions: (N,) (DDPM equation 13).

        A Gaussian integrated over the 256-level bin around x_0; centred is x_0 minus its mean.
        """
        log_variance = d + float(self.schedule.posterior_log_variance[0])
        precision = torch.exp(-0.5 * log_variance)
        below = _normal_cdf(precision * (centred + 1 / 255))
        above = _normal_cdf(precision * (centred - 1 / 255))
        inside = torch.log((below - above).clamp(min=1e-12))
        # The outermost bins reach to infinity.
        log_likelihood = torch.where(
            x_start < -0.999,
            torch.log(below.clamp(min=1e-12)),
            torch.where(x_start > 0.999, torch.log((1 - above).clamp(min=1e-12)), inside),
        )
        return -log_likelihood.mean(dim=(1, 2, 3))

    @torch.no_grad()
    def sample(
        self,
        model: Model,
        z: Tensor,
        noise: Noise | None = None,
        clip: bool = False,
        progress: Progress | None = None,
        **condition: Any,
    ) -> Tensor:
        """Ancestral sampling from z ~ N(0, 1) (N, C, H, W) to x_0 (DDPM algorithm 2).

        noise(i): the (N, C, H, W) draw of loop step i, 0 = noisiest; torch's generator if None. The
        draw of the last loop step has no effect and is not asked for. clip: predicted x_0 is
        clamped to [-1, 1] at every step. progress is called with (steps done, steps in all).
        """
        table = self.schedule
        x = z
        for i, k in enumerate(reversed(range(len(self)))):
            draw = drawn(noise, i, z) if k > 0 else None  # before the model: overlaps on a device
            prediction, v = self._predict(model, x, k, condition)
            to_x0, to_xt = float(table.posterior_mean_x0[k]), float(table.posterior_mean_xt[k])
            scale, slope = self._x0_coefficients(k)
            if clip:
                x0 = (scale * x).sub_(prediction, alpha=slope).clamp_(-1, 1)
                mean = x0.mul_(to_x0).add_(x, alpha=to_xt)
            else:
                mean = (x * (to_x0 * scale + to_xt)).sub_(prediction, alpha=to_x0 * slope)
            if draw is None:
                x = mean
            else:
                # exp(log-variance / 2), the log-variance going from low (v = -1) to high (v = 1)
                low, high = float(table.posterior_log_variance[k]), math.log(table.betas[k])
                deviation = (v * ((high - low) / 4)).add_((high + low) / 4).exp_()
                x = mean.addcmul_(deviation, draw)
            if progress is not None:
                progress(i + 1, len(self))
        return x

    @torch.no_grad()
    def ddim(
        self,
        model: Model,
        z: Tensor,
        eta: float = 0.0,
        noise: Noise | None = None,
        clip: bool = False,
        progress: Progress | None = None,
        **condition: Any,
    ) -> Tensor:
        """DDIM sampling (Song et al. 2021, equations 12 and 16) from z (N, C, H, W) to x_0.

        eta 0 is deterministic and asks for no noise; eta 1 has the ancestral sampler's lower
        variance. The other arguments are those of `sample`.
        """
        table = self.schedule
        x = z
        for i, k in enumerate(reversed(range(len(self)))):
            now, previous = float(table.alphas_cumprod[k]), float(table.alphas_cumprod_prev[k])
            sigma = eta * math.sqrt((1 - previous) / (1 - now) * (1 - now / previous))
            draw = drawn(noise, i, z) if sigma > 0 else None
            prediction, _ = self._predict(model, x, k, condition)
            scale, slope = self._x0_coefficients(k)
            x0 = (scale * x).sub_(prediction, alpha=slope)
            if clip:
                x0.clamp_(-1, 1)
                prediction = (scale * x).sub_(x0).div_(slope)  # the noise that would lead there
            direction = math.sqrt(max(1 - previous - sigma**2, 0.0))
            x = x0.mul_(math.sqrt(previous)).add_(prediction, alpha=direction)
            if draw is not None:
                x = x.add_(draw, alpha=sigma)
            if progress is not None:
                progress(i + 1, len(self))
        return x

    def _predict(
        self, model: Model, x: Tensor, k: int, condition: dict[str, Any]
    ) -> tuple[Tensor, Tensor]:
        t = torch.full((x.shape[0],), int(self.timesteps[k]), dtype=torch.int64, device=x.device)
        return _split(model(x, t, **condition), x)

    def _x0_coefficients(self, k: int) -> tuple[float, float]:
        """x_0 = scale x_t - slope noise, at kept step k."""
        signal = float(self.alphas_cumprod[k])
        return math.sqrt(1 / signal), math.sqrt(1 / signal - 1)

    def _coefficients(self, t: Tensor) -> tuple[Tensor, ...]:
        """The training loss's five coefficients at kept steps t, each (N, 1, 1, 1) float32."""
        table, _ = self._tables(t.device)
        return table[t][:, :, None, None, None].unbind(1)

    def _original(self, t: Tensor) -> Tensor:
        return self._tables(t.device)[1][t]

    def _tables(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """((kept, 5) float32, (kept,) int64) on `device`: made once, cast once from float64."""
        if device not in self._training_tables:
            s = self.schedule
            low = s.posterior_log_variance
            error_scale = s.posterior_mean_x0 * np.sqrt(1 / s.alphas_cumprod - 1)
            columns = (
                np.sqrt(s.alphas_cumprod),
                np.sqrt(1 - s.alphas_cumprod),
                (np.log(s.betas) - low) / 2,
                error_scale**2 * np.exp(-low),
                error_scale,
            )
            table = torch.from_numpy(np.stack(columns, axis=1)).float().to(device)
            self._training_tables[device] = (table, torch.from_numpy(s.timesteps).to(device))
        return self._training_tables[device]


def _host_may_look(x: Tensor) -> bool:
    """Whether branching on a tensor's values is free: on a device the host would wait for them."""
    return x.device.type == "cpu"


def _split(output: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """The model's output as (noise, v), each (N, C, H, W) in x's precision."""
    if output.shape[1] != 2 * x.shape[1]:
        raise BadInput(
            f"the model returned {output.shape[1]} channels for {x.shape[1]} input channels; "
            f"noise and variance need {2 * x.shape[1]} (build it with learned sigma)"
        )
    noise, v = output.to(x.dtype).chunk(2, dim=1)
    return noise, v


def drawn(noise: Noise | None, i: int, like: Tensor) -> Tensor:
    """The draw of loop step i where and as `like` is; torch's generator without `noise`.

    Raises BadInput when the draw has another shape.
    """
    if noise is None:
        return torch.randn_like(like)
    draw = noise(i)
    if draw.shape != like.shape:
        raise BadInput(
            f"noise({i}) has shape {tuple(draw.shape)}; the samples are {tuple(like.shape)}"
        )
    if like.is_cuda and not draw.is_cuda:
        return draw.pin_memory().to(like, non_blocking=True)
    return draw.to(like)


def _normal_cdf(x: Tensor) -> Tensor:
    """The tanh approximation of the standard normal's distribution function (as in GELU)."""
    return 0.5 * (1.0 + torch.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x**3)))
