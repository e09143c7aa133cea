"""The zoo: every named size as a table (no torch here, so the planner may read it).

A name is FAMILY-SIZE/PATCH: "DiT-XL/2" is the paper's, "DiT-micro-XL/2" the laptop's. The micro
sizes keep the paper's proportions: width is the paper's divided by 12, depth divided by 6, and
heads grow with both (heads must divide the width, so L is 88 wide instead of 85.3). DiT-micro runs
on pixels, DiT on the Stable Diffusion latents (8 times smaller, 4 channels).

Sources: Table 1 of the paper for DiT S to XL; every other row is ours and says so.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

from harness.errors import BadInput

BLOCKS = ("adaln-zero", "adaln", "cross-attention", "in-context")


@dataclass(frozen=True)
class Size:
    """One row of the zoo: a transformer's depth (blocks), width (hidden size) and heads."""

    depth: int
    width: int
    heads: int
    note: str = "Table 1"


@dataclass(frozen=True)
class Family:
    """A set of sizes that share an input space."""

    sizes: dict[str, Size]
    patch_sizes: tuple[int, ...]
    latent_factor: int  # image size / model input size
    channels: int  # of the model's input


FAMILIES: dict[str, Family] = {
    "DiT": Family(
        sizes={
            "S": Size(12, 384, 6),
            "B": Size(12, 768, 12),
            "L": Size(24, 1024, 16),
            "XL": Size(28, 1152, 16),
        },
        patch_sizes=(8, 4, 2),
        latent_factor=8,
        channels=4,
    ),
    "DiT-micro": Family(
        sizes={
            "S": Size(2, 32, 2, "ours: S / 12 wide, / 6 deep"),
            "B": Size(2, 64, 4, "ours: B / 12 wide, / 6 deep"),
            "L": Size(4, 88, 4, "ours: L / 12 wide, / 6 deep"),
            "XL": Size(5, 96, 4, "ours: XL / 12 wide, / 6 deep"),
        },
        patch_sizes=(8, 4, 2),
        latent_factor=1,
        channels=3,
    ),
}


class UnknownModel(BadInput):
    """A model name that is not in the zoo; the message lists the nearest names."""


def names() -> list[str]:
    """Every model name, family by family, small to large."""
    return [
        f"{family}-{size}/{patch}"
        for family, entry in FAMILIES.items()
        for size in entry.sizes
        for patch in entry.patch_sizes
    ]


def parse(name: str) -> tuple[str, str, int]:
    """Split "DiT-XL/2" into family "DiT", size "XL", patch size 2.

    Any patch size is accepted (the zoo lists the paper's); UnknownModel names the nearest entries.
    """
    match = re.fullmatch(r"(.+)-([A-Za-z]+)/([1-9]\d*)", name)
    if match and match[1] in FAMILIES and match[2] in FAMILIES[match[1]].sizes:
        return match[1], match[2], int(match[3])
    near = difflib.get_close_matches(name, names(), n=3, cutoff=0.4) or names()[:12]
    raise UnknownModel(f"unknown model {name!r}; nearest names: {', '.join(near)}")
