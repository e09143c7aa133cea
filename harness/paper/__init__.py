"""What the paper reports, as data: to be compared with, never mixed with measured numbers.

Peebles and Xie, "Scalable Diffusion Models with Transformers" (2023). One CSV per table; `claims`
holds single numbers from the text with the place they stand in.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from importlib import resources

from harness.errors import BadInput

TABLES = (
    "table1_configs",  # depth, width, heads of S, B, L, XL
    "table2_imagenet256",  # the state of the art at 256x256
    "table3_models",  # every DiT: Gflops, parameters, training, FID-50K without guidance
    "table4_decoders",  # three VAE decoders, XL/2 with guidance 1.5
    "table5_unets",  # Gflops of ADM and LDM
    "claims",  # single numbers from the text
    "claims_text",  # sentences, how each is decided, and what the paper's own tables say
)

Value = str | int | float | None


def table(name: str) -> list[dict[str, Value]]:
    """The rows of one of `TABLES`, as {column: number, text, or None where the paper has none}.

    A column is text unless all of its filled cells are numbers; whole numbers become int.
    Raises BadInput for an unknown name.
    """
    if name not in TABLES:
        raise BadInput(f"unknown table {name!r} of the paper; tables: {', '.join(TABLES)}")
    text = resources.files(__name__).joinpath(f"{name}.csv").read_text("utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    columns = {column: _parsed([row[column] for row in rows]) for column in rows[0]}
    return [{column: values[i] for column, values in columns.items()} for i in range(len(rows))]


def model(
    name: str, *, image_size: int = 256, block: str = "adaln-zero", train_steps_k: int = 400
) -> dict[str, Value] | None:
    """The row of Table 3 for a model ("DiT-XL/2") trained so long, or None."""
    for row in table("table3_models"):
        found = (row["model"], row["image_size"], row["block"], row["train_steps_k"])
        if found == (name, image_size, block, train_steps_k):
            return row
    return None


def ids() -> list[str]:
    """Ids of the sentences in `claims_text`, then of the numbers in `claims`."""
    return [str(row["id"]) for name in ("claims_text", "claims") for row in table(name)]


def pair_id(smaller: str, larger: str) -> str:
    """The id of a study's own pair where claims are stored."""
    return f"sampling:{smaller}<{larger}"


def chosen_ids(named: Sequence[str] | None, pairs: Sequence[tuple[str, str]] = ()) -> list[str]:
    """Ids of what a study decides: all of the paper's or those named, and its own pairs.

    Raises BadInput for an id that the paper does not have.
    """
    known = ids()
    for name in named or ():
        if name not in known:
            raise BadInput(f"claims.paper: unknown claim {name!r}; claims: {', '.join(known)}")
    return [*(known if named is None else named), *(pair_id(*pair) for pair in pairs)]


def claim(id: str) -> float:
    """The value of one row of `claims`. Raises BadInput for an unknown id."""
    claims = {row["id"]: row["value"] for row in table("claims")}
    if id not in claims:
        raise BadInput(f"unknown claim {id!r}; claims: {', '.join(map(str, claims))}")
    return float(claims[id])  # type: ignore[arg-type]


def _parsed(cells: list[str]) -> list[Value]:
    for kind in (int, float):
        try:
            return [kind(cell) if cell else None for cell in cells]
        except ValueError:
            continue
    return [cell or None for cell in cells]
