"""The example package of components, installed into a site folder of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PACKAGE = Path(__file__).parent / "example_components"


def install(site: Path) -> None:
    """Install it as a user would, where whoever has `site` in PYTHONPATH finds it.

    It is built from a copy: a build leaves an egg-info beside the source, and a process that has
    the source in its path would take it for an installed package.
    """
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(site)]
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copytree(PACKAGE, Path(folder) / PACKAGE.name)
        done = subprocess.run([*command, str(copy)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
