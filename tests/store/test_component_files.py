"""A study's own files are copied beside its results, and a version means one content."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.components import files, registry
from harness.store import component_files

SECTION = '''
from typing import ClassVar

from harness.components import Schedule


class Rate(Schedule):
    """{words}"""

    name: ClassVar[str] = "of-these-tests"
    version: ClassVar[int] = {version}

    def factor(self, step, horizon):
        return 1.0
'''


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    yield
    registry.forget_files()
    for name in files._loaded:
        sys.modules.pop(name, None)
    files._loaded.clear()


def brought(folder: Path, words: str = "One.", version: int = 1) -> tuple[files.File, ...]:
    (folder / "of_these_tests.py").write_text(SECTION.format(words=words, version=version))
    return files.of_study(["of_these_tests.py"], folder)


def test_the_copy_lies_under_its_checksum_and_is_written_once(tmp_path: Path) -> None:
    given = brought(tmp_path)
    component_files.keep(given, tmp_path / "results")
    copy = files.copy_of(tmp_path / "results", given[0].sha256)
    assert copy.read_bytes() == (tmp_path / "of_these_tests.py").read_bytes()
    written = copy.stat().st_mtime_ns
    component_files.keep(given, tmp_path / "results")
    assert copy.stat().st_mtime_ns == written


def test_a_copy_that_was_damaged_is_written_again(tmp_path: Path) -> None:
    given = brought(tmp_path)
    copy = files.copy_of(tmp_path / "results", given[0].sha256)
    for damage in ("", "raise SystemExit"):
        component_files.keep(given, tmp_path / "results")
        copy.write_text(damage)
    component_files.keep(given, tmp_path / "results")
    assert copy.read_bytes() == (tmp_path / "of_these_tests.py").read_bytes()


def test_another_content_under_the_same_version_is_told(tmp_path: Path) -> None:
    root = tmp_path / "results"
    assert component_files.changed(brought(tmp_path), root) == []
    component_files.remember(brought(tmp_path), root)
    assert component_files.changed(brought(tmp_path), root) == []
    (said,) = component_files.changed(brought(tmp_path, "Two."), root)
    assert (
        "of_these_tests.py has changed since schedule 'of-these-tests' version 1 was used in"
        in said
    )
    assert "raise its version" in said and "--same-output" in said
    assert component_files.changed(brought(tmp_path, "Two.", version=2), root) == []


def test_what_was_called_the_same_output_stays_so(tmp_path: Path) -> None:
    root = tmp_path / "results"
    component_files.remember(brought(tmp_path), root)
    component_files.remember(brought(tmp_path, "Two."), root)
    assert component_files.changed(brought(tmp_path), root) == []
    assert component_files.changed(brought(tmp_path, "Two."), root) == []
    assert component_files.changed(brought(tmp_path, "Three."), root) != []
