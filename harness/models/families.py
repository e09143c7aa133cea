"""The DiT families as components: sizes, costs and labels. The network is harness.models.dit.

Two families share one network: `DiT` has the paper's sizes and works on latents, `DiT-micro` the
laptop's and works on pixels. A key holds the network's numbers and not the family's name, so two
names for the same numbers share everything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import model_validator

from harness.components.family import Input
from harness.models import zoo
from harness.models.transformer import Positive, Transformer

if TYPE_CHECKING:
    from torch import nn


class DiTFamily(Transformer):
    """The paper's diffusion transformer, by size, or by depth, width and heads."""

    name = "DiT"
    sizes: ClassVar[Mapping[str, zoo.Size]] = zoo.FAMILIES["DiT"].sizes

    size: str | None = None
    "One of the family's sizes (Table 1): S, B, L, XL, XXL."

    patch_size: Positive | None = None  # type: ignore[assignment]
    "Side of a patch, in the model's input (the paper's are 8, 4 and 2)."

    block: Literal["adaln-zero", "adaln", "cross-attention", "in-context"] = "adaln-zero"
    "How a block is told the timestep and the class (section 3.2)."

    @model_validator(mode="after")
    def _is_a_model(self) -> DiTFamily:
        if self.patch_size is None:
            raise ValueError("model.patch_size is missing (the paper's are 8, 4 and 2)")
        return Transformer._is_a_model(self)  # type: ignore[operator, no-any-return]

    @classmethod
    def short(cls, name: str) -> dict[str, Any] | None:
        try:
            family, size, patch_size = zoo.parse(name)
        except zoo.UnknownModel:
            return None
        return {"size": size, "patch_size": patch_size} if family == cls.name else None

    @property
    def patch(self) -> int:
        """Side of a patch, in pixels of the input."""
        assert self.patch_size is not None  # the validator saw to it
        return self.patch_size

    @property
    def variant(self) -> str:
        return "" if self.block == "adaln-zero" else f" {self.block}"

    def identity(self) -> Any:
        """Its numbers: DiT and DiT-micro are one network."""
        return self.shape, self.patch_size, self.block, self.base_width

    def facts(self) -> dict[str, Any]:
        """The columns of every transformer, and the design of its blocks."""
        return {**super().facts(), "block": self.block}

    def gflops(self, given: Input) -> float:
        from harness.plan.cost import dit_gflops

        depth, width, _ = self.shape
        return dit_gflops(
            depth, width, self.patch, given.side, given.channels, self.block, given.out_channels
        )

    def build(self, given: Input, *, checkpointing: bool = False) -> nn.Module:
        from harness.models.construct import build

        return build(**self.numbers(given), checkpointing=checkpointing)

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
