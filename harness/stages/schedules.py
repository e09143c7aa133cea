"""The learning-rate schedules as components: the factor of the study's rate at each step.

Warm-up rises in equal parts and reaches the whole rate at its last step. A schedule whose end
depends on the length of training says how many steps all lengths share (`shared_until`).
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import Field

from harness.components.schedule import Schedule
from harness.errors import BadInput

Steps = Annotated[int, Field(ge=0, le=2**63 - 1)]
Share = Annotated[float, Field(ge=0, le=1)]


class Constant(Schedule):
    """The study's rate at every step, as in the paper."""

    name = "constant"

    def key_fields(self, role: str) -> dict[str, Any]:
        """Nothing, so that keys from before there were schedules do not change."""
        return {}

    def factor(self, step: int, horizon: int) -> float:
        return 1.0


class _WarmedUp(Schedule):
    """The common part of schedules with a warm-up."""

    warmup: Steps = 0
    "Steps over which the rate rises from nothing."

    def rise(self, step: int) -> float:
        """The factor that warm-up leaves of the rate at `step`."""
        return min(1.0, (step + 1) / self.warmup) if self.warmup else 1.0

    def check(self, steps: int) -> None:
        """Raise BadInput when training ends before warm-up does."""
        if self.warmup >= steps:
            raise BadInput(
                f"the {self.name} schedule warms up for {self.warmup:,} steps, training takes "
                f"{steps:,}: give fewer than {steps:,}"
            )


class WarmUp(_WarmedUp):
    """A linear rise, then the study's rate to the end."""

    name = "warmup"

    warmup: Steps = 5_000
    "Steps over which the rate rises from nothing."

    def factor(self, step: int, horizon: int) -> float:
        return self.rise(step)


class Cosine(_WarmedUp):
    """A linear rise, then half a cosine down to the end of training."""

    name = "cosine"

    final: Share = 0.0
    "Share of the rate that is left at the end."

    @property
    def horizon_matters(self) -> bool:
        return True

    def factor(self, step: int, horizon: int) -> float:
        if step < self.warmup:
            return self.rise(step)
        progress = (step - self.warmup) / max(horizon - self.warmup, 1)
        return self.final + (1 - self.final) * (1 + math.cos(math.pi * min(progress, 1.0))) / 2


class WarmUpStableDecay(_WarmedUp):
    """Warm-up, stable, decay: the rate falls over the last part of training only.

    A decay is a branch: trainings of all lengths share one trunk up to where theirs begins.
    """

    name = "wsd"

    decay: Annotated[float, Field(gt=0, le=1)] = 0.2
    "Share of the training that the decay takes, at its end."

    shape: Literal["linear", "cosine", "1-sqrt"] = "1-sqrt"
    "How the rate falls; 1-sqrt is Haegele et al. 2024 (2405.18392)."

    final: Share = 0.0
    "Share of the rate that is left after the last step."

    @property
    def horizon_matters(self) -> bool:
        return True

    def decay_steps(self, horizon: int) -> int:
        """Steps of the decay of a training of `horizon` steps: at least one."""
        return max(1, round(self.decay * horizon))

    def shared_until(self, horizon: int) -> int:
        """The steps before the decay."""
        return horizon - self.decay_steps(horizon)

    def check(self, steps: int) -> None:
        """Raise BadInput when warm-up reaches into the decay."""
        super().check(steps)
        if self.warmup > self.shared_until(steps):
            raise BadInput(
                f"the wsd schedule warms up for {self.warmup:,} steps, but of {steps:,} steps the "
                f"last {self.decay_steps(steps):,} are its decay: give at most "
                f"{self.shared_until(steps):,}, or a smaller decay"
            )

    def factor(self, step: int, horizon: int) -> float:
        begin, length = self.shared_until(horizon), self.decay_steps(horizon)
        if step < begin:
            return self.rise(step)
        progress = min((step - begin + 1) / (length + 1), 1.0)
        fallen = {
            "linear": progress,
            "cosine": (1 - math.cos(math.pi * progress)) / 2,
            "1-sqrt": math.sqrt(progress),
        }[self.shape]
        return self.rise(step) * (1 - (1 - self.final) * fallen)
