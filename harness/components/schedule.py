"""Learning-rate schedules: `train.schedule` in a study."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from harness.components.base import Component
from harness.errors import BadInput

BUILT_IN = {
    "constant": "harness.stages.schedules:Constant",
    "warmup": "harness.stages.schedules:WarmUp",
    "cosine": "harness.stages.schedules:Cosine",
    "wsd": "harness.stages.schedules:WarmUpStableDecay",
}


class Schedule(Component):
    """The learning rate as a share of the study's, by step. A pure function."""

    kind: ClassVar[str] = "schedule"

    @property
    def horizon_matters(self) -> bool:
        """Does the rate at any step depend on how long training will be?

        Then the horizon is in the key of every checkpoint after `shared_until`.
        """
        return False

    def shared_until(self, horizon: int) -> int:
        """How many of a training's `horizon` steps have the rates of every longer training.

        Checkpoints up to there are the same for all lengths and are trained once: with a decay at
        the end, the trunk that its branches leave. Between 0 and `horizon`.
        """
        return 0 if self.horizon_matters else horizon

    def covering(self, step: int) -> int:
        """A horizon whose training shares its first `step` steps with every longer one.

        A trunk to `step` is trained by it. Raises BadInput when there is none.
        """
        horizon = max(step, 1)
        for _ in range(64):
            if self.shared_until(horizon) >= step:
                return horizon
            horizon *= 2
        raise BadInput(f"no length of training shares its first {step:,} steps ({self.name})")

    @abstractmethod
    def factor(self, step: int, horizon: int) -> float:
        """The factor of step `step` (0 is the first) of a training of `horizon` steps."""

    def check(self, steps: int) -> None:
        """Raise BadInput when the schedule does not go with a training of `steps` steps."""
