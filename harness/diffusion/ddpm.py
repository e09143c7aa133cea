"""The paper's objective and its samplers: DDPM with learned variance, ancestral sampling, DDIM.

Time is the index of a diffusion step, 0 (clean) to steps - 1 (noise), and the network is given that
index. It returns the noise and, in as many further channels, where the reverse variance lies
between its bounds (Improved DDPM, equation 15). The numbers are harness.diffusion.gaussian's.

Keys: what the settings of these components add to a stage's settings is what stood there before
there were components, so that keys of older results stand.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from harness.components.objective import Objective
from harness.components.sampler import Sampler
from harness.errors import BadInput

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from harness.components.objective import Network
    from harness.components.sampler import Denoise, Noise
    from harness.diffusion.gaussian import Diffusion


LEAST_STEPS = 21  # harness.diffusion.schedule's, without importing NumPy to plan


class DDPM(Objective):
    """Noise and its variance over discrete steps, linear betas 1e-4 to 2e-2 (the paper's)."""

    name = "ddpm"
    default_sampler = "ancestral"
    minimises = "mse and variational bound"

    steps: Annotated[int, Field(ge=LEAST_STEPS)] = 1000
    "Diffusion steps of the forward process; with fewer than 21 its betas would reach 1."

    @classmethod
    def complete(cls, given: dict[str, Any], section: Any) -> dict[str, Any]:
        """Its steps stand in the study's `diffusion` section too."""
        return {"steps": section.diffusion.steps, **given}

    @property
    def time_range(self) -> tuple[float, float]:
        """Indices of the diffusion steps."""
        return 0, self.steps - 1

    def out_channels(self, channels: int) -> int:
        """The noise and the variance's interpolation."""
        return 2 * channels

    def draw_times(self, generator: np.random.Generator, count: int) -> np.ndarray:
        """Uniform step indices, (count,) int64."""
        return generator.integers(0, self.steps, count)

    def training_losses(
        self, network: Network, x: Tensor, t: Tensor, noise: Tensor, **condition: Any
    ) -> dict[str, Tensor]:
        """The hybrid loss and its two parts: {"loss", "mse", "vb"}, each (N,)."""
        return diffusion(self.steps, None).training_losses(network, x, t, noise, **condition)

    def key_fields(self, role: str) -> dict[str, Any]:
        """{"diffusion_steps": steps}, as before there were components."""
        return {"diffusion_steps": self.steps}

    @classmethod
    def from_key(cls, role: str, settings: dict[str, Any]) -> DDPM:
        """`key_fields` read back."""
        return cls(steps=settings["diffusion_steps"])


class _OverSteps(Sampler):
    """The common part of samplers that take a shorter selection of the diffusion steps."""

    serves = ("ddpm",)

    clip: bool = False
    "Clamp the predicted clean image to [-1, 1] at each step; the paper does not."

    @classmethod
    def complete(cls, given: dict[str, Any], section: Any) -> dict[str, Any]:
        """Its settings stand in the evaluation itself too."""
        own = section.model_fields_set & cls.model_fields.keys()
        return {**{name: getattr(section, name) for name in own}, **given}

    def check(self, objective: Objective, steps: int) -> None:
        """Raise BadInput for more steps than the objective has, or none."""
        if steps < 1:
            raise BadInput(f"{self.name} takes at least 1 step, not {steps}")
        if steps > as_ddpm(objective).steps:
            raise BadInput(f"{steps} is more than diffusion.steps {as_ddpm(objective).steps}")

    def evaluations(self, objective: Objective, steps: int) -> int:
        """One network evaluation for each step."""
        return steps

    def times(self, objective: Objective, steps: int) -> Sequence[float]:
        """The kept indices, noisiest first; one network evaluation at each."""
        from harness.diffusion.schedule import kept_timesteps

        return [int(t) for t in kept_timesteps(as_ddpm(objective).steps, steps)[::-1]]

    def key_fields(self, role: str) -> dict[str, Any]:
        """{"sampler", "eta"}, and "clip" where it is set, as before there were components."""
        clip = {"clip": True} if self.clip else {}
        return {"sampler": self.name, "eta": getattr(self, "eta", None), **clip}

    @classmethod
    def from_key(cls, role: str, settings: dict[str, Any]) -> _OverSteps:
        """`key_fields` read back."""
        eta = {"eta": float(settings["eta"] or 0.0)} if "eta" in cls.model_fields else {}
        return cls(clip=bool(settings.get("clip", False)), **eta)


class Ancestral(_OverSteps):
    """Ancestral sampling with the learned variance (DDPM algorithm 2): the paper's sampler."""

    name = "ancestral"

    def sample(
        self,
        objective: Objective,
        denoise: Denoise,
        z: Tensor,
        steps: int,
        noise: Noise,
        **condition: Any,
    ) -> Tensor:
        """z (N, C, H, W) to samples; one draw of noise per step but the last."""
        process = diffusion(as_ddpm(objective).steps, steps)
        return process.sample(denoise, z, noise=noise, clip=self.clip, **condition)


class DDIM(_OverSteps):
    """DDIM (Song et al. 2021, equations 12 and 16)."""

    name = "ddim"

    eta: Annotated[float, Field(ge=0, le=1)] = 0.0
    "Share of the ancestral noise that is added at each step: 0 is deterministic, 1 ancestral."

    def sample(
        self,
        objective: Objective,
        denoise: Denoise,
        z: Tensor,
        steps: int,
        noise: Noise,
        **condition: Any,
    ) -> Tensor:
        """z (N, C, H, W) to samples; asks for noise where eta is above 0."""
        process = diffusion(as_ddpm(objective).steps, steps)
        return process.ddim(denoise, z, self.eta, noise=noise, clip=self.clip, **condition)


@cache
def diffusion(steps: int, sampling: int | None) -> Diffusion:
    """The process, made once: it holds tables only."""
    from harness.diffusion.gaussian import Diffusion

    return Diffusion(steps, sampling=sampling)


def as_ddpm(objective: Objective) -> DDPM:
    """The objective as the one it must be. Raises BadInput."""
    if not isinstance(objective, DDPM):
        raise BadInput(f"the objective {objective.name!r} has no diffusion steps to sample over")
    return objective
