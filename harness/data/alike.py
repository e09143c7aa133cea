"""Class folders whose names look alike: "Cat" and "cat", "dog" and "dog ", é written in two ways.

Each folder is a class. Two of one look are mostly one class that was copied from systems that take
case or Unicode forms for the same.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

MOST_SHOWN = 3  # groups in a sentence


def sentences(names: Iterable[str]) -> list[str]:
    """A sentence where names look alike; [] where none do.

    >>> sentences(["cat", "Cat", "dog"])
    ["class folders look alike, and each is a class: 'cat' and 'Cat'; merge or rename them"]
    """
    found = groups(names)
    if not found:
        return []
    shown = "; ".join(" and ".join(map(_written, group)) for group in found[:MOST_SHOWN])
    more = f"; and {len(found) - MOST_SHOWN:,} more" if len(found) > MOST_SHOWN else ""
    return [f"class folders look alike, and each is a class: {shown}{more}; merge or rename them"]


def groups(names: Iterable[str]) -> list[list[str]]:
    """Names that differ in case, spaces at their ends, dashes for spaces, or Unicode form alone."""
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(_look(name), []).append(name)
    return [group for group in found.values() if len(group) > 1]


def _look(name: str) -> str:
    """The name as a reader sees it."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    return " ".join(unicodedata.normalize("NFKC", folded).split())


def _written(name: str) -> str:
    """A name in quotes; by its code points where no font would show a difference."""
    plain = unicodedata.normalize("NFC", name) == name and name.isprintable()
    return repr(name) if plain else ascii(name)
