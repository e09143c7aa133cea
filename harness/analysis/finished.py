"""Which checkpoints compare at equal training compute.

At a constant rate every checkpoint is what a training of its length gives. Where the rate falls
towards the end of training, the last checkpoint alone is: those before it are on the way, and a
training of their length would have ended better (Hoffmann et al. 2022, 2203.15556, section 3.1).
"""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.analysis.recorded_settings import recorded_settings


def finished(rows: pd.DataFrame) -> NDArray[np.bool_]:
    """Per row of the records' `metrics`, (rows,): has the rate of its training come to its end?

    By `recipe` and `step`. A recipe that names a horizon is finished there alone; one that names
    none is on the trunk of those of its schedule that do, and finished anywhere where none does.
    """
    texts = rows["recipe"].dropna().unique()
    read = {text: recorded_settings(text, "recipe") for text in texts}
    falling = {_schedule(r) for r in read.values() if r.get("horizon") is not None}
    out = []
    for text, step in zip(rows["recipe"], rows["step"], strict=True):
        recipe = read.get(text, {}) if isinstance(text, str) else {}
        known = recipe.get("horizon") is not None and not pd.isna(step)
        at_end = known and recipe["horizon"] == step
        out.append(at_end or _schedule(recipe) not in falling)
    return np.array(out, dtype=bool)


def _schedule(recipe: dict[str, object]) -> str:
    return json.dumps(recipe.get("schedule"), sort_keys=True)
