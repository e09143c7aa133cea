"""Learning-rate schedules: `train.schedule` in a study."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from harness.components.base import Component

BUILT_IN = {"constant": "harness.stages.schedules:Constant"}


class Schedule(Component):
    """The learning rate as a share of the study's, by step. A pure function."""

    kind: ClassVar[str] = "schedule"

    @property
    def horizon_matters(self) -> bool:
        """Does the rate at step n depend on how long training will be?

        Then the horizon is in the key of every checkpoint, and lengths share nothing.
        """
        return False

    @abstractmethod
    def factor(self, step: int, horizon: int) -> float:
        """The factor of step `step` (0 is the first) of a training of `horizon` steps."""

    def check(self, steps: int) -> None:
        """Raise BadInput when the schedule does not go with a training of `steps` steps."""
