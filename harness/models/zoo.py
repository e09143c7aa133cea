"""The zoo: every named size as a table (no torch here, so the planner may read it).

A name is FAMILY-SIZE/PATCH: "DiT-XL/2" is the paper's, "DiT-micro-XL/2" the laptop's. The micro
sizes keep the paper's proportions: width is the paper's divided by 12, depth divided by 6, and
heads grow with both (heads must divide the width, so L is 88 wide instead of 85.3). DiT-micro runs
on pixels, DiT on the Stable Diffusion latents (8 times smaller, 4 channels).

The U-Nets of Table 5 are named too ("ADM-256", "LDM-4"); they are complexity baselines, not
trained here.

Sources: Table 1 of the paper for DiT S to XL, Table 5 for the U-Nets; every other row is ours and
says so.
"""

from __future__ import annotations

import difflib
import math
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
    image_size: int  # where none is given


FAMILIES: dict[str, Family] = {
    "DiT": Family(
        sizes={
            "S": Size(12, 384, 6),
            "B": Size(12, 768, 12),
            "L": Size(24, 1024, 16),
            "XL": Size(28, 1152, 16),
            # 1.37 billion parameters: the paper's "scale DiTs to larger models" (section 6).
            "XXL": Size(32, 1536, 24, "ours: beyond the paper, a third wider than XL, 64 per head"),
        },
        patch_sizes=(8, 4, 2),
        latent_factor=8,
        channels=4,
        image_size=256,
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
        image_size=8,
    ),
}

# The U-Nets of Table 5 and their image sizes; harness.models.unets has their hyper-parameters.
# ADM-U is a base model and an upsampler: its cost is their sum.
UNETS: dict[str, int] = {
    "ADM-64": 64,
    "ADM-128": 128,
    "ADM-256": 256,
    "ADM-512": 512,
    "ADM-upsampler-256": 256,
    "ADM-upsampler-512": 512,
    "ADM-U-256": 256,
    "ADM-U-512": 512,
    "LDM-4": 256,
    "LDM-8": 256,
}
UNET_PARTS: dict[str, tuple[str, ...]] = {
    "ADM-U-256": ("ADM-64", "ADM-upsampler-256"),
    "ADM-U-512": ("ADM-128", "ADM-upsampler-512"),
}


class UnknownModel(BadInput):
    """A model name that is not in the zoo; the message lists the nearest names."""


