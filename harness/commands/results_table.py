"""The tables that `results` prints: one row per measurement of a model, and the floors below."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from harness.commands.common import UNITS, unit_of

if TYPE_CHECKING:
    import pandas
    from rich.console import Console

SHOWN = {  # of the tables that are too wide for a terminal; --csv has every column
    "runs": "label block seed step params gflops loss train_gflops seconds images_per_second",
    "training": "label seed step loss mse vb grad_norm images_per_second",
}
ALWAYS = ("label", "evaluation", "step")  # columns of the metrics table; others where they vary
OF_METRIC = ("k", "split_size")  # of a metric, not of the samples
COST = ("gflops", "train_gflops")  # columns shown in the unit that they read best in


def show(
    frame: pandas.DataFrame, table: str, lacking: Sequence[str] = (), notes: Sequence[str] = ()
) -> None:
    """Print a table of records (harness.store.of_study) for people.

    lacking: metrics that were asked for and not measured; they are columns all the same. notes:
    what its reader should know, printed below.
    """
    from rich.console import Console

    if frame.empty:
        print("nothing is recorded yet" if not notes else "no number is recorded")
        _print_notes(notes)
        return
    floors = frame.iloc[:0]
    if table == "metrics":
        floors = frame[frame["of"].isin(list(BESIDE))]
        wide = side_by_side(frame)
        for name in lacking:
            if name not in wide:
                wide[name] = None
    else:
        wide = frame[[c for c in SHOWN[table].split() if c in frame]]
    console = Console()
    if not console.is_terminal:
        console.width = 250
    if len(wide):
        _print(readable(wide), console)
    decoded = frame[frame["of"] == "reconstruction"] if "of" in frame else frame.iloc[:0]
    for line in floor_lines(decoded):
        line = line.replace("floor (real images)", "reconstruction (decoded encodings)")
        console.print(line, highlight=False)
    for line in floor_lines(floors, frame):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    _print_notes(notes)


def _print_notes(notes: Sequence[str]) -> None:
    for note in notes:
        print(f"note: {note}")


def _print(wide: pandas.DataFrame, console: Console) -> None:
    """As a table; where the terminal is too narrow for one, a block of lines per row: a number
    that is cut is another number."""
    from rich.measure import Measurement
    from rich.table import Table

    out = Table(*map(str, wide.columns))
    rows = [[_cell(v) for v in row] for row in wide.itertuples(index=False)]
    for row in rows:
        out.add_row(*row)
    needed = Measurement.get(console, console.options.update(width=10_000), out).maximum
    if needed <= console.width:
        console.print(out, markup=False)
        return
    width = max(map(len, map(str, wide.columns)))
    for row in rows:
        for name, cell in zip(map(str, wide.columns), row, strict=True):
            if cell != "-":
                print(f"{name:<{width}}  {cell}")
        print()


def readable(wide: pandas.DataFrame) -> pandas.DataFrame:
    """The same with operations in the unit that the largest reads best in, named in the heading:
    micro models' 5.44e-05 Gflops are 54.4 kflops."""
    import pandas as pd

    out = wide.copy()
    for column in COST:
        if column in out:
            numbers = pd.to_numeric(out[column], errors="coerce")
            largest = numbers.max()
            unit = unit_of(largest) if pd.notna(largest) and largest > 0 else "Gflops"
            out[column] = numbers / UNITS[unit]
            out = out.rename(columns={column: column.replace("gflops", unit)})
    return out


def side_by_side(metrics: pandas.DataFrame) -> pandas.DataFrame:
    """One row per measurement of a model, one column per metric, and what tells the rows apart.

    Neighbours and chunks are of single metrics: they are columns only where one metric of the same
    samples was measured with several. Nothing is averaged: two values of one metric that these
    columns do not tell apart get two rows. Behind them, the metrics of the first samples, as many
    as the floor has images, where that has fewer.
    """
    import pandas as pd

    from harness.analysis import labelled
    from harness.analysis.protocol import DRAWN

    rows = metrics[metrics["of"] == "samples"]
    if "label" not in rows:
        rows = labelled(rows).sort_values(["step", "sampling_steps", "gflops", "label"])
    told = [*ALWAYS, "seed", *DRAWN, "sampling_seed"]
    told = [c for c in told if c in rows and (c in ALWAYS or _tells(rows, c))]
    own = [c for c in OF_METRIC if c in rows]
    names = list(dict.fromkeys(rows["metric"]))
    out: list[dict[str, Any]] = []
    at: dict[tuple[object, ...], list[dict[str, Any]]] = {}
    several: set[str] = set()
    of_metric: dict[tuple[object, ...], list[dict[str, Any]]] = {}
    for row in rows.to_dict("records"):
        identity = tuple("-" if pd.isna(row[c]) else row[c] for c in told)
        lines = at.setdefault(identity, [])
        mine = {c: row[c] for c in own if not pd.isna(row[c])}
        for line in lines:
            several.update(c for c in mine if line.get(c, mine[c]) != mine[c])
        joined = next((x for x in lines if _joins(row["metric"], mine, x)), None)
        line = joined or {}
        if joined is None:
            line = {**dict(zip(told, identity, strict=True)), "gflops": row["gflops"]}
            lines.append(line)
            out.append(line)
        line[row["metric"]] = row["value"]
        line.update(mine)
        of_metric.setdefault(_measured(row), []).append(line)
    names += _first_samples(metrics[metrics["of"] == "subset"], of_metric)
    shown = [*told, *(c for c in own if c in several), "gflops", *names]
    return pd.DataFrame(out, columns=shown)


