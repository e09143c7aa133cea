"""The pieces a report's page is made of, as plain data for the template.

A span is a string, or one of {"strong"|"em"|"mono": text} and {"ref": label}; `files` are written
beside the template under the names the block gives them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Span = str | dict[str, str]
Block = dict[str, Any]
Cell = str | dict[str, Any]  # a dict spans columns: {"span": n, "text": ...}


def strong(text: str) -> Span:
    return {"strong": text}


def em(text: str) -> Span:
    return {"em": text}


def ref(label: str) -> Span:
    return {"ref": label}


def heading(text: str) -> Block:
    return {"kind": "heading", "text": text}


def paragraph(*spans: Span) -> Block:
    return {"kind": "par", "spans": list(spans)}


def figure(label: str, svg: bytes, caption: Sequence[Span], wide: bool = False) -> Block:
    """A drawing with its caption; `wide` floats across both columns."""
    return {
        "kind": "figure",
        "label": f"fig-{label}",
        "image": f"{label}.svg",
        "caption": list(caption),
        "wide": wide,
        "files": {f"{label}.svg": svg},
    }


def table(
    label: str,
    align: str,
    head: Sequence[Sequence[Cell]],
    rows: Sequence[Sequence[Cell]],
    caption: Sequence[Span],
    wide: bool = False,
    rules: Sequence[int] = (),
    gap: float = 4.2,
    size: float = 8.2,
) -> Block:
    """A table: `align` has one of l, r, c per column; a thin rule precedes the rows in `rules`."""
    return {
        "kind": "table",
        "label": f"tab-{label}",
        "align": list(align),
        "head": [list(line) for line in head],
        "rows": [list(line) for line in rows],
        "caption": list(caption),
        "wide": wide,
        "rules": list(rules),
        "gap": gap,
        "size": size,
    }


def pairs(rows: Sequence[tuple[str, str, bool]]) -> Block:
    """Names and values in two columns; True sets a value as code."""
    half = -(-len(rows) // 2)
    return {"kind": "pairs", "wide": True, "parts": [list(rows[:half]), list(rows[half:])]}


def bands(sections: Sequence[Sequence[Block]]) -> list[Block]:
    """The page from top to bottom: wide sections alone, narrow ones two by two.

    A section is its heading and what follows; it is wide if any of its pieces is. Blocks before a
    heading (notes, the abstract) are bands of their own.
    """
    out: list[Block] = []
    for blocks in sections:
        if not blocks or blocks[0]["kind"] != "heading":
            out += blocks
            continue
        rest = [b for b in blocks[1:] if b["kind"] != "par"]
        section = {
            "title": blocks[0]["text"],
            "text": [b for b in blocks[1:] if b["kind"] == "par"],
            "rest": rest,
        }
        wide = any(b["wide"] for b in rest) or len(rest) > 1
        if not wide and out and out[-1]["kind"] == "narrow" and len(out[-1]["sections"]) == 1:
            out[-1]["sections"].append(section)
        else:
            out.append({"kind": "wide" if wide else "narrow", "sections": [section]})
    return out
