"""The numbers of a study as pandas frames: `load_results`, `describe` and `packages`."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import BadInput, another_type
from harness.store import studies
from harness.store.frames import OfColumns, columns_of, read_frames
from harness.store.of_study import of_study
from harness.store.studies import Index

if TYPE_CHECKING:
    import pandas as pd

    from harness.spec.study import Study


def load_results(
    root: str | Path = "results",
    study: str | Path | Study | Sequence[str | Path | Study] | None = None,
) -> dict[str, pd.DataFrame]:
    """The records under `root`: {"runs", "metrics", "training"} (columns: `describe`).

    study: None for every row that is recorded, of whatever study; or one study, or several: the
    name of one that was run into `root` ("scaling", "scaling-laptop"), the path of a YAML file, or
    a Study. The rows are then the study's own, with `study`, `label`, `evaluation` and the axes of
    its matrix as columns; a row that two of the studies need stands in each. A study whose file, or
    a component of it, is not available is read as it was run, and a UserWarning says so.

    A number whose artifact is committed is there even where its record is missing; a CorruptRecord
    warning says so. Raises BadInput where there is no folder `root`, or no such study in it; a
    folder without results gives empty frames, and a UserWarning.
    """
    root = _folder(root)
    if not any((root / name).is_dir() for name in ("records", "artifacts")):
        warnings.warn(
            f"{root} holds no results: it has neither a folder records nor a folder artifacts",
            UserWarning,
            stacklevel=2,
        )
    frames = read_frames(root)
    if study is None:
        return frames
    if isinstance(study, Sequence) and not isinstance(study, (str, bytes)):
        wanted = list(study)
    else:
        wanted = [study]
    parts = [of_study(frames, index_of(root, one)) for one in wanted]
    if len(parts) == 1:
        return parts[0]
    if not parts:
        raise BadInput("study=[] names no study")
    return {table: _together([part[table] for part in parts]) for table in frames}


def _folder(root: str | Path) -> Path:
    """A results folder. Raises BadInput where it is none."""
    if not isinstance(root, (str, Path)):
        raise another_type("root", root, "the path of a results folder")
    if not str(root) or not Path(root).is_dir():
        what = "is not a folder" if Path(root).exists() else "is not there"
        shown = root or repr("")
        raise BadInput(
            f"results folder {shown} {what}; `python -m harness run` makes one (default: results)"
        )
    return Path(root)


def _together(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Several studies' rows; an axis that one of them lacks is null there."""
    import pandas as pd

    axes = list(dict.fromkeys(axis for part in parts for axis in part.attrs["axes"]))
    attrs = {**parts[0].attrs, "study": [part.attrs["study"] for part in parts], "axes": axes}
    attrs["profile"] = [part.attrs["profile"] for part in parts]
    attrs["meaning"] = OfColumns({k: v for part in parts for k, v in part.attrs["meaning"].items()})
    for part in parts:
        part.attrs = {}
    out = pd.concat(parts, ignore_index=True)
    names = [c for c in ("study", "label", "evaluation", *axes) if c in out]
    out = out[[*names, *out.columns.drop(names)]]
    out.attrs = attrs
    return out


def index_of(root: Path, study: str | Path | Study) -> Index:
    """The study's names for its stages: as its `run` wrote them, or planned from the study."""
    if isinstance(study, str) and not study.endswith((".yaml", ".yml")):
        return studies.find(root, study)
    if not isinstance(study, (str, Path)) and not hasattr(study, "runs"):
        wanted = "a name, the path of a YAML file, a Study, or a list of these"
        raise another_type("study", study, wanted)
    from harness.commands import as_run
    from harness.commands.imported import imported_checkpoints
    from harness.plan import make_plan
    from harness.plan.index import index
    from harness.spec import load_study

    try:
        loaded = load_study(study) if isinstance(study, (str, Path)) else study
        return index(make_plan(loaded, imported_checkpoints(root)))
    except BadInput as error:
        if not isinstance(study, (str, Path)):
            raise
        found, notes = as_run.kept(Path(root), str(study), error)
    warnings.warn("; ".join(notes), UserWarning, stacklevel=3)
    return found


def describe(table: str) -> pd.DataFrame:
    """Every recorded column of "runs", "metrics" or "training": type, unit, meaning, volatile.

    Indexed by the column's name. `volatile` columns may differ between two executions of one
    stage. A frame's own `attrs` say the same, and what the columns of its study are.
    """
    import pandas as pd

    from harness.store import tables

    if not isinstance(table, str):
        raise another_type("table", table, f"one of {', '.join(tables.TABLES)}")
    if table not in tables.TABLES:
        raise BadInput(f"there is no table {table!r}; there are {', '.join(tables.TABLES)}")
    rows = [
        {"column": c.name, "type": c.type, "unit": c.unit, "meaning": c.meaning}
        | {"volatile": c.volatile}
        for c in columns_of(table)
    ]
    return pd.DataFrame(rows).set_index("column")


def packages(root: str | Path = "results") -> pd.DataFrame:
    """Every package that was installed where the numbers under `root` were made.

    Columns environment (as the column `environment` of "runs" and "metrics" names it), package,
    version: one row per package of each environment. Empty where none was kept. Raises BadInput
    where there is no folder `root`.
    """
    import pandas as pd

    from harness.store import environments

    root = _folder(root)
    rows = [
        (name, package, version)
        for name, found in environments.read_all(root).items()
        for package, version in found.items()
    ]
    return pd.DataFrame(rows, columns=["environment", "package", "version"], dtype="string")
