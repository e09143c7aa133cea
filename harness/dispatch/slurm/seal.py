"""JSON objects with their own checksum: so that a byte that a disk has changed is noticed.

A batch's files say what a task computes and how it ended. They are read on other machines, weeks
later. What has no checksum was written by release 0.1 and is taken as it is.
"""

from __future__ import annotations

from typing import Any

from harness.store import files


class Damaged(ValueError):
    """It is not what was written."""


def sealed(content: dict[str, Any]) -> dict[str, Any]:
    """The object, with the checksum of everything else in it."""
    return {**content, "sha256": files.checksum(content)}


def opened(found: Any) -> dict[str, Any]:
    """The object without its checksum. Raises Damaged when they do not fit."""
    if not isinstance(found, dict):
        raise Damaged("it is not a JSON object")
    content = {name: value for name, value in found.items() if name != "sha256"}
    if "sha256" in found and found["sha256"] != files.checksum(content):
        raise Damaged("its checksum does not fit")
    return content
