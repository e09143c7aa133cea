"""A trainable U-Net in ADM's design (Dhariwal and Nichol 2021), over diffusers' UNet2DModel.

Residual blocks with the time and class as scale and shift, residual blocks that halve and double
the resolution, attention at the coarser ones. The sizes are ours: ADM's and LDM's base widths. Its
Gflops are counted, as no formula is short. (harness.models.unets has the paper's own baselines,
which are only counted.)
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field, model_validator

from harness.components.base import Later
from harness.components.family import Family, Input
from harness.errors import BadInput

if TYPE_CHECKING:
    from torch import nn

Positive = Annotated[int, Field(gt=0, le=2**31 - 1)]
GROUPS = 32  # of group normalisation, at most
HEAD = 64  # channels of an attention head, at most


class UNetFamily(Family):
    """A convolutional U-Net in ADM's design, with attention at coarse resolutions."""

    name = "UNet"
    sizes: ClassVar[Mapping[str, int]] = {
        **{"micro-S": 16, "micro-B": 32, "micro-L": 48, "micro-XL": 64},
        **{"S": 64, "B": 128, "L": 192, "XL": 256},
    }

    size: str | None = None
    "Name of a base width: micro-S 16, micro-B 32, micro-L 48, micro-XL 64, S 64, B 128, ..."

    width: Positive | None = None
    "Channels at the full resolution, in the place of a size."

    multipliers: Annotated[tuple[Positive, ...], Field(min_length=1)] = (1, 2, 4)
    "Channels of each level as multiples of the width; each level is half as large as the last."

    layers: Positive = 2
    "Residual blocks per level."

    attention: tuple[Positive, ...] = (16, 8, 4)
    "Resolutions (height of the features) that have attention."

    base_width: Annotated[Positive | None, Later] = None
    "The width that the learning rate is of: hidden weights get rate * base_width / width (muP)."

    @model_validator(mode="after")
    def _is_a_model(self) -> UNetFamily:
        if (self.size is None) == (self.width is None):
            raise ValueError("give model.size or model.width, one of the two")
        if self.size is not None and self.size not in self.sizes:
            raise ValueError(
                f"unknown model.size {self.size!r} of {self.name}; sizes: {', '.join(self.sizes)}"
            )
        if self.base % 2:
            near = " or ".join(str(n) for n in (self.base - 1, self.base + 1) if n)
            raise ValueError(
                f"model.width {self.base} must be even, as {near}: a U-Net is told the time by as "
                "many sines as cosines"
            )
        return self

    @classmethod
    def short(cls, name: str) -> dict[str, Any] | None:
        """{"size"} of a name such as "UNet-B"; None when it is not ours."""
        size = name.removeprefix(f"{cls.name}-")
        return {"size": size} if size != name and size in cls.sizes else None

    @property
    def base(self) -> int:
        """Channels at the full resolution."""
        return self.sizes[self.size] if self.size is not None else self.width or 0

    @property
    def levels(self) -> tuple[int, ...]:
        """Channels of each level."""
        return tuple(self.base * m for m in self.multipliers)

    @property
    def groups(self) -> int:
        """Groups of every normalisation: the most, up to 32, that divide all channels."""
        return math.gcd(GROUPS, self.base)

    @property
    def head(self) -> int:
        """Channels of an attention head: the most, up to 64, that divide all channels."""
        return math.gcd(HEAD, self.base)

    @property
    def label(self) -> str:
        """ "UNet-B", or "UNet-96" by its width."""
        return f"{self.name}-{self.size if self.size is not None else self.width}"

    def facts(self) -> dict[str, Any]:
        """Size and width; depth counts the residual blocks of the way down and up."""
        depth = len(self.multipliers) * (2 * self.layers + 1)
        return {"size": self.size, "width": self.base, "depth": depth}

    def check(self, given: Input) -> None:
        """Raise BadInput when the input cannot be halved as often as there are levels.

        Also when attention is asked for, and at no resolution that there is.
        """
        halvings = len(self.multipliers) - 1
        if given.side % 2**halvings:
            most = (given.side & -given.side).bit_length()  # how often 2 divides it, and one level
            raise BadInput(
                f"{self.label}: {len(self.multipliers)} levels halve the model's input of "
                f"{given.side} {halvings} times; it must be a multiple of {2**halvings}, or give "
                f"at most {most} multiplier{'s' if most > 1 else ''}"
            )
        resolutions = [given.side >> level for level in range(len(self.multipliers))]
        chosen = "attention" in self.model_fields_set and self.attention
        if chosen and not set(self.attention) & set(resolutions):
            raise BadInput(
                f"{self.label}: attention at {', '.join(map(str, self.attention))}, and the "
                f"resolutions of an input of {given.side} are {', '.join(map(str, resolutions))}: "
                "name some of these, or [] for none"
            )

    @property
    def rate_scale(self) -> float:
        """base_width / width: every level is a multiple of the width, and grows with it."""
        return self.base_width / self.base if self.base_width is not None else 1.0

    def parameter_groups(self, model: nn.Module, learning_rate: float) -> list[dict[str, Any]]:
        """The groups of any family; with a base width, hidden convolutions are apart.

        Their inputs grow with the width as those of hidden matrices do, and so their rate is
        scaled (Yang et al. 2022, 2203.03466, table 8). They are not `hidden`: Muon takes matrices.
        """
        groups = super().parameter_groups(model, learning_rate)
        if self.base_width is None:
            return groups
        from torch import nn

        between = [
            module.weight
            for unit in self.shard_units(model)
            for module in unit.modules()
            if isinstance(module, nn.Conv2d)
        ]
        among = {id(weight) for weight in between}
        groups[0]["params"] = [p for p in groups[0]["params"] if id(p) not in among]
        rate = learning_rate * self.rate_scale
        return [*groups, {"params": between, "lr": rate, "hidden": False}]

    def keyed(self) -> dict[str, Any]:
        """The settings, with the size's width in the place of its name."""
        settings = {k: v for k, v in super().keyed().items() if k != "size"}
        return {**settings, "width": self.base}

    def build(self, given: Input, *, checkpointing: bool = False) -> nn.Module:
        """The network; see harness.models.unet_network."""
        from harness.models.unet_network import UNet

        return UNet(
            given,
            levels=self.levels,
            attends=tuple(given.side >> i in self.attention for i in range(len(self.levels))),
            layers=self.layers,
            time_width=4 * self.base,
            head=self.head,
            groups=self.groups,
            checkpointing=checkpointing,
        )

    def shard_units(self, model: Any) -> list[nn.Module]:
        """The levels, in the order of the forward pass."""
        inner = model.network
        return [*inner.down_blocks, inner.mid_block, *inner.up_blocks]
