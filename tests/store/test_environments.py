"""All packages of the place where a number was made are written down, once."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

from harness.store import environments


def test_every_installed_package_is_named_with_its_version() -> None:
    found = environments.installed()
    for name in ("torch", "numpy", "pandas", "pyarrow", "typst"):
        assert found[name] == importlib.metadata.version(name)
    assert list(found) == sorted(found) and len(found) > 30


def test_an_environment_is_kept_once_and_read_back(tmp_path: Path) -> None:
    name = environments.keep(tmp_path)
    (path,) = (tmp_path / environments.FOLDER).iterdir()
    before = path.stat().st_mtime_ns
    assert environments.keep(tmp_path) == name and path.stat().st_mtime_ns == before
    assert environments.read(tmp_path, name) == dict(environments.installed())


def test_a_list_that_was_changed_is_not_believed(tmp_path: Path) -> None:
    name = environments.keep(tmp_path)
    path = tmp_path / environments.FOLDER / f"{name}.json"
    path.write_text(path.read_text().replace('"torch"', '"torsh"'))
    assert environments.read(tmp_path, name) is None
    assert environments.read(tmp_path, "0" * 64) is None
