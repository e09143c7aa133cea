"""All packages of the place where a number was made are written down, once."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import pytest

import harness
from harness.errors import BadInput
from harness.stages.execute import finish_rows
from harness.store import environments, records


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


def test_a_row_leads_to_the_packages_that_made_it(tmp_path: Path) -> None:
    name = environments.keep(tmp_path)
    (tmp_path / environments.FOLDER / f"{'0' * 64}.json").write_text("{}")  # not what its name says
    row = {"key": "a" * 64, "metric": "fid", "value": 1.0, "environment": name}
    records.write(tmp_path, "metrics", "a" * 64, [row])
    metrics = harness.load_results(tmp_path)["metrics"]
    found = metrics.merge(harness.packages(tmp_path), on="environment")
    assert dict(zip(found["package"], found["version"], strict=True)) == dict(
        environments.installed()
    )


def test_a_folder_without_lists_has_none_and_no_folder_is_said(tmp_path: Path) -> None:
    found = harness.packages(tmp_path)
    assert list(found) == ["environment", "package", "version"] and not len(found)
    with pytest.raises(BadInput, match="nowhere is not there"):
        harness.packages(tmp_path / "nowhere")


def test_a_number_that_is_taken_over_is_not_given_todays_packages() -> None:
    made = {"harness": "0.9", "environment": "e" * 64}
    own = {"key": "k", "metric": "fid", "value": 1.0}
    rows = finish_rows({"metrics": [own, {**own, "harness": "0.1"}]}, made)["metrics"]
    assert [(r["harness"], r["environment"]) for r in rows] == [("0.9", "e" * 64), ("0.1", None)]
