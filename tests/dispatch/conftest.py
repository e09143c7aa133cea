"""Modules that several tests of this folder share are found by name."""

from __future__ import annotations

import sys
from pathlib import Path

here = Path(__file__).parent
sys.path[:0] = [str(here), str(here / "slurm")]
