"""Entries of a folder as os.scandir gives them, of those that a disturbed disk is to show."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


class Entries:
    """What os.scandir gives."""

    def __init__(self, entries: list[Any]) -> None:
        self.entries = iter(entries)

    def __iter__(self) -> Iterator[Any]:
        return self.entries

    def __next__(self) -> Any:
        return next(self.entries)

    def __enter__(self) -> Entries:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def close(self) -> None:
        pass
