"""Training objectives: `objective` in a study.

An objective says how images are noised, what the network is given and asked for, and what its loss
is. It works in its own time (DDPM: an index from 0, clean, to steps - 1, noisy; SiT: from 0, noise,
to 1, data); `time_range` names it, and a guidance interval is given in it.

Deterministic: all that is random comes in through `t` and `noise`. Row i of the losses depends on
row i of the arguments alone, so that any micro-batch and any rank of one global batch gives the
same, to rounding.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from harness.components.base import Component

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    Network = Callable[..., Tensor]  # network(x (N, C, H, W), t (N,), **condition)

BUILT_IN = {
    "ddpm": "harness.diffusion.ddpm:DDPM",
    "flow": "harness.diffusion.flow:Flow",
    "edm": "harness.diffusion.edm:EDM",
}


class Objective(Component):
    """A training objective: what the network predicts, and the loss of its predictions."""

    kind: ClassVar[str] = "objective"
    default_sampler: ClassVar[str]  # where an evaluation names none
    minimises: ClassVar[str | None] = None  # its loss, in words, where that has a name of its own

    @property
    @abstractmethod
    def time_range(self) -> tuple[float, float]:
        """The lowest and the highest time, both included, in the objective's own units."""

    @abstractmethod
    def out_channels(self, channels: int) -> int:
        """Channels that the network returns for inputs of `channels` channels."""

    @property
    def predicts(self) -> str:
        """The quantity in the first `channels` outputs, in a word: noise, velocity, data."""
        return "noise"

    @abstractmethod
    def draw_times(self, generator: np.random.Generator, count: int) -> np.ndarray:
        """Times of the `count` rows of a global batch, (count,), from `generator` alone."""

    @abstractmethod
    def training_losses(
        self, network: Network, x: Tensor, t: Tensor, noise: Tensor, **condition: Any
    ) -> dict[str, Tensor]:
        """{"loss": (N,), ...}: what is minimised, and parts of it worth logging.

        x, noise (N, C, H, W) float32; t (N,) as drawn. The network is called as
        network(x_t, time that it is given, **condition).
        """

    def network_time(self, t: Tensor) -> Tensor:
        """The objective's time as the network is given it: (N,) to (N,)."""
        return t

    def own_time(self, network_time: float) -> float:
        """`network_time` undone, for one value: a guidance interval is in the objective's time."""
        return network_time

    def check_family(self, family: Any) -> None:
        """Raise BadInput when a family cannot serve this objective."""
