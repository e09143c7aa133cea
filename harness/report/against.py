"""Somebody else's numbers beside a study's: a results folder, or a CSV of published points."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import BadInput

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("label", "model", "size", "patch_size", "gflops", "params", "value", "se", "se_df")
NEEDED = ("model", "gflops", "value")


def read(source: Path, metric: str) -> pd.DataFrame:
    """Columns `COLUMNS`: values of `metric` from a results folder, or from a CSV.

    A CSV has at least model, gflops (per forward pass) and value, and may have params, size,
    patch_size and se (the standard error). Raises BadInput: nothing there, columns that lack,
    values that are no numbers.
    """
    source = Path(source)
    if source.is_dir():
        return _of_folder(source, metric)
    if not source.is_file():
        raise BadInput(f"--against: there is no results folder and no CSV at {source}")
    return _of_csv(source)


def _of_folder(source: Path, metric: str) -> pd.DataFrame:
    from harness.analysis import selection
    from harness.store.records import read_frames

    final = selection.final_quality(read_frames(source)["metrics"], metric)
    if not len(final):
        raise BadInput(f"--against {source}: it has no value of {metric}")
    return final.reindex(columns=list(COLUMNS))


def _of_csv(source: Path) -> pd.DataFrame:
    import numpy as np
    import pandas as pd

    try:
        rows = pd.read_csv(source)
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise BadInput(f"--against {source}: it cannot be read as CSV ({error})") from None
    lacking = [c for c in NEEDED if c not in rows]
    if lacking:
        raise BadInput(
            f"--against {source}: it has no column {', '.join(lacking)}; there are "
            f"{', '.join(map(str, rows.columns))}; needed are {', '.join(NEEDED)}"
        )
    for column in ("gflops", "value", "se"):
        if column in rows:
            numbers = pd.to_numeric(rows[column], errors="coerce")
            bad = rows.index[numbers.isna() & (rows[column].notna() | (column != "se"))]
            if len(bad) or not np.isfinite(numbers.dropna()).all():
                line = int(bad[0]) + 2 if len(bad) else 2
                raise BadInput(f"--against {source}, line {line}: {column} is not a finite number")
            rows[column] = numbers
    rows["model"] = rows["model"].astype(str)
    parts = rows["model"].str.extract(r"-([A-Z]+)/(\d+)$")
    for column, found in (("size", parts[0]), ("patch_size", pd.to_numeric(parts[1]))):
        if column not in rows:
            rows[column] = found
    if "label" not in rows:
        rows["label"] = rows["model"]
    return rows.reindex(columns=list(COLUMNS))


def differences(ours: pd.DataFrame, theirs: pd.DataFrame) -> pd.DataFrame:
    """Ours less theirs for each label that both have: label, ours, theirs, value, low, high, tie.

    Independent measurements; 95 % intervals, Holm over all. NaN limits where either has no
    standard error.
    """
    import pandas as pd

    from harness.analysis.intervals import corrected, degrees, difference
    from harness.analysis.selection import errors

    std, df = errors(ours)
    mine = ours.assign(_se=std, _df=df).drop_duplicates("label").set_index("label")
    other_std, other_df = errors(theirs)
    other = theirs.assign(_se=other_std, _df=other_df).drop_duplicates("label").set_index("label")
    shared = [label for label in mine.index if label in other.index]
    gaps = corrected(
        [
            difference(
                float(mine.loc[label, "value"]),
                float(other.loc[label, "value"]),
                float(mine.loc[label, "_se"]),
                float(other.loc[label, "_se"]),
                degrees(float(mine.loc[label, "_df"])),
                degrees(float(other.loc[label, "_df"])),
            )
            for label in shared
        ]
    )
    rows = [
        (label, *(float(f.loc[label, "value"]) for f in (mine, other)), *g.interval, g.tie)
        for label, g in zip(shared, gaps, strict=True)
    ]
    return pd.DataFrame(rows, columns=["label", "ours", "theirs", "value", "low", "high", "tie"])
