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

from harness.analysis.protocol import Protocol
from harness.paper.numbers import is_by_the_papers_recipe
from harness.report.papers_setting import SAMPLES, SAMPLING_STEPS

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


def is_the_papers(row: Mapping[Any, Any]) -> bool:
    """Is it the paper's network itself, on latents of one of its image sizes?"""
    size, patch, tokens = (row[c] for c in ("image_size", "patch_size", "tokens"))
    if row["family"] != "DiT" or any(pd.isna(n) for n in (size, patch, tokens)):
        return False
    return bool(size in (256, 512) and tokens == (size // 8 // patch) ** 2)


def measured_as_the_papers(
    rows: pd.DataFrame, metric: str | None, protocol: Protocol | None
) -> bool:
    """Are they FID-50K of trainings as the paper's, of whichever step and image size?

    By the paper's objective, recipe, sampler and 250 steps: what is not recorded (of an
    imported checkpoint) speaks against nothing.
    """
    if metric != "fid" or protocol is None or not len(rows):
        return False
    alike = protocol.samples == SAMPLES and not protocol.guided
    alike &= protocol.sampling_steps in (None, SAMPLING_STEPS)
    alike &= all(is_by_the_papers_recipe(r) for r in rows.to_dict("records"))
    return bool(alike and (rows["family"] == "DiT").all())


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
