"""Means over seeds, and the standard error that each value has."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from harness.analysis.labels import CONFIGURATION
from harness.analysis.shared_draws import draws_of
from harness.analysis.standard_error import standard_errors

FACTS = (
    "family",
    "size",
    "patch_size",
    "tokens",
    "depth",
    "width",
    "heads",
    "params",
    "gflops",
    "gflops_paper",
)


Spread = tuple[float, float]  # relative standard deviation over seeds, its degrees of freedom


def averaged(
    rows: pd.DataFrame, by: tuple[str, ...] = (), spread: Spread | None = None
) -> pd.DataFrame:
    """Mean over seeds: one row per label and `by`, with `value`, its errors and `seeds`.

    `std`: spread over training seeds (ddof 1), null for a single one. `se`, `se_df`, `basis`: the
    standard error of `value`, its degrees of freedom, and what it speaks of. "seeds": the model;
    the relative spread over seeds is pooled over all rows, so that two seeds of twelve models have
    twelve degrees of freedom. "checkpoints": these checkpoints alone, measured again on other
    samples. Null without a recorded error. `draws` and `influence`, of a single measurement: by
    which values of the same draws are compared (shared_draws). Repeated measurements of one seed
    (several sampling seeds) are averaged first, so that the spread is that of training.

    `spread`: of more trainings than these `rows` have (`pooled_spread`). Every value then has its
    standard error from it and speaks of the model, that of a single training too.
    """
    if not len(rows):
        columns = dict.fromkeys(["label", *by, "value", "std", "seeds", *CONFIGURATION, *FACTS])
        return rows.reindex(columns=[*columns, "se", "se_df", "basis"])
    keys = ["label", *by]
    kept = [c for c in (*CONFIGURATION, *FACTS) if c in rows and c not in keys]
    group = rows.groupby(keys, dropna=False, sort=False).ngroup().rename("group")
    seeds = rows["seed"] if "seed" in rows else pd.Series(0, index=rows.index, name="seed")
    std, df = errors(rows)
    numbers = pd.DataFrame({"value": rows["value"], "variance": std**2, "df": df})
    per_seed = _means(numbers, [group, seeds])
    out: Any = per_seed.groupby(level="group")["value"].agg(value="mean", std="std", seeds="count")
    out = out.join(_standard_errors(out, _means(per_seed, "group"), spread))
    # Of one measurement: a mean over several is of no draws in common, nor is luck in training.
    if "influence" in rows and spread is None:
        alone = (~group.duplicated(keep=False)).to_numpy(bool)
        moves = rows["influence"].astype(object).where(alone, None)
        rows = rows.assign(draws=draws_of(rows).where(alone, None), influence=moves)
        kept += ["draws", "influence"]
    facts = rows[[*keys, *kept]][~group.duplicated()].set_index(group.drop_duplicates())
    return facts.join(out).sort_values(["gflops", *keys]).reset_index(drop=True)


def _means(numbers: pd.DataFrame, by: Any) -> pd.DataFrame:
    """Means of `value` with their `variance` and the least `df`; NaN where one of them has none."""
    groups = numbers.groupby(by, dropna=False)
    known = groups["variance"].count() == groups["variance"].size()
    found = pd.DataFrame({"value": groups["value"].mean(), "df": groups["df"].min()})
    sums = groups["variance"].sum().where(known)
    found["variance"] = sums / groups["variance"].size() ** 2
    return found


def pooled_spread(means: pd.DataFrame) -> Spread | None:
    """The relative spread over training seeds of `averaged` rows, pooled over those of several.

    None where there are none.
    """
    many = means[(means["seeds"] > 1) & (means["value"] != 0)]
    if not len(many):
        return None
    free = many["seeds"] - 1
    relative = many["std"] / many["value"].abs()
    pooled = float(np.sqrt((free * relative**2).sum() / free.sum()))
    return pooled, float(free.sum())


def _standard_errors(
    out: pd.DataFrame, recorded: pd.DataFrame, spread: Spread | None
) -> pd.DataFrame:
    """se, se_df and basis of mean values `out` (value, std over seeds, seeds).

    recorded: `_means` of the measurements.
    """
    se = np.sqrt(recorded["variance"])
    frame = pd.DataFrame({"se": se, "se_df": recorded["df"], "basis": None})
    frame["basis"] = frame["basis"].astype(object)
    frame.loc[frame["se"].notna(), "basis"] = "checkpoints"
    many = (out["seeds"] > (1 if spread is None else 0)) & (out["value"] != 0)
    known = pooled_spread(out) if spread is None else spread
    if known is not None:
        pooled, free = known
        frame.loc[many, "se"] = pooled * out["value"][many].abs() / np.sqrt(out["seeds"][many])
        frame.loc[many, "se_df"] = free
        frame.loc[many, "basis"] = "seeds"
    return frame


def of_one_spread(frame: pd.DataFrame) -> np.ndarray:
    """(rows,): is the standard error that of the one spread over seeds that `averaged` pools?"""
    if "basis" not in frame:
        return np.zeros(len(frame), bool)
    return np.array([basis == "seeds" for basis in frame["basis"]], dtype=bool)


def errors(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """(standard errors, degrees of freedom) of the values, each (rows,); NaN where not known.

    From `se` and `se_df`, which `averaged` gives, else from `std` and `std_df` as records have
    them, read as `std_method` says. Degrees that are not known belong to standard errors taken as
    exact.
    """
    name = "se" if "se" in frame else "std"
    missing = np.full(len(frame), np.nan)
    known, df = (
        frame[c].to_numpy(float, na_value=np.nan) if c in frame else missing
        for c in (name, f"{name}_df")
    )
    return (known if name == "se" else standard_errors(frame)), df
