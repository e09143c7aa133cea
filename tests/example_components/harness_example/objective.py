"""A training objective: predict the clean image from one on the arc between it and noise.

    objective: arc

Time goes from 0, clean, to 1, noise: x_t = cos(t pi / 2) x + sin(t pi / 2) noise. The network is
given 1000 t, so that what was made for DDPM's timesteps feels at home.
"""

import math
from typing import ClassVar

from harness.components import Objective


class Arc(Objective):
    """Predicts the clean image; mean squared error."""

    name: ClassVar[str] = "arc"
    default_sampler: ClassVar[str] = "arc-steps"

    @property
    def time_range(self):
        return 0.0, 1.0

    @property
    def predicts(self):
        return "data"

    def out_channels(self, channels):
        return channels

    def draw_times(self, generator, count):
        return generator.random(count)

    def network_time(self, t):
        return t * 1000

    def own_time(self, network_time):
        return network_time / 1000

    def training_losses(self, network, x, t, noise, **condition):
        angle = (t * (math.pi / 2)).to(x.dtype)[:, None, None, None]
        noisy = angle.cos() * x + angle.sin() * noise
        found = network(noisy, self.network_time(t.to(x.dtype)), **condition)
        return {"loss": (found - x).square().mean(dim=(1, 2, 3))}
