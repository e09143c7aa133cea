"""The best of several: chosen on some samples, and its value is of others.

The best of several noisy values is flattered where it was measured: it is the best by its luck too.
So measurements are divided into two sets that share no sample. One chooses; the other, of which the
choice knew nothing, says how good what was chosen is, and how it differs from the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from harness.analysis.averaging import averaged, pooled_spread
from harness.analysis.labels import plain

REPLICATE = ("seed", "sampling_seed")
ALIKE = (*REPLICATE, "samples")  # what two measurements share whose values compare
OTHER = "_of_other_samples"  # column: is the row one of those to choose by?


@dataclass(frozen=True)
class Halves:
    """Rows to choose by and rows to value by. Both have the same `levels`, measured alike."""

    by: str  # the column whose levels are chosen among
    levels: tuple[Any, ...]
    picked: pd.DataFrame
    kept: pd.DataFrame
    chosen_on: str  # "seed 0", "sampling_seed 0, 1"
    valued_on: str
    of_trainings: bool
    """Are the halves training seeds? A level's luck in training is then not chosen either."""

    def best(self, higher: bool) -> tuple[Any, float]:
        """The level of the best mean of the picked rows, and that mean, which is flattered."""
        means: Any = self.picked.groupby(self.by)["value"].mean().astype(float)
        level = means.idxmax() if higher else means.idxmin()
        return level, float(means[level])

    def means(self) -> pd.DataFrame:
        """`averaged` of the kept rows, a row per level, its `label`.

        Of halves of trainings the spread over seeds is that of both halves: one training alone has
        none, and the recorded error would speak of that checkpoint.
        """
        kept, both = (
            rows.assign(label=rows[self.by])
            for rows in (self.kept, pd.concat([self.picked, self.kept], ignore_index=True))
        )
        return averaged(kept, spread=pooled_spread(averaged(both)) if self.of_trainings else None)


def halves(rows: pd.DataFrame, by: str, on: pd.DataFrame | None = None) -> Halves | None:
    """Two sets of samples of the levels of `by`; None where no two levels share two sets.

    rows: measured values, of one metric and what may be compared by it, with columns of REPLICATE.
    The halves are training seeds where several levels have several. Else they are sampling seeds.
    Else what is chosen is chosen `on` these rows, as far as they are of sampling seeds that `rows`
    have not (measured in another way, perhaps), and valued on `rows`. Levels are compared by
    measurements that all of them have: of the sets of measurements that two levels or more share,
    the one by which the most values count.
    """
    for column in REPLICATE:
        shared = _shared(rows, by, column)
        if shared is not None:
            kinds = sorted(shared[column].unique())
            first, rest = kinds[: len(kinds) // 2], kinds[len(kinds) // 2 :]
            parts = (shared[shared[column].isin(half)] for half in (first, rest))
            return _halves(by, column, *parts)
    if on is None or any("sampling_seed" not in r or r["sampling_seed"].isna().any()
                         for r in (on, rows)):  # fmt: skip
        return None
    on = on[~on["sampling_seed"].isin(set(rows["sampling_seed"]))]
    if not len(on):
        return None
    both = pd.concat([on.assign(**{OTHER: True}), rows.assign(**{OTHER: False})], ignore_index=True)
    shared = _shared(both, by, OTHER)
    if shared is None:
        return None
    parts = (shared[shared[OTHER] == other].drop(columns=OTHER) for other in (True, False))
    return _halves(by, "sampling_seed", *parts)


def _halves(by: str, column: str, picked: pd.DataFrame, kept: pd.DataFrame) -> Halves:
    on, of = (_said(column, sorted(half[column].unique())) for half in (picked, kept))
    return Halves(by, tuple(picked[by].unique()), picked, kept, on, of, column == "seed")


def _said(column: str, seeds: Sequence[float]) -> str:
    return f"{column} {', '.join(f'{seed:g}' for seed in seeds)}"


def _shared(rows: pd.DataFrame, by: str, column: str) -> pd.DataFrame | None:
    """The rows of two levels or more that were measured alike, with several kinds of `column`.

    Means over other measurements do not compare: a level counts with those that all others that
    count have too. None where no two levels share two kinds.
    """
    if column not in rows:
        return None
    rows = rows[rows[column].notna() & rows[by].notna()]
    names = [column, *(c for c in ALIKE if c in rows and c != column)]
    each = [tuple(plain(v) for v in one) for one in rows[names].itertuples(index=False)]
    marks = pd.Series(each, index=rows.index, dtype=object)
    had = {level: frozenset(own) for level, own in marks.groupby(rows[by], sort=False)}
    sets, new = set(had.values()), set(had.values())
    while new:
        new = {one & other for one in new for other in sets} - sets
        sets |= new
    holders = {own: [level for level, all_ in had.items() if own <= all_] for own in sets}
    usable = [
        own for own in sets if len(holders[own]) > 1 and len({mark[0] for mark in own}) > 1
    ]  # fmt: skip
    if not usable:
        return None
    usable.sort(key=lambda own: sorted(map(repr, own)))  # of two that are as good, always the same
    most = max(usable, key=lambda own: (len(holders[own]) * len(own), len(own)))
    measured = np.array([mark in most for mark in each], dtype=bool)
    return rows[rows[by].isin(holders[most]) & measured]
