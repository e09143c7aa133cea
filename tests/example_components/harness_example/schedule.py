"""A learning-rate schedule: the rate falls with the root of the step, as long as training lasts.

train: {schedule: {name: inverse-root, flat: 20}}
"""

from typing import ClassVar

from harness.components import Schedule


class InverseRoot(Schedule):
    """The whole rate for `flat` steps, then the root of flat / step of it."""

    name: ClassVar[str] = "inverse-root"

    flat: int = 1000
    "Steps at the whole rate."

    def factor(self, step, horizon):
        # `horizon` is not used: a checkpoint of a short training is one of every longer training,
        # and `horizon_matters` stays False.
        return min(1.0, (max(self.flat, 1) / (step + 1)) ** 0.5)
