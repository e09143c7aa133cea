"""Sphinx: `sphinx-build docs docs/_build`, then open docs/_build/index.html. No network is needed.

The reference pages are made from the code each time (made.py).
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import made  # noqa: E402

import harness  # noqa: E402

made.write(HERE / "reference")

project = "Scaling-study harness"
author = "The authors of the scaling-study harness"
copyright = f"2026, {author}"
version = release = harness.__version__

extensions = ["myst_parser"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"{project} {version}"
html_show_sourcelink = False
html_copy_source = False
suppress_warnings = ["misc.highlighting_failure", "toc.not_included"]
