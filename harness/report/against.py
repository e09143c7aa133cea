"""Somebody else's numbers beside a study's: a results folder, or a CSV of published points."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import BadInput

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("label", "model", "size", "patch_size", "gflops", "params", "value", "se", "se_df",
           "family", "setting", "recorded")  # fmt: skip
NEEDED = ("model", "gflops", "value")
NUMBERS = ("gflops", "value", "se", "se_df", "params", "patch_size")


def read(source: Path, metric: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Columns `COLUMNS`: values of `metric` from a results folder, or from a CSV.

    `recorded`: are settings recorded, as a folder's are? `setting` is then the name of the study's
    own setting that a row has, in the words of its labels ("lr 0.001"); null where the study has no
    such setting. A CSV records none: see `in_panels`.

    rows: the study's own metrics. Of a folder only those values count that were measured as the
    study's compared ones: at their step, by their protocol, against their reference and weights.
    A CSV has at least model, gflops (per forward pass) and value, and may have params, size,
    patch_size and se (the standard error); how it was measured is for its giver to know. Raises
    BadInput: nothing there, columns that lack, values that are no numbers or do not compare.
    """
    source = Path(source)
    if source.is_dir():
        return _of_folder(source, metric, rows)
    if not source.is_file():
        raise BadInput(f"--against: there is no results folder and no CSV at {source}")
    return _of_csv(source)


