"""A sampler for the objective `arc`: from noise to data in equal steps of the angle.

evaluations: {final: {sampler: arc-steps, sampling_steps: 8}}
"""

import math
from typing import ClassVar

from harness.components import Sampler
from harness.errors import BadInput


class ArcSteps(Sampler):
    """Deterministic: each step goes to the point that the predicted image and noise give."""

    name: ClassVar[str] = "arc-steps"
    serves: ClassVar[tuple[str, ...]] = ("arc",)

    def check(self, objective, steps):
        if steps < 1:
            raise BadInput("arc-steps needs at least one step")

    def times(self, objective, steps):
        return [1 - i / steps for i in range(steps)]

    def sample(self, objective, denoise, z, steps, noise, **condition):
        x = z
        for t in self.times(objective, steps):
            given = z.new_full((len(z),), 1000 * t)
            clean = denoise(x, given, **condition)
            now, after = t * math.pi / 2, (t - 1 / steps) * math.pi / 2
            left = (x - math.cos(now) * clean) / math.sin(now)
            x = math.cos(after) * clean + math.sin(after) * left
        return x
