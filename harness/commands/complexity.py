"""python -m harness complexity [NAMES]: Gflops and parameters of models, beside the paper's."""

from __future__ import annotations

import argparse
import csv
import json
import sys
import warnings
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from harness.models import zoo
from harness.paper import table


class Point(NamedTuple):
    """One line of the output: what is counted."""

    model: str
    image_size: int
    block: str | None  # None for a U-Net


class Published(NamedTuple):
    """The paper's numbers for a point."""

    gflops: float
    params_m: int | None  # millions


COLUMNS = {  # key: (heading, width, format)
    "model": ("model", 17, ""),
    "image_size": ("image", 5, "d"),
    "block": ("block", 15, ""),
    "tokens": ("tokens", 6, ",d"),
    "gflops": ("Gflops", 10, ".4f"),
    "gflops_paper": ("with norms", 10, ".4f"),
    "published_gflops": ("paper", 7, "g"),
    "difference_percent": ("off by %", 8, "+.3f"),
    "params": ("parameters", 13, ",d"),
    "published_params_m": ("paper, M", 8, "d"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Counts forward multiply-accumulates for one image without guidance, in two conventions: "
        "'Gflops' has convolutions, linears and attention products; 'with norms' adds one "
        "operation per normalised element. Nothing is allocated or computed: any size will do."
    )
    parser.add_argument(
        "names",
        metavar="NAMES",
        nargs="*",
        help="models such as DiT-XL/2 or ADM-256 (default: all of the paper's Tables 3 and 5)",
    )
    parser.add_argument(
        "--image-size",
        type=int,
        metavar="PIXELS",
        help="image size of a DiT (default: the family's, 256)",
    )
    parser.add_argument(
        "--block", choices=zoo.BLOCKS, help="block design of a DiT (default: adaln-zero)"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print a JSON list")
    form.add_argument("--csv", action="store_true", help="print CSV")


def run(args: argparse.Namespace) -> int:
    published = published_counts()
    points: Iterable[Point] = published
    if args.names:
        points = [_point(name, args.image_size, args.block) for name in args.names]
    elif args.image_size is not None or args.block:
        models = dict.fromkeys(point.model for point in published if point.block)
        points = [_point(name, args.image_size, args.block) for name in models]
    rows = (_row(point, published.get(point)) for point in points)
    if args.json:
        print(json.dumps(list(rows), indent=2))
    elif args.csv:
        writer = csv.DictWriter(sys.stdout, [*COLUMNS, "activations"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    else:
        _print(rows)
    return 0


def _point(name: str, image_size: int | None, block: str | None) -> Point:
    """The point that a name on the command line stands for. Raises BadInput."""
    if name in zoo.UNETS:
        zoo.check_unet(name, image_size)
        return Point(name, zoo.UNETS[name], None)
    family, _, _ = zoo.parse(name)
    block = block or "adaln-zero"
    image_size = zoo.FAMILIES[family].image_size if image_size is None else image_size
    zoo.architecture(name, image_size=image_size, block=block)  # all errors before any counting
    return Point(name, image_size, block)


def published_counts() -> dict[Point, Published]:
    """Tables 3 and 5, each configuration once (Table 3 repeats some, trained for longer)."""
    out = {}
    for row in table("table3_models"):
        point = Point(row["model"], row["image_size"], row["block"])  # type: ignore[arg-type]
        out[point] = Published(row["gflops"], row["params_m"])  # type: ignore[arg-type]
    for row in table("table5_unets"):
        size: Any = row["image_size"]
        name = str(row["model"]) if row["model"] in zoo.UNETS else f"{row['model']}-{size}"
        costs: list[Any] = [row["base_gflops"], row["upsampler_gflops"]]
        parts = zoo.UNET_PARTS.get(name, ())
        for part, gflops in zip(parts, costs, strict=False):
            out[Point(part, zoo.UNETS[part], None)] = Published(gflops, None)
        out[Point(name, size, None)] = Published(row["total_gflops"], None)  # type: ignore[arg-type]
    return out


def _row(point: Point, published: Published | None) -> dict[str, Any]:
    with warnings.catch_warnings():
        # fvcore and diffusers still use torch.jit, which torch announces to remove.
        warnings.simplefilter("ignore", FutureWarning)
        from harness.models import complexity

        counted = complexity(point.model, point.image_size, point.block or "adaln-zero")
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    row |= point._asdict()
    for key in ("tokens", "gflops", "gflops_paper", "params", "activations"):
        row[key] = getattr(counted, key)
    if published is not None:
        row["published_gflops"] = published.gflops
        row["difference_percent"] = 100 * (counted.gflops / published.gflops - 1)
        row["published_params_m"] = published.params_m
    return row


def _print(rows: Iterator[dict[str, Any]]) -> None:
    """A line per row, as soon as it is counted."""
    for line in _lines(rows):
        print(line.rstrip(), flush=True)
    print(
        "\nForward multiply-accumulates (10^9) for one image. The paper's values are rounded; "
        "'off by' compares 'Gflops' with them."
    )


def _lines(rows: Iterator[dict[str, Any]]) -> Iterator[str]:
    yield "  ".join(_aligned(heading, width, key) for key, (heading, width, _) in COLUMNS.items())
    for row in rows:
        yield "  ".join(
            _aligned("-" if row[key] is None else format(row[key], form), width, key)
            for key, (_, width, form) in COLUMNS.items()
        )


def _aligned(cell: str, width: int, key: str) -> str:
    return cell.ljust(width) if key in ("model", "block") else cell.rjust(width)
