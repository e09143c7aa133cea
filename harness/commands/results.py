"""`results`: the measured numbers of a study, as a table, CSV or JSON."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from harness.commands import as_run, common, remarks, results_table
from harness.commands.common import Opened
from harness.commands.floors import invalid_references
from harness.commands.results_table import floor_lines, side_by_side
from harness.dispatch.ledger import Ledger
from harness.dispatch.merging import merge
from harness.errors import BadInput
from harness.store.artifacts import Store

if TYPE_CHECKING:
    import pandas

    from harness.store.studies import Index

__all__ = ["floor_lines", "side_by_side"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    common.add_study(parser, required=False)
    form = parser.add_mutually_exclusive_group()
    form.add_argument(
        "--csv", action="store_true", help="print CSV: every column, one row per number"
    )
    form.add_argument("--json", action="store_true", help="print the same as JSON records")
    form.add_argument(
        "--compact",
        action="store_true",
        help="merge the folder's record files into few Parquet files; needs no STUDY",
    )
    parser.add_argument(
        "--table",
        choices=("runs", "metrics", "training"),
        default="metrics",
        help="the table of records (default: metrics)",
    )


def run(args: argparse.Namespace) -> int:
    root = Path(args.results)
    if (args.compact or not common.note_absence(root)) and not root.is_dir():
        what = "is not a folder" if root.exists() else "is not there"
        raise BadInput(f"results folder {root} {what}")
    if args.compact:
        return compact(root)
    if args.study is None:
        raise BadInput("say which STUDY's results, as scaling")
    lacking: list[str] = []
    notes: list[str] = []
    try:
        opened = common.open_study(args)
        frames = frames_of(opened)
        if args.table == "metrics":
            plain = args.csv or args.json  # a program reads it: what is missing in it alone
            notes = remarks.unmeasured(opened) if plain else remarks.remarks(opened)
            lacking = remarks.lacking(opened)
    except BadInput as error:
        frames = frames_as_kept(root, as_run.find(args, error))
    frame = frames[args.table]
    if args.csv or args.json:
        for note in notes:
            print(f"note: {note}", file=sys.stderr)
    if args.csv:
        print(frame.to_csv(index=False), end="")
    elif args.json:
        print(as_json(frame))
    else:
        results_table.show(frame, args.table, lacking, notes)
    return 0


def as_json(frame: pandas.DataFrame) -> str:
    """The rows, every digit of their numbers (pandas' own writer keeps ten decimals); what is
    missing or not finite is null."""
    held = frame.astype(object)
    rows = held.where(held.notna(), None).to_dict("records")
    kept = [{k: None if v in (math.inf, -math.inf) else v for k, v in r.items()} for r in rows]
    return json.dumps(kept, indent=1, default=lambda value: value.item(), allow_nan=False)


def compact(root: Path) -> int:
    """Merge all record files. 3 where another process is at it."""
    from harness.store import records

    store, ledger = Store(root), Ledger(root)
    for note in records.reconcile(store):
        print(note, file=sys.stderr)
    merged = merge(root, ledger)
    if merged is None:
        print("another process is merging the records just now")
        return 3
    print(f"{merged:,} record files were merged" if merged else "the records are compact already")
    return 0


def frames_of(opened: Opened) -> dict[str, pandas.DataFrame]:
    """The study's own records, out of everything under the results folder, in its own words.

    What is committed is shown even where its record is missing; it is then written again, and what
    could not be is said on stderr.
    """
    from harness.plan.index import index

    return frames_as_kept(opened.store.root, index(opened.plan), invalid_references(opened.plan))


def frames_as_kept(
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
