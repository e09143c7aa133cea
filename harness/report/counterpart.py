"""Which of the paper's models a model of a study stands for, and how many tokens both have.

A DiT of the paper is itself, by its name. A micro model stands for the paper's of its size and
patch size: from one patch size to the next both have four times the tokens. But the paper's patches
are of latents of 32 x 32, and micro models' of smaller images, so that the paper's have more tokens
by (32 / side)^2: what can be compared is the order of models, and not a value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

LATENT = 32  # side of the paper's latents at 256 x 256
PATCH_SIZES = (8, 4, 2)  # Table 1's


def counterpart(row: Mapping[Any, Any]) -> str | None:
    """The paper's name of the model that a row of records stands for, "DiT-XL/2"; None without.

    row: family, size, patch_size, and for a micro model tokens (of the image, without the class).
    """
    family, size, patch = row["family"], row["size"], row["patch_size"]
    if size is None or pd.isna(size) or pd.isna(patch):
        return None
    if family == "DiT" or (family == "DiT-micro" and ratio(row) is not None):
        return f"DiT-{size}/{int(patch)}"
    return None


def ratio(row: Mapping[Any, Any]) -> int | None:
    """Tokens of the paper's model for one of the micro model's; None where no whole number is."""
    patch, tokens = row["patch_size"], row.get("tokens")
    if patch not in PATCH_SIZES or tokens is None or pd.isna(tokens) or tokens < 1:
        return None
    times, rest = divmod((LATENT // int(patch)) ** 2, int(tokens))
    return None if rest else times


def caption(rows: Iterable[Mapping[Any, Any]]) -> str:
    """A caption's words on micro models beside the paper's; empty where there are none."""
    micro = [r for r in rows if r["family"] == "DiT-micro" and counterpart(r) is not None]
    times = sorted({t for t in map(ratio, micro) if t is not None})
    if not times:
        return ""
    return (
        "A micro model stands beside the paper's of its size and patch size, which has "
        f"{' or '.join(map(str, times))} times its tokens: the order can be compared, no value. "
    )