def _of_folder(source: Path, metric: str, ours: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    from harness.analysis import selection
    from harness.analysis.averaging import averaged
    from harness.store.records import read_frames

    compared = selection.final_protocol(ours, metric)
    if compared is None:
        raise BadInput(f"--against {source}: this study itself has no measured value of {metric}")
    protocol, step = compared
    frame = read_frames(source)["metrics"]
    parts = [part.assign(_theirs=mark) for part, mark in ((ours, False), (frame, True))]
    # Labels say what varies: only among both are they the same words for the same settings.
    both = selection.measured(pd.concat(parts, ignore_index=True), metric)
    if not both["_theirs"].any():
        raise BadInput(f"--against {source}: it has no value of {metric}")
    ways = zip(both["protocol"], both["step"], strict=True)
    both = selection.where(both, [p == protocol and _same(s, step) for p, s in ways])
    if not both["_theirs"].any():
        at = "" if step is None else f"at step {step:,}, "
        raise BadInput(
            f"--against {source}: none of its values of {metric} was measured as this study's are: "
            f"{at}{protocol.sentence()}"
        )
    marks = [tuple(r) for r in both[["reference_sha256", "extractor_sha256"]].astype(str).values]
    known = {m for m, other in zip(marks, both["_theirs"], strict=True) if not other}
    both = selection.where(both, [mark in known for mark in marks])
    theirs = both[both["_theirs"]]
    if not len(theirs):
        raise BadInput(
            f"--against {source}: its values of {metric} are of other reference images or of other "
            "weights of the extractor, and do not compare with this study's"
        )
    own = selection.final_rows(ours, metric)
    called = dict(zip(own["key"], own["label"], strict=True))
    mine = both[~both["_theirs"]]
    joint = {key: called[key] for key in mine["key"] if key in called}
    settings = {
        setting(label, model): setting(joint[key], model)
        for key, label, model in zip(mine["key"], mine["label"], mine["model"], strict=True)
        if key in joint
    }
    has = [
        settings.get(setting(label, model))
        for label, model in zip(theirs["label"], theirs["model"], strict=True)
    ]
    names = [
        label if its is None else f"{model} {its}".rstrip()
        for label, model, its in zip(theirs["label"], theirs["model"], has, strict=True)
    ]
    theirs = theirs.assign(label=names, setting=pd.Series(has, index=theirs.index, dtype=object))
    found = averaged(theirs, ("step", "setting")).assign(recorded=True)
    return found.reindex(columns=list(COLUMNS))


def setting(label: Any, model: Any) -> str:
    """What a label says besides the model's name: block, recipe, image size."""
    return str(label).removeprefix(str(model)).strip()


def _same(step: Any, compared: int | None) -> bool:
    """Is it the compared step? None and null: not known (an imported checkpoint)."""
    if step is None or step != step or compared is None:
        return compared is None and not (step is not None and step == step)
    return int(step) == compared


def _of_csv(source: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # cells beyond the header
            how: dict[str, Any] = {
                "skip_blank_lines": False,
                "skipinitialspace": True,
                "dtype": str,
            }
            rows: pd.DataFrame = pd.read_csv(source, index_col=False, **how)
    except (OSError, UnicodeDecodeError, ValueError, pd.errors.ParserWarning) as error:
        raise BadInput(f"--against {source}: it cannot be read as CSV ({error})") from None
    lacking = [c for c in NEEDED if c not in rows]
    if lacking:
        raise BadInput(
            f"--against {source}: it has no column {', '.join(lacking)}; there are "
            f"{', '.join(map(str, rows.columns))}; needed are {', '.join(NEEDED)}"
        )
    rows = rows[rows.notna().any(axis=1)]  # its index counts the lines, blank ones too
    if not len(rows):
        raise BadInput(f"--against {source}: it has no row below its header")
    unnamed = rows.index[rows["model"].isna()]
    if len(unnamed):
        raise BadInput(f"--against {source}, line {int(unnamed[0]) + 2}: there is no model")
    for column in NUMBERS:
        if column in rows:
            rows[column] = _numbers(source, rows[column], column)
    parts = rows["model"].str.extract(r"-([A-Z]+)/(\d+)$")
    for column, found in (("size", parts[0]), ("patch_size", pd.to_numeric(parts[1]))):
        if column not in rows:
            rows[column] = found
    if "label" not in rows:
        rows["label"] = rows["model"]
    twice = rows["label"].duplicated()
    if twice.any():
        line = int(rows.index[twice][0]) + 2
        name = rows.loc[rows.index[twice][0], "label"]
        raise BadInput(f"--against {source}, line {line}: {name} is there twice")
    rows = rows.reindex(columns=list(COLUMNS)).reset_index(drop=True)
    return rows.assign(family=None, setting=None, recorded=False)


def in_panels(theirs: pd.DataFrame, ours: pd.DataFrame) -> pd.DataFrame:
    """`theirs` with `group`: that of ours which has their setting, null where none has it.

    ours: with `group` (harness.report.prepared). What is recorded stands where family and setting
    are its own. A row of a CSV stands where its label is one of ours, or says in our words what
    our label says besides the model; where ours are of one setting all of a CSV stands beside
    them, as its giver asked.
    """
    import pandas as pd

    from harness.analysis.labels import plain

    every = set(ours["group"])
    at: dict[Any, set[str]] = {}
    for row in ours.to_dict("records"):
        its = setting(row["label"], row.get("model"))
        for key in ((plain(row.get("family")), its), ("", its), row["label"]):
            at.setdefault(key, set()).add(row["group"])

    def group(row: dict[Any, Any]) -> str | None:
        if row.get("recorded") is True:
            its = plain(row["setting"])
            found = at.get((plain(row["family"]), its), set())
        elif len(every) == 1:
            found = every
        else:
            said = setting(row["label"], row["model"])
            found = at.get(row["label"]) or (at.get(("", said), set()) if said else set())
        return next(iter(found)) if len(found) == 1 else None

    groups = [group(row) for row in theirs.to_dict("records")]
    return theirs.assign(group=pd.Series(groups, index=theirs.index, dtype=object))


def _numbers(source: Path, cells: pd.Series, column: str) -> pd.Series:
    """A column of a CSV as floats. Raises BadInput, naming the line, where one cannot be used."""
    import numpy as np
    import pandas as pd

    found = pd.to_numeric(cells, errors="coerce").astype(float)
    values, given = found.to_numpy(), cells.notna().to_numpy()
    unusable = ~np.isfinite(values) & (given | (column in NEEDED))
    least = values < 0 if column == "se" else values <= 0
    if column == "value":  # of any sign: that depends on the metric
        least = np.zeros(len(values), bool)
    for at in np.flatnonzero(unusable | least)[:1]:
        line, cell = int(cells.index[at]) + 2, cells.iloc[at]
        if unusable[at]:
            words = f"not a finite number, but {cell!r}" if given[at] else "not a finite number"
        else:
            words = "negative" if values[at] < 0 else "no cost" if column == "gflops" else "0"
        raise BadInput(f"--against {source}, line {line}: {column} is {words}")
    return found


def differences(ours: pd.DataFrame, theirs: pd.DataFrame) -> pd.DataFrame:
    """Ours less theirs for each label that both have: label, ours, theirs, value, low, high, tie.

    Independent measurements; 95 % intervals, Holm over all. Limits are infinite where either has
    no standard error. `ours_half`, `theirs_half`: half the 95 % interval of each alone, or NaN.
    """
    import pandas as pd

    from harness.analysis.averaging import errors
    from harness.analysis.intervals import corrected, degrees, difference, interval

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

    def half(frame: pd.DataFrame, label: Any) -> float:
        se, free = float(frame.loc[label, "_se"]), degrees(float(frame.loc[label, "_df"]))
        return interval(0.0, se, free).half_width if se == se else float("nan")

    rows = [
        (label, *(float(f.loc[label, "value"]) for f in (mine, other)), *g.interval, g.tie,
         half(mine, label), half(other, label))
        for label, g in zip(shared, gaps, strict=True)
    ]  # fmt: skip
    columns = ["label", "ours", "theirs", "value", "low", "high", "tie", "ours_half", "theirs_half"]
    return pd.DataFrame(rows, columns=columns)
