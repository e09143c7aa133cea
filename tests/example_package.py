"""The example package of components, installed into a site folder of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parent / "example_components"


def install(site: Path) -> None:
    """Install it as a user would, where whoever has `site` in PYTHONPATH finds it."""
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(site)]
    done = subprocess.run([*command, str(PACKAGE)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
