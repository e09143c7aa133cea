"""`results`: the measured numbers of a study, as a table, CSV or JSON."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from harness.commands import common
from harness.commands.common import Opened

if TYPE_CHECKING:
    import pandas

SHOWN = {  # of the tables that are too wide for a terminal; --csv has every column
    "runs": "model block seed step params gflops loss train_gflops seconds images_per_second",
    "training": "model seed step loss mse vb grad_norm images_per_second",
}
ALWAYS = ("label", "step")  # columns of the metrics table; others where they vary


def add_arguments(parser: argparse.ArgumentParser) -> None:
    common.add_study(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="every column, one row per number")
    form.add_argument("--json", action="store_true", help="the same as JSON records")
    parser.add_argument(
        "--table",
        choices=("runs", "metrics", "training"),
        default="metrics",
        help="which records (default metrics)",
    )


def run(args: argparse.Namespace) -> int:
    opened = common.open_study(args)
    frame = frames_of(opened)[args.table]
    if args.csv:
        print(frame.to_csv(index=False), end="")
    elif args.json:
        print(frame.to_json(orient="records", indent=1))
    else:
        print_table(frame, args.table)
    return 0


def frames_of(opened: Opened) -> dict[str, pandas.DataFrame]:
    """The study's own records (its stages' keys), out of everything under the results folder."""
    from harness.store.records import read_frames

    keys = set(opened.plan.stages)
    frames = read_frames(opened.store.root)
    own = {name: f[f["key"].isin(keys)].reset_index(drop=True) for name, f in frames.items()}
    _name_models(opened, own)
    return own


def _name_models(opened: Opened, frames: dict[str, pandas.DataFrame]) -> None:
    """Call models what this study calls them, in place.

    A checkpoint that another study trained is recorded under that study's name for the same
    numbers ("DiT-12x384x6/2" for "DiT-S/2", or an imported one's first name).
    """
    models = {
        key: opened.study.runs[stage.run].model
        for key, stage in opened.plan.stages.items()
        if stage.kind == "train" and stage.run is not None
    }
    for name, frame in frames.items():
        own = frame["checkpoint_key" if name == "metrics" else "key"].map(models)
        known = own.notna()
        if not known.any():
            continue
        named = {"model": "label"} if name == "training" else {"model": "label", "size": "size"}
        for column, attribute in named.items():
            values = own[known].map(lambda m, a=attribute: getattr(m, a)).astype("string")
            frame.loc[known, column] = values
        if name != "training":
            ours = known & own.map(lambda m: getattr(m, "checkpoint", "-") is None)
            frame.loc[ours, "family"] = own[ours].map(lambda m: m.family).astype("string")


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
        wide = frame[SHOWN[table].split()]
    out = Table(*map(str, wide.columns))
    for row in wide.itertuples(index=False):
        out.add_row(*(_cell(v) for v in row))
    console = Console()
    if not console.is_terminal:
        console.width = 250
    console.print(out)
    for floor in floors.itertuples():
        console.print(f"floor (real images): {floor.metric} {floor.value:.4g}", highlight=False)


def side_by_side(metrics: pandas.DataFrame) -> pandas.DataFrame:
    """One row per set of samples, one column per metric, and what tells the rows apart.

    Nothing is averaged: two values of one metric that these columns do not tell apart get two rows.
    """
    import pandas as pd

    from harness.analysis import labelled
    from harness.analysis.selection import PROTOCOL

    rows = labelled(metrics[metrics["of"] == "samples"])
    rows = rows.sort_values(["step", "sampling_steps", "gflops", "label"], kind="stable")
    told = [*ALWAYS, "seed", *PROTOCOL, "sampling_seed"]
    told = [c for c in told if c in ALWAYS or rows[c].nunique() > 1 or _says(rows, c)]
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


def _says(rows: pandas.DataFrame, column: str) -> bool:
    """Is null a value of its own here? (all channels guided; an old record without the column)"""
    by_metric = rows.groupby("metric")[column].nunique(dropna=False)
    return bool((by_metric > 1).any())


def _cell(value: object) -> str:
    import pandas as pd

    if value is None or value is pd.NA or value != value:
        return "-"
    return f"{value:.5g}" if isinstance(value, float) else str(value)
