"""Python files as syntax trees, each parsed once in a process. They are to be read, not changed."""

from __future__ import annotations

import ast
import functools
from pathlib import Path

import pytest

# Tests that read the whole package: one process of a session parses it for all of them.
of_the_whole_package = pytest.mark.xdist_group("parsed")


@functools.cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())
