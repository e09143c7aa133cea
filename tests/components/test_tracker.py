"""The contract of trackers: they name a package and are in no key."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.components import get
from harness.components.tracker import BUILT_IN, Tracked, Tracker, open_to_the_group


@pytest.mark.parametrize("name", BUILT_IN)
def test_each_of_ours_says_what_to_install_and_needs_no_setting(name: str) -> None:
    cls = get("tracker", name)
    assert issubclass(cls, Tracker) and cls.package and cls.about()
    assert cls().name == name


def test_a_run_is_told_once_and_does_not_change() -> None:
    run = Tracked("study", "ab" * 32, "DiT-S/2", {"seed": 0}, Path("results"))
    with pytest.raises(AttributeError):
        run.label = "other"  # type: ignore[misc]
    assert Tracker.package is None  # of a stranger's nothing is known


@pytest.mark.parametrize("umask", [0o002, 0o027, 0o077])
def test_a_database_has_the_mode_of_other_new_files(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        folder = tmp_path / "trackers"
        folder.mkdir()
        other = folder / "other"
        other.touch()
    finally:
        os.umask(before)
    database = folder / "runs.db"
    database.touch(0o600)
    open_to_the_group(folder)
    assert database.stat().st_mode == other.stat().st_mode
