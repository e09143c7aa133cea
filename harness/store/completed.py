"""Records from before a column existed: filled in from what the same stages wrote then.

Two values compare only if all that made them is equal, and a null would differ from every value:
half of a study's models would be left out of its report, or two recipes be taken for one.
"""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING

from harness.store.artifacts import CorruptArtifact, Store
from harness.store.tables import MODEL

if TYPE_CHECKING:
    import pandas

HAS_COLUMN = {column.name for column in MODEL}  # of the recipe: not in the column `recipe`


def complete(frames: dict[str, pandas.DataFrame], store: Store) -> None:
    """Fill, in place, what rows of older versions lack: `recipe`, `clip`, `sampling_precision`
    (before version 3), `objective` (before 5).

    Recipes come from the settings of the run's row, which were always recorded; nothing was clipped
    before there was a setting for it; precisions come from the sample stage's manifest. What cannot
    be found stays null.
    """
    runs, metrics = frames["runs"], frames["metrics"]
    lacking = runs["recipe"].isna() & runs["settings"].notna()
    if lacking.any():
        runs.loc[lacking, "recipe"] = runs.loc[lacking, "settings"].map(recipe).astype("string")
    lacking = metrics["recipe"].isna() & metrics["checkpoint_key"].notna()
    if lacking.any():
        known = runs.set_index("key")["recipe"]
        keys = metrics.loc[lacking, "checkpoint_key"]
        metrics.loc[lacking, "recipe"] = keys.map(known).astype("string")
    drawn = metrics["sampler"].notna() & metrics["sample_key"].notna()
    metrics.loc[drawn & metrics["clip"].isna(), "clip"] = False
    # Until version 5 there was one objective. A floor has none.
    runs["objective"] = runs["objective"].fillna("ddpm")
    trained = metrics["checkpoint_key"].notna() & metrics["objective"].isna()
    if trained.any():
        metrics.loc[trained, "objective"] = "ddpm"
    lacking = drawn & metrics["sampling_precision"].isna()
    if lacking.any():
        keys = metrics.loc[lacking, "sample_key"]
        found = {key: _precision(store, key) for key in keys.unique()}
        metrics.loc[lacking, "sampling_precision"] = keys.map(found).astype("string")


def recipe(settings: str) -> str:
    """The column `recipe` of a train stage with these settings (JSON), as the stage writes it."""
    given = json.loads(settings)
    own = {k: v for k, v in given["recipe"].items() if k not in HAS_COLUMN}
    own |= {name: given[name] for name in ("diffusion_steps", "flip")}
    return json.dumps(own, sort_keys=True, separators=(",", ":"))


def _precision(store: Store, key: str) -> str | None:
    """The value of column `sampling_precision` for a sample stage; None if the stage is gone."""
    with contextlib.suppress(CorruptArtifact, KeyError):
        manifest = store.manifest("sample", key)
        if manifest is not None:
            settings = manifest.settings
            tf32 = settings["tf32"] and settings["precision"] == "float32"
            return "tf32" if tf32 else str(settings["precision"])
    return None