@dataclass(frozen=True)
class Architecture:
    """Everything that fixes a DiT's shape: what `harness.models.build` builds, checked."""

    depth: int
    width: int
    heads: int
    patch_size: int
    input_size: int  # height and width of the model's input (latents, or pixels)
    channels: int  # of the model's input
    block: str = "adaln-zero"
    num_classes: int = 1000
    out_channels: int | None = None  # None: twice the input's, for noise and variance

    @property
    def tokens(self) -> int:
        """Image tokens T = (input size / patch size)^2."""
        return (self.input_size // self.patch_size) ** 2


@dataclass(frozen=True)
class Shape:
    """The shape that a name stands for, without the image that the transformer is applied to."""

    family: str
    depth: int
    width: int
    heads: int
    patch_size: int


def names() -> list[str]:
    """Every DiT's name, family by family, small to large."""
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
    raise unknown(name)


def unknown(name: str) -> UnknownModel:
    """The error for a name that is neither a DiT's nor a U-Net's."""
    known = [*names(), *UNETS]
    # Case is the likeliest slip, so it does not count in the comparison.
    folded = {entry.lower(): entry for entry in known}
    near = [folded[key] for key in difflib.get_close_matches(name.lower(), folded, 3, 0.4)]
    return UnknownModel(f"unknown model {name!r}; nearest names: {', '.join(near or names()[:12])}")


def check_unet(name: str, image_size: int | None) -> None:
    """Raise BadInput when a U-Net is asked for at another image size than its own."""
    if image_size not in (None, UNETS[name]):
        raise BadInput(f"{name} is defined at {UNETS[name]} pixels, not {image_size}")


def resolve(name: str) -> Shape:
    """The shape that a name like "DiT-XL/2" stands for. Raises UnknownModel."""
    family, size, patch_size = parse(name)
    row = FAMILIES[family].sizes[size]
    return Shape(family, row.depth, row.width, row.heads, patch_size)


def heads_of(depth: int, width: int) -> int | None:
    """The heads of the zoo's size with this depth and width, or None: shapes do not tell them."""
    for family in FAMILIES.values():
        for row in family.sizes.values():
            if (row.depth, row.width) == (depth, width):
                return row.heads
    return None


def architecture(
    name: str | None = None,
    *,
    image_size: int | None = None,
    block: str = "adaln-zero",
    num_classes: int = 1000,
    depth: int | None = None,
    width: int | None = None,
    heads: int | None = None,
    patch_size: int | None = None,
    input_size: int | None = None,
    channels: int | None = None,
    out_channels: int | None = None,
) -> Architecture:
    """Check and complete the arguments of `harness.models.build` (which documents them).

    Raises BadInput, saying what would be allowed.
    """
    custom = {"depth": depth, "width": width, "heads": heads, "patch_size": patch_size}
    if name is not None:
        given = [key for key, value in custom.items() if value is not None]
        if given:
            raise BadInput(
                f"{name} fixes {', '.join(given)}; leave the name out for a custom model"
            )
        shape = resolve(name)
    else:
        missing = [key for key, value in custom.items() if value is None]
        if missing:
            raise BadInput(f"a custom model (no name) also needs {', '.join(missing)}")
        shape = Shape("DiT", depth or 0, width or 0, heads or 0, patch_size or 0)
    family = FAMILIES[shape.family]
    if input_size is None:
        image_size = family.image_size if image_size is None else image_size
        if image_size < 1 or image_size % family.latent_factor:
            raise BadInput(
                f"image size {image_size} is not a multiple of {family.latent_factor} "
                f"(the autoencoder's downsampling); nearest: "
                f"{_nearest_multiple(image_size, family.latent_factor)}"
            )
        input_size = image_size // family.latent_factor
    result = Architecture(
        depth=shape.depth,
        width=shape.width,
        heads=shape.heads,
        patch_size=shape.patch_size,
        input_size=input_size,
        channels=family.channels if channels is None else channels,
        block=block,
        num_classes=num_classes,
        out_channels=out_channels,
    )
    _check(result, family.latent_factor if image_size is not None else 1)
    return result


def _check(architecture: Architecture, latent_factor: int) -> None:
    """Raise BadInput where the numbers do not fit together."""
    a = architecture
    least = {"num_classes": 0}  # without classes the null label is the only one
    for field in (
        "depth", "width", "heads", "patch_size", "input_size", "channels", "num_classes"
    ):  # fmt: skip
        if getattr(a, field) < least.get(field, 1):
            raise BadInput(
                f"{field} must be at least {least.get(field, 1)}, not {getattr(a, field)}"
            )
    if a.block not in BLOCKS:
        raise BadInput(f"unknown block {a.block!r}; the designs are {', '.join(BLOCKS)}")
    if a.width % a.heads:
        divisors = [str(n) for n in range(1, min(a.width, 64) + 1) if a.width % n == 0]
        raise BadInput(
            f"width {a.width} is not divisible by {a.heads} heads; "
            f"for this width, heads may be {', '.join(divisors)}"
        )
    if a.input_size % a.patch_size:
        step = a.patch_size * latent_factor
        raise BadInput(
            f"input size {a.input_size} is not divisible by patch size {a.patch_size}; "
            f"nearest image size: {_nearest_multiple(a.input_size * latent_factor, step)}"
        )


def _nearest_multiple(value: int, step: int) -> str:
    below = value // step * step
    return f"{below} or {below + step}" if below > 0 else str(step)


def side_of(rows: int, patch_size: int, besides: int = 0) -> int:
    """Side of a network's input, from the rows of its table of positions (`pos_embed`).

    It has one for each patch of a square, after `besides` tokens of other kinds. Raises BadInput.
    """
    side = math.isqrt(max(rows - besides, 0))
    if side == 0 or side**2 != rows - besides:
        other = f"{besides} tokens of its own and " if besides else ""
        raise BadInput(
            f"pos_embed has {rows:,} rows, not one for each of {other}the patches of a square (as "
            f"{max(side, 1) ** 2 + besides:,} or {(side + 1) ** 2 + besides:,}): networks of other "
            "inputs, and with class tokens or registers, are not read"
        )
    return side * patch_size
