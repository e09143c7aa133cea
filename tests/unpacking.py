"""Archives of the tests, unpacked by any Python that we support."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any


def extract(archive: tarfile.TarFile, folder: Path) -> None:
    """With the filter for data, where Python has filters (from 3.11.4 on)."""
    safe: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
    archive.extractall(folder, **safe)
