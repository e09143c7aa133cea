"""What a component file imports of its own folder is seen in its text."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from harness.components import beside

FILE = b"""
import os.path, parts
from typing import TYPE_CHECKING
from parts.more import one
if TYPE_CHECKING:
    import for_the_types

def heavy():
    import inside

class Net:
    from in_a_class import two
    make = lambda self: __import__("not_seen")
"""


def test_imports_are_found_with_their_first_line_those_of_functions_too() -> None:
    found = {"os": 2, "parts": 2, "typing": 3, "inside": 9, "in_a_class": 12}
    assert beside.imports(FILE) == found
    del found["inside"]
    assert beside.imports(FILE, at_once=True) == found


@pytest.mark.parametrize("content", [b"def (", b"\0", b"\xff", b"-" * 100_000 + b"1"])
def test_what_is_no_python_imports_nothing(content: bytes) -> None:
    assert beside.imports(content) == {}


def test_what_only_the_folder_has_must_be_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("parts.py", "inside.py", "os.py", "pydantic.py"):
        (tmp_path / name).write_text("")
    (tmp_path / "in_a_class").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])  # as `python -m harness` has it
    assert beside.not_listed(FILE, {"parts"}, [tmp_path]) == [(9, "inside")]
    (tmp_path / "in_a_class" / "__init__.py").write_text("")
    assert beside.not_listed(FILE, {"inside"}, [tmp_path]) == [(2, "parts"), (12, "in_a_class")]
    assert beside.not_listed(b"import pydantic, harness", (), [tmp_path]) == []


def test_a_package_that_is_installed_from_the_folder_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "parts.py").write_text("")
    monkeypatch.chdir(tmp_path)
    assert beside.not_listed(b"import parts", (), [tmp_path]) == [(1, "parts")]
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])  # by a .pth file
    assert beside.not_listed(b"import parts", (), [tmp_path]) == []
