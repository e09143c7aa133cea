"""A finished study of kept results, under another name and with somebody's component."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from harness.store import studies
from harness.store.studies import Index


def of_a_strangers_model(found: Index) -> Index:
    """The same, of a family that is not installed here."""
    text = found.text.replace("model: {", "model: {family: somebodys-net, ", 1)
    origins = {"family:somebodys-net": {"from": "package nets 1.2", "version": 3}}
    theirs = replace(found, study="theirs", text=text, components=origins)
    studies.write(Path("results"), theirs)
    return theirs
