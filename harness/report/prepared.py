"""Frames ready to be drawn: what may share an axis, intervals, whether a model learned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd

from harness.analysis.averaging import errors
from harness.analysis.intervals import degrees, interval
from harness.analysis.learned import learned

CONFIDENCE = 0.95


def prepared(
    rows: pd.DataFrame,
    reference: str = "",
    ceiling: float | None = None,
    higher: bool = False,
    noise: tuple[float, float] | None = None,
) -> pd.DataFrame:
    """`rows` (of harness.analysis.selection) with columns group, low, high and learned.

    The group is what of a label does not name the model: block, recipe, image size, and the
    `reference` where there are several. `low`, `high`: the 95 % interval of `value`, NaN where no
    standard error is known. `noise`: the ceiling's standard error and its degrees of freedom.
    """
    out = rows.copy()
    models = out["model"].astype(object) if "model" in out else out["label"]
    family = out["family"].astype(object) if "family" in out else pd.Series(None, index=out.index)
    several = family.dropna().nunique() > 1
    out["group"] = [
        " ".join(
            w
            for w in (
                str(its) if several and isinstance(its, str) else "",
                str(label).removeprefix(str(model)).strip(),
                reference if reference not in str(label) else "",
            )
            if w
        )
        for label, model, its in zip(out["label"], models, family, strict=True)
    ]
    std, freedom = errors(out)
    ends = [
        interval(v, s, degrees(f), CONFIDENCE) if np.isfinite(s) else None
        for v, s, f in zip(numbers(out, "value"), std, freedom, strict=True)
    ]
    out["low"] = [np.nan if e is None else e.low for e in ends]
    out["high"] = [np.nan if e is None else e.high for e in ends]
    known: Any = learned(
        numbers(out, "value"), std, ceiling, noise[0] if noise else None, df=freedom,
        ceiling_df=noise[1] if noise else None, higher=higher,
    )  # fmt: skip
    out["learned"] = pd.Series(list(known), index=out.index, dtype=object)
    return out


@contextmanager
def strings_in_python(
    frames: Mapping[str, pd.DataFrame],
) -> Iterator[dict[str, pd.DataFrame]]:
    """The same frames, whose text is held as Python's strings, as is all text that is made within.

    Frames of a report have hundreds of rows and are cut thousands of times: each cut of a column
    of Arrow's strings costs a call into Arrow, and a quarter of the report's time is saved.
    """
    with pd.option_context("mode.string_storage", "python"):
        yield {name: _in_python(frame) for name, frame in frames.items()}


def _in_python(frame: pd.DataFrame) -> pd.DataFrame:
    types = {
        column: pd.StringDtype("python", na_value=kind.na_value)
        for column, kind in frame.dtypes.items()
        if isinstance(kind, pd.StringDtype) and kind.storage != "python"
    }
    return frame.astype(types)


def numbers(frame: pd.DataFrame, column: str) -> np.ndarray:
    """A column as floats, NaN for null; all NaN where there is no such column."""
    if column not in frame:
        return np.full(len(frame), np.nan)
    return frame[column].to_numpy(float, na_value=np.nan)
