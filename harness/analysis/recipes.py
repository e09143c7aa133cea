"""The recipes of a study: what its trainings differ in besides the model and its block design.

Quality is never pooled over recipes. Block designs stay together: the paper compares them.
"""

from __future__ import annotations

import pandas as pd

from harness import setting_names as names
from harness.analysis.labels import labelled


def of_rows(rows: pd.DataFrame) -> list[str]:
    """Per row of a frame of `labelled`: what its label says besides model and block."""
    blocks = rows["block"] if "block" in rows else pd.Series(None, index=rows.index, dtype=object)
    out = []
    for label, model, block in zip(rows["label"], rows["model"], blocks, strict=True):
        rest = str(label).removeprefix("unnamed" if pd.isna(model) else str(model)).strip()
        word = "" if pd.isna(block) else names.said("block", str(block))
        if word and (rest == word or rest.startswith((f"{word}, ", f"{word} "))):
            rest = rest.removeprefix(word).lstrip(", ")
        out.append(rest)
    return out


def split(metrics: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """(recipe, its rows) of the records of samples; one part with an empty name for one recipe.

    The length of training is compute and no recipe, also where the learning rate depends on it.
    """
    samples = metrics[metrics["of"].fillna("samples") == "samples"]
    recipe = pd.Series(of_rows(labelled(samples, lengths=False)), index=samples.index, dtype=object)
    found = list(dict.fromkeys(recipe))
    if len(found) < 2:
        return [("", metrics)]
    return [(str(name), samples[recipe == name]) for name in found]
