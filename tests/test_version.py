"""The version stands once."""

from __future__ import annotations

import re
import subprocess
import sys

import harness
from harness.version import __version__


def test_it_is_the_packages_and_has_three_numbers() -> None:
    assert harness.__version__ == __version__
    assert re.fullmatch(r"\d+\.\d+\.\d+", __version__)


def test_reading_it_imports_nothing_else() -> None:
    """So that the build of the package can read it."""
    code = "import sys, harness.version; print(sorted(m for m in sys.modules if 'harness' in m))"
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "['harness', 'harness.version']", done.stderr
