"""The setting of the paper's Tables 2 and 4: only of values measured so is a difference given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from harness.paper.numbers import PAPERS, is_by_the_papers_recipe
from harness.report.wording import power

STEPS = {256: 7_000_000, 512: 3_000_000}  # of training DiT-XL/2, by image size
SAMPLING_STEPS = 250
SAMPLES = 50_000


def is_of_the_tables(row: Mapping[Any, Any]) -> bool:
    """Was this value of DiT-XL/2 measured as those of Tables 2 and 4, whatever its guidance?

    row: of `averaged` by the protocol, with `recipe` where it is known. What was not recorded (of
    an imported checkpoint) speaks against nothing.
    """
    if row["model"] != "DiT-XL/2" or row["block"] != "adaln-zero":
        return False
    steps = STEPS.get(row["image_size"]) if pd.notna(row["image_size"]) else None
    wanted = {"sampling_steps": SAMPLING_STEPS, "step": steps}
    if steps is None or pd.isna(row.get("samples")) or row["samples"] != SAMPLES:
        return False
    alike = all(pd.isna(row.get(c)) or row[c] == v for c, v in wanted.items())
    return bool(alike and is_by_the_papers_recipe(row))


def with_recipes(rows: list[dict[Any, Any]], among: pd.DataFrame) -> list[dict[Any, Any]]:
    """Averaged `rows` with the recipe of their label, from the rows `among` which they are means.

    A label is of one recipe.
    """
    if "recipe" not in among:
        return rows
    known = dict(zip(among["label"], among["recipe"], strict=True))
    return [{**row, "recipe": known.get(row["label"])} for row in rows]


def in_words(guided: str = "", decoder: str = "") -> str:
    """For captions where rows stand side by side: the paper's setting, and what is compared."""
    trained = " (512×512: ".join(f"{steps // 10**6}M" for steps in STEPS.values()) + ")"
    how = [
        f"trained for {trained} steps by {PAPERS['objective']} with batch {PAPERS['batch_size']}, "
        f"rate {power(float(PAPERS['learning_rate']))} and EMA {PAPERS['ema']}",
        f"sampled with {SAMPLING_STEPS} {PAPERS['sampler']} steps",
        *([guided] if guided else []),
        f"measured with {SAMPLES:,} samples",
        *([f"decoded by {decoder}"] if decoder else []),
    ]
    return f"The paper's DiT-XL/2 was {', '.join(how)}; a difference stands only below a row of " \
           "that setting. "  # fmt: skip
