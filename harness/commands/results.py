"""`results`: the measured numbers of a study, as a table, CSV or JSON."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from harness.commands import common
from harness.commands.common import Opened
from harness.commands.floors import invalid_references
from harness.dispatch.ledger import Ledger
from harness.errors import BadInput
from harness.spec.source import read
from harness.store.artifacts import Store

if TYPE_CHECKING:
    import pandas

    from harness.store.studies import Index

SHOWN = {  # of the tables that are too wide for a terminal; --csv has every column
    "runs": "label block seed step params gflops loss train_gflops seconds images_per_second",
    "training": "label seed step loss mse vb grad_norm images_per_second",
}
ALWAYS = ("label", "step")  # columns of the metrics table; others where they vary
OF_METRIC = ("k", "split_size")  # of a metric, not of the samples


def add_arguments(parser: argparse.ArgumentParser) -> None:
    common.add_study(parser, required=False)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="every column, one row per number")
    form.add_argument("--json", action="store_true", help="the same as JSON records")
    form.add_argument(
        "--compact",
        action="store_true",
        help="merge the folder's record files into few Parquet files; needs no STUDY",
    )
    parser.add_argument(
        "--table",
        choices=("runs", "metrics", "training"),
        default="metrics",
        help="which records (default metrics)",
    )


def run(args: argparse.Namespace) -> int:
    root = Path(args.results)
    if root.is_symlink() or root.exists() or args.compact:
        if not root.is_dir():
            what = "is not a folder" if root.exists() else "is not there"
            raise BadInput(f"results folder {root} {what}")
    else:
        print(f"note: results folder {root} is not there: nothing was run yet", file=sys.stderr)
    if args.compact:
        return compact(root)
    if args.study is None:
        raise BadInput("say which STUDY's results, as scaling")
    try:
        frames = frames_of(common.open_study(args))
    except BadInput as error:
        frames = frames_as_run(args, error)
    frame = frames[args.table]
    if args.csv:
        print(frame.to_csv(index=False), end="")
    elif args.json:
        print(frame.to_json(orient="records", indent=1))
    else:
        print_table(frame, args.table)
    return 0


def compact(root: Path) -> int:
    """Merge all record files. 3 where another process is at it."""
    from harness.store import records

    store, ledger = Store(root), Ledger(root)
    for note in records.reconcile(store):
        print(note, file=sys.stderr)
    if not ledger.claim("compaction"):
        print("another process is merging the records just now")
        return 3
    try:
        merged = records.compact(root, above=0)
    finally:
        ledger.release("compaction")
    print(f"{merged:,} record files were merged" if merged else "the records are compact already")
    return 0


def frames_of(opened: Opened) -> dict[str, pandas.DataFrame]:
    """The study's own records, out of everything under the results folder, in its own words.

    What is committed is shown even where its record is missing; it is then written again, and what
    could not be is said on stderr.
    """
    from harness.plan.index import index

    return _frames(opened.store.root, index(opened.plan), invalid_references(opened.plan))


def frames_as_run(args: argparse.Namespace, error: BadInput) -> dict[str, pandas.DataFrame]:
    """The records of a study that cannot be opened here, as its last `run` left word of it.

    Its file may have moved, or a component of its be somewhere else. Raises `error` where it was
    never run into this results folder.
    """
    from harness.store import origins, studies

    root, name, profile, text = Path(args.results), args.study, args.profile, None
    if Path(name).is_file():
        if not origins.sentences(root, str(error)):  # a mistake in it, not a component elsewhere
            raise error
        written, text = read(Path(name)).data, Path(name).read_text(encoding="utf-8")
        name, profile = written.get("study"), profile or written.get("profile", "laptop")
    try:
        found = studies.find(root, f"{name}-{profile}" if profile else str(name))
    except BadInput:
        raise error from None
    if args.overrides and tuple(args.overrides) != tuple(found.overrides):
        raise error
    if text is not None and text != found.text:
        print(f"note: {args.study} has changed since", file=sys.stderr)
    print(f"note: {str(error).splitlines()[0]}", file=sys.stderr)
    print(f"note: these are the numbers of {name} as it was run, {found.written}", file=sys.stderr)
    return _frames(root, found)


def _frames(
    root: Path, index: Index, invalid: Mapping[str, str] | None = None
) -> dict[str, pandas.DataFrame]:
    """The rows of one study. invalid: references whose old floors say nothing, and why."""
    from harness.store import floors, records
    from harness.store.of_study import of_study

    found = records.read(root, repair=True)
    for note in found.notes:
        print(note, file=sys.stderr)
    floors.mark(found.frames["metrics"], invalid or {})
    return of_study(found.frames, index)


def recorded(opened: Opened) -> set[str]:
    """Keys of the study's stages that need not be done for its numbers: those that are recorded,
    or were needed by them only. Of a results folder without artifacts, its records alone."""
    from harness.store import records

    found: set[str] = set()
    for table in records.TABLES:
        found |= records.scan(opened.store.root, table).keys
    found &= opened.plan.stages.keys()
    for key in reversed(list(opened.plan.stages)):
        if key in found:
            found |= opened.plan.stages[key].needs & opened.plan.stages.keys()
    return found


def print_table(frame: pandas.DataFrame, table: str) -> None:
    from rich.console import Console
    from rich.table import Table

    if frame.empty:
        print("nothing is recorded yet")
        return
    if table == "metrics":
        floors = frame[frame["of"] == "floor"]
        wide = side_by_side(frame)
    else:
        floors = frame.iloc[:0]
        wide = frame[[c for c in SHOWN[table].split() if c in frame]]
    out = Table(*map(str, wide.columns))
    for row in wide.itertuples(index=False):
        out.add_row(*(_cell(v) for v in row))
    console = Console()
    if not console.is_terminal:
        console.width = 250
    console.print(out)
    for line in floor_lines(floors):
        console.print(line, highlight=False)


def floor_lines(floors: pandas.DataFrame) -> list[str]:
    """One line per floor: the metric, its value, of how many images, and what tells it apart.

    One that an older version measured is left out where the metric has a newer one.
    """
    import pandas as pd

    if floors.empty:
        return []
    old = floors["key"] == floors["reference_key"]
    lines = []
    for row, is_old in zip(floors.to_dict("records"), old.fillna(False), strict=True):
        newer = floors[~old.fillna(True)]
        if is_old and (newer["metric"] == row["metric"]).any():
            continue
        shown = [f"{row['samples']:,} images"] if pd.notna(row["samples"]) else []
        shown += [f"k = {row['k']}"] if pd.notna(row["k"]) else []
        line = f"floor (real images): {row['metric']} {row['value']:.4g}"
        line += f" ({', '.join(shown)})" if shown else ""
        if pd.notna(row["invalid"]):
            line = f"{line}, invalid: {row['invalid']}"
        lines.append(line)
    return list(dict.fromkeys(lines))


def side_by_side(metrics: pandas.DataFrame) -> pandas.DataFrame:
    """One row per measurement of a model, one column per metric, and what tells the rows apart.

    Neighbours and chunks are of single metrics: they are columns only where samples were measured
    with several. Nothing is averaged: two values of one metric that these columns do not tell apart
    get two rows.
    """
    import pandas as pd

    from harness.analysis import labelled
    from harness.analysis.selection import PROTOCOL

    rows = metrics[metrics["of"] == "samples"]
    if "label" not in rows:
        rows = labelled(rows).sort_values(["step", "sampling_steps", "gflops", "label"])
    told = [*ALWAYS, "evaluation", "seed", *PROTOCOL, "sampling_seed"]
    told = [c for c in told if c in rows and (c in ALWAYS or _tells(rows, c))]
    names = list(dict.fromkeys(rows["metric"]))
    out: list[dict[str, object]] = []
    at: dict[tuple[object, ...], list[dict[str, object]]] = {}
    for row in rows.to_dict("records"):
        identity = tuple("-" if pd.isna(row[c]) else row[c] for c in told)
        lines = at.setdefault(identity, [])
        line = next((x for x in lines if row["metric"] not in x), None)
        if line is None:
            line = {**dict(zip(told, identity, strict=True)), "gflops": row["gflops"]}
            lines.append(line)
            out.append(line)
        line[row["metric"]] = row["value"]
    return pd.DataFrame(out, columns=[*told, "gflops", *names])


def _tells(rows: pandas.DataFrame, column: str) -> bool:
    """Do rows differ in the column? Null is a value of its own within one metric (all channels
    guided; an old record without the column)."""
    if column in OF_METRIC:
        samples = ["metric", *(c for c in ("sample_key", "label", "step") if c in rows)]
        return bool((rows.groupby(samples, dropna=False)[column].nunique(dropna=False) > 1).any())
    by_metric = rows.groupby("metric")[column].nunique(dropna=False)
    return bool(rows[column].nunique() > 1 or (by_metric > 1).any())


def _cell(value: object) -> str:
    import pandas as pd

    if value is None or value is pd.NA or value != value:
        return "-"
    return f"{value:.5g}" if isinstance(value, float) else str(value)
