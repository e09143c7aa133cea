"""The DiT families as components: sizes, costs and labels. The network is harness.models.dit.

Two families share one network: `DiT` has the paper's sizes and works on latents, `DiT-micro` the
laptop's and works on pixels. A key holds the network's numbers and not the family's name, so two
names for the same numbers share everything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from harness.components.base import Later
from harness.components.family import Family, Input, whole_patches
from harness.models import zoo

if TYPE_CHECKING:
    from torch import nn

Positive = Annotated[int, Field(gt=0, le=2**63 - 1)]


class DiTFamily(Family):
    """The paper's diffusion transformer, by size, or by depth, width and heads."""

    name = "DiT"
    sizes: ClassVar[Mapping[str, zoo.Size]] = zoo.FAMILIES["DiT"].sizes

    size: str | None = None
    "One of the family's sizes (Table 1): S, B, L, XL, XXL."

    patch_size: Positive | None = None
    "Side of a patch, in the model's input (the paper's are 8, 4 and 2)."

    depth: Positive | None = None
    "Blocks; with width and heads a size of your own."

    width: Positive | None = None
    "Hidden size of a token."

    heads: Positive | None = None
    "Attention heads; they divide the width."

    block: Literal["adaln-zero", "adaln", "cross-attention", "in-context"] = "adaln-zero"
    "How a block is told the timestep and the class (section 3.2)."

    base_width: Annotated[Positive | None, Later] = None
    "The width whose best learning rate the study gives: hidden matrices of a model k times as \
wide are trained at 1/k of it (muP). Left out, all widths have one rate."

    @model_validator(mode="after")
    def _is_a_model(self) -> DiTFamily:
        custom = (self.depth, self.width, self.heads)
        if self.patch_size is None:
            raise ValueError("model.patch_size is missing (the paper's are 8, 4 and 2)")
        if all(v is None for v in custom):
            if self.size not in self.sizes:
                raise ValueError(
                    f"unknown model.size {self.size!r} of {self.name}; "
                    f"sizes: {', '.join(self.sizes)}"
                )
        elif any(v is None for v in custom):
            raise ValueError("a custom model needs depth, width and heads, all three")
        elif self.size is not None:
            raise ValueError("give model.size, or depth, width and heads, not both")
        elif self.width % self.heads:  # type: ignore[operator]
            raise ValueError(f"model.width {self.width} is not divisible by heads {self.heads}")
        return self

    @classmethod
    def short(cls, name: str) -> dict[str, Any] | None:
        try:
            family, size, patch_size = zoo.parse(name)
        except zoo.UnknownModel:
            return None
        return {"size": size, "patch_size": patch_size} if family == cls.name else None

    @property
    def shape(self) -> tuple[int, int, int]:
        """(depth, width, heads)."""
        if self.depth is not None and self.width is not None and self.heads is not None:
            return self.depth, self.width, self.heads
        size = self.sizes[self.size or ""]
        return size.depth, size.width, size.heads

    @property
    def patch(self) -> int:
        assert self.patch_size is not None  # the validator saw to it
        return self.patch_size

    @property
    def label(self) -> str:
        """ "DiT-XL/2", or "DiT-12x384x6/2" if custom."""
        size = self.size if self.size is not None else "x".join(map(str, self.shape))
        return f"{self.name}-{size}/{self.patch_size}"

    @property
    def variant(self) -> str:
        return "" if self.block == "adaln-zero" else f" {self.block}"

    def identity(self) -> Any:
        """Its numbers: DiT and DiT-micro are one network."""
        return self.shape, self.patch_size, self.block, self.base_width

    def facts(self) -> dict[str, Any]:
        depth, width, heads = self.shape
        return {
            "size": self.size,
            "patch_size": self.patch_size,
            "block": self.block,
            "depth": depth,
            "width": width,
            "heads": heads,
        }

    def check(self, given: Input) -> None:
        whole_patches(self.label, given.side, self.patch)

    def tokens(self, given: Input) -> int:
        return (given.side // self.patch) ** 2

    def gflops(self, given: Input) -> float:
        from harness.plan.cost import dit_gflops

        depth, width, _ = self.shape
        return dit_gflops(
            depth, width, self.patch, given.side, given.channels, self.block, given.out_channels
        )

    def build(self, given: Input, *, checkpointing: bool = False) -> nn.Module:
        from harness.models.construct import build

        return build(**self.numbers(given), checkpointing=checkpointing)

    @property
    def rate_scale(self) -> float:
        """base_width / width."""
        return self.base_width / self.shape[1] if self.base_width is not None else 1.0

    def architecture(self, given: Input) -> dict[str, Any]:
        """The network's numbers, as keys have had them from the beginning, and `base_width`."""
        scaled = {} if self.base_width is None else {"base_width": self.base_width}
        return {**self.numbers(given), **scaled}

    def numbers(self, given: Input) -> dict[str, Any]:
        """The network's numbers: what harness.models.build is given."""
        depth, width, heads = self.shape
        numbers = {
            "depth": depth,
            "width": width,
            "heads": heads,
            "patch_size": self.patch_size,
            "block": self.block,
            "input_size": given.side,
            "channels": given.channels,
            "num_classes": given.num_classes,
        }
        if given.out_channels != 2 * given.channels:  # came with the second objective
            numbers["out_channels"] = given.out_channels
        return numbers

    @classmethod
    def from_architecture(cls, architecture: Mapping[str, Any]) -> tuple[DiTFamily, Input]:
        own = ("depth", "width", "heads", "patch_size", "block")
        channels = architecture["channels"]
        given = Input(
            architecture["input_size"],
            channels,
            architecture["num_classes"],
            architecture.get("out_channels") or 2 * channels,
        )
        numbers = {name: architecture[name] for name in own}
        return cls(**numbers, base_width=architecture.get("base_width")), given


class DiTMicroFamily(DiTFamily):
    """The paper's proportions at a twelfth of its width, for a laptop's processor."""

    name = "DiT-micro"
    sizes: ClassVar[Mapping[str, zoo.Size]] = zoo.FAMILIES["DiT-micro"].sizes
