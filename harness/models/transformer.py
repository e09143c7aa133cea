"""The common part of transformers over patches: sizes by name or by numbers, and their labels.

A family derived from `Transformer` brings its table of sizes, its Gflops and its network. Its key
holds the numbers that its size stands for, so that a size and the same numbers share everything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field, model_validator

from harness.components.base import Later
from harness.components.family import Family, Input, whole_patches
from harness.errors import BadInput
from harness.models.zoo import Size

Positive = Annotated[int, Field(gt=0, le=2**63 - 1)]


class Transformer(Family):
    """A transformer over patches, by size, or by depth, width and heads."""

    sizes: ClassVar[Mapping[str, Size]]

    size: str | None = None
    "One of the family's named sizes."

    patch_size: Positive
    "Side of a patch, in the model's input."

    depth: Positive | None = None
    "Blocks; with width and heads a size of your own."

    width: Positive | None = None
    "Hidden size of a token."

    heads: Positive | None = None
    "Attention heads; they divide the width."

    base_width: Annotated[Positive | None, Later] = None
    "The width whose best learning rate the study gives: hidden matrices of a model k times as \
wide are trained at 1/k of it (muP). Left out, all widths have one rate."

    @model_validator(mode="after")
    def _is_a_model(self) -> Transformer:
        custom = (self.depth, self.width, self.heads)
        if all(v is None for v in custom):
            if self.size not in self.sizes:
                found = "model.size is missing" if self.size is None else ""
                raise ValueError(
                    f"{found or f'unknown model.size {self.size!r}'} of {self.name}; sizes: "
                    f"{', '.join(self.sizes)}"
                )
        elif any(v is None for v in custom):
            raise ValueError("a custom model needs depth, width and heads, all three")
        elif self.size is not None:
            raise ValueError("give model.size, or depth, width and heads, not both")
        depth, width, heads = self.shape
        if width % heads:
            raise ValueError(f"model.width {width} is not divisible by heads {heads}")
        self.check_shape(depth, width, heads)
        return self

    def check_shape(self, depth: int, width: int, heads: int) -> None:
        """Raise ValueError when the family has no network of these numbers."""

    @classmethod
    def heads_of(cls, depth: int, width: int, heads: int | None) -> int:
        """Heads as given, else the named size's of these numbers. Raises BadInput without either.

        The shapes of a checkpoint do not tell them.
        """
        known = [s.heads for s in cls.sizes.values() if (s.depth, s.width) == (depth, width)]
        if heads is None and not known:
            raise BadInput(
                f"a {cls.name} of depth {depth} and width {width} is none of its sizes "
                f"({', '.join(cls.sizes)}), and shapes do not tell the number of heads: give it "
                "(--heads 16)"
            )
        return known[0] if heads is None else heads

    @classmethod
    def short(cls, name: str) -> dict[str, Any] | None:
        """{"size", "patch_size"} of a name such as "U-ViT-H/2"; None when it is not ours."""
        match = re.fullmatch(r"(.+)/([1-9]\d*)", name)
        if match is None or not match[1].startswith(f"{cls.name}-"):
            return None
        size = match[1].removeprefix(f"{cls.name}-")
        return {"size": size, "patch_size": int(match[2])} if size in cls.sizes else None

    @property
    def shape(self) -> tuple[int, int, int]:
        """(depth, width, heads)."""
        if self.depth is not None and self.width is not None and self.heads is not None:
            return self.depth, self.width, self.heads
        size = self.sizes[self.size or ""]
        return size.depth, size.width, size.heads

    @property
    def label(self) -> str:
        """ "U-ViT-H/2", or "U-ViT-5x32x2/2" if custom."""
        size = self.size if self.size is not None else "x".join(map(str, self.shape))
        return f"{self.name}-{size}/{self.patch_size}"

    def facts(self) -> dict[str, Any]:
        """Size, patch size, depth, width and heads."""
        depth, width, heads = self.shape
        return {
            "size": self.size,
            "patch_size": self.patch_size,
            "depth": depth,
            "width": width,
            "heads": heads,
        }

    def check(self, given: Input) -> None:
        """Raise BadInput when patches do not tile the input."""
        whole_patches(self.label, given.side, self.patch_size)

    def tokens(self, given: Input) -> int:
        """Image tokens, (side / patch size)^2."""
        return (given.side // self.patch_size) ** 2

    @property
    def rate_scale(self) -> float:
        """base_width / width."""
        return self.base_width / self.shape[1] if self.base_width is not None else 1.0

    def keyed(self) -> dict[str, Any]:
        """The settings, with the size's numbers in the place of its name."""
        depth, width, heads = self.shape
        settings = {k: v for k, v in super().keyed().items() if k != "size"}
        return {**settings, "depth": depth, "width": width, "heads": heads}


def swiglu_width(width: int) -> int:
    """Channels between SwiGLU's linears: about as many parameters as with GELU at 4 times."""
    return int(2 / 3 * 4 * width)
