"""Which of the paper's models a model of a study stands for.

A DiT of the paper is itself, by its name. A micro model stands for the paper's of its size with
`TOKENS` times its tokens: both families divide an image into four times as many tokens from one
patch size to the next, 16, 64 and 256 of them in the paper and 1, 4 and 16 on a laptop. So a micro
model's patch size alone says nothing: a patch of 16 on 16 x 16 pixels is as coarse as the paper's 8
on a latent of 32 x 32, and is no model of the paper where its tokens have no counterpart.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

TOKENS = 16  # of the paper's at 256 x 256, for one of a micro model's
LATENT = 32  # side of the paper's latents at 256 x 256
PATCH_SIZES = (8, 4, 2)  # Table 1's


def counterpart(row: Mapping[Any, Any]) -> str | None:
    """The paper's name of the model that a row of records stands for, "DiT-XL/2"; None without.

    row: family, size, patch_size, and for a micro model tokens (of the image, without the class).
    """
    family, size = row["family"], row["size"]
    if size is None or pd.isna(size) or pd.isna(row["patch_size"]):
        return None
    if family == "DiT":
        return f"DiT-{size}/{int(row['patch_size'])}"
    tokens = row.get("tokens")
    if family != "DiT-micro" or tokens is None or pd.isna(tokens):
        return None
    patch = LATENT / math.sqrt(TOKENS * tokens)
    return f"DiT-{size}/{int(patch)}" if patch in PATCH_SIZES else None


def caption(families: set[object]) -> str:
    """What a caption says of micro models beside the paper's; nothing without one."""
    if "DiT-micro" not in families:
        return ""
    return (
        f"A micro model stands beside the paper's of its size that has {TOKENS} times its tokens: "
        "what can be compared is the order, not the values. "
    )
