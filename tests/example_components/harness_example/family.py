"""A family of networks: a few convolutions that are told the time and the class.

model: {family: plain-cnn, width: 16}
"""

from typing import Annotated, ClassVar

from pydantic import Field

from harness.components import Family, Input
from harness.errors import BadInput


class PlainCNN(Family):
    """Three 3x3 convolutions; time and class are added to every pixel's channels."""

    name: ClassVar[str] = "plain-cnn"

    width: Annotated[int, Field(ge=1, le=4096)] = 16
    "Channels of the hidden layers."

    @property
    def label(self):
        return f"plain-cnn-{self.width}"

    def facts(self):
        return {"width": self.width, "depth": 3}

    def check(self, given: Input):
        if given.num_classes < 1:
            raise BadInput("plain-cnn is class-conditional: it needs at least one class")

    def gflops(self, given: Input):
        inner = given.channels * self.width + self.width**2 + self.width * given.out_channels
        return (9 * given.side**2 * inner + self.width) / 1e9  # convolutions, and one linear

    def build(self, given: Input, *, checkpointing=False):
        import torch
        from torch import nn

        class Network(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.time = nn.Linear(1, width)
                self.label = nn.Embedding(given.num_classes + 1, width)
                self.first = nn.Conv2d(given.channels, width, 3, padding=1)
                self.second = nn.Conv2d(width, width, 3, padding=1)
                self.last = nn.Conv2d(width, given.out_channels, 3, padding=1)

            def forward(self, x, t, y):
                told = self.time(t.float()[:, None] / 1000) + self.label(y)
                hidden = nn.functional.silu(self.first(x) + told[:, :, None, None])
                hidden = nn.functional.silu(self.second(hidden))
                return self.last(hidden)

        assert torch is not None
        return Network(self.width)