def _first_samples(
    rows: pandas.DataFrame, lines: dict[tuple[object, ...], list[dict[str, Any]]]
) -> list[str]:
    """Write the values of subsets into the lines of their samples; the columns, as "fid of 500".

    A value stands in the one line of its samples, evaluation, metric and neighbours; where several
    are alike in these (chunks of several sizes), in none.
    """
    values: dict[tuple[object, ...], list[Any]] = {}
    for row in rows.to_dict("records"):
        values.setdefault((row["samples"], *_measured(row)), []).append(row)
    names: dict[str, None] = {}
    for (samples, *measured), found in values.items():
        own = lines.get(tuple(measured), [])
        if len(own) == len(found) == 1:
            name = f"{found[0]['metric']} of {samples:,}"
            own[0][name] = found[0]["value"]
            names[name] = None
    return [*names]


def _measured(row: dict[Any, Any]) -> tuple[object, ...]:
    """What was measured, and how: samples, reference, evaluation, metric, neighbours."""
    import pandas as pd

    given = (row.get(c) for c in ("sample_key", "reference_key", "evaluation", "metric", "k"))
    return tuple(None if pd.isna(value) else value for value in given)


def _joins(metric: object, own: dict[str, Any], line: dict[str, Any]) -> bool:
    """May a value stand in this line: is its column free, and are its neighbours the line's?"""
    return metric not in line and all(line.get(c, value) == value for c, value in own.items())


def _tells(rows: pandas.DataFrame, column: str) -> bool:
    """Do rows differ in the column? Null is a value of its own within one metric (all channels
    guided; an old record without the column)."""
    by_metric = rows.groupby("metric")[column].nunique(dropna=False)
    return bool(rows[column].nunique() > 1 or (by_metric > 1).any())


BESIDE = {  # what stands beside samples, of what
    "floor": "real images",
    "reconstruction": "decoded encodings",
    "ceiling": "decoded noise",
}


def floor_lines(floors: pandas.DataFrame, frame: pandas.DataFrame | None = None) -> list[str]:
    """One line per floor, ceiling and reconstruction: metric, value, of how many images, and what
    tells it apart.

    One that an older version measured is left out where the metric has a newer one. frame: all
    rows, which tell whose the references are, where there are several.
    """
    import pandas as pd

    if floors.empty:
        return []
    whose: dict[Any, str] = {}
    if frame is not None:
        whose = _whose(frame, floors)
        # in the order of the models that are measured against them
        order = list(dict.fromkeys(frame.loc[frame["of"] == "samples", "reference_key"]))
        place = floors["reference_key"].map(lambda k: order.index(k) if k in order else len(order))
        floors = floors.assign(_=place).sort_values("_", kind="stable")
    old = (floors["key"] == floors["reference_key"]).fillna(False)
    newer = {(r["metric"], r["reference_key"]) for r in floors[~old].to_dict("records")}
    lines = []
    for row, is_old in zip(floors.to_dict("records"), old, strict=True):
        if is_old and (row["metric"], row["reference_key"]) in newer:
            continue
        shown = [f"{row['samples']:,} images"] if pd.notna(row["samples"]) else []
        shown += [f"k = {row['k']}"] if pd.notna(row["k"]) else []
        kind = row["of"] if row.get("of") in BESIDE else "floor"
        of = ", ".join(w for w in (BESIDE[kind], whose.get(row["reference_key"])) if w)
        line = f"{kind} ({of}): {row['metric']} {row['value']:.4g}"
        line += f" ({', '.join(shown)})" if shown else ""
        if pd.notna(row.get("invalid")):
            line = f"{line}, invalid: {row['invalid']}"
        lines.append(line)
    return list(dict.fromkeys(lines))


def _whose(frame: pandas.DataFrame, floors: pandas.DataFrame) -> dict[Any, str]:
    """By reference, in words, which models were measured against it; {} for a single reference.

    The values of axes that its models share and others do not have; else what is recorded of the
    images; else its checksum.
    """
    if "reference_key" not in floors or floors["reference_key"].nunique() < 2:
        return {}
    keys = list(dict.fromkeys(floors["reference_key"].dropna()))
    samples = frame[frame["of"] == "samples"]
    axes = [a for a in frame.attrs.get("axes", ()) if a in samples]
    said: dict[Any, list[str]] = {key: [] for key in keys}
    recorded = [c for c in ("data", "image_size", "extractor") if c in floors]
    for names, rows in ((axes, samples), (recorded, floors)):
        for name in names:
            values = {k: set(rows.loc[rows["reference_key"] == k, name].dropna()) for k in keys}
            if all(len(v) == 1 for v in values.values()) and len(set.union(*values.values())) > 1:
                for key in keys:
                    (value,) = values[key]
                    said[key].append(f"{name}={_cell(value)}")
        if len({tuple(words) for words in said.values()}) == len(keys):
            break
    else:
        for row in floors.drop_duplicates("reference_key").to_dict("records"):
            checksum = row.get("reference_sha256")
            name = checksum if isinstance(checksum, str) else row["reference_key"]
            said[row["reference_key"]].append(f"reference {str(name)[:6]}")
    return {key: ", ".join(words) for key, words in said.items()}


def _cell(value: object) -> str:
    import pandas as pd

    if value is None or value is pd.NA or value != value:
        return "-"
    return f"{value:.5g}" if isinstance(value, float) else str(value)
