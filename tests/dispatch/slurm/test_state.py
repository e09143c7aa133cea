"""What tasks say of their stages, in files."""

from __future__ import annotations

from pathlib import Path

import pytest
from pretended_cluster import Clock, detached

from harness.dispatch.slurm import state
from harness.dispatch.slurm.jobs import SlurmJobs

BATCH, KEY = "harness-train-a", "k"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "slurm" / BATCH / "state").mkdir(parents=True)
    return tmp_path


def test_what_a_task_says_is_read_back_as_an_event(root: Path) -> None:
    assert state.read(root, BATCH, KEY) == {} and state.event(KEY, {}) is None
    state.write(root, BATCH, KEY, "running", 1.5, done=3, total=9)
    event = state.event(KEY, state.read(root, BATCH, KEY))
    assert event and event.event == "progress" and event.content["done"] == 3
    assert event.content["ran"] == 1.5
    state.write(root, BATCH, KEY, "failed", 2.5, failure="error", message="boom")
    event = state.event(KEY, state.read(root, BATCH, KEY))
    assert event and (event.event, event.content["failure"]) == ("failed", "error")
    assert state.speaking(root, BATCH) == {KEY}


@pytest.mark.parametrize("damage", ["truncated", "flipped", "folder", "a list"])
def test_what_is_not_whole_was_not_said(root: Path, damage: str) -> None:
    state.write(root, BATCH, KEY, "running", 1.5, done=3)
    path = state.path(root, BATCH, KEY)
    text = path.read_bytes()
    if damage == "folder":
        path.unlink()
        path.mkdir()
    else:
        path.write_bytes(
            {
                "truncated": text[: len(text) // 2],
                "flipped": text.replace(b"1.5", b"9.5"),
                "a list": b"[]",
            }[damage]
        )
    assert state.read(root, BATCH, KEY) == {}


def test_a_task_that_cannot_write_goes_on_and_says_why(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state.path(root, BATCH, KEY).mkdir()
    state.write(root, BATCH, KEY, "running", 1.5)
    assert "cannot write" in capsys.readouterr().err
    assert [p.name for p in (root / "slurm" / BATCH / "state").iterdir()] == [f"{KEY}.json"]


def test_each_file_is_told_as_changed_once_and_strangers_files_never(tmp_path: Path) -> None:
    _, _, _, jobs = detached(tmp_path, 2, Clock())
    (first, second, *_) = jobs.living.values()
    for one in (first, second):
        state.write(tmp_path, one.place[0], one.key, "running", 1.0)
    (tmp_path / "slurm" / first.place[0] / "state" / "stranger.json").write_text("{}")
    assert {key for key, _ in state.changed(tmp_path, jobs.living)} == {first.key, second.key}
    assert {e.key for e in jobs.poll(0.0) if e.event == "progress"} >= {first.key, second.key}
    assert state.changed(tmp_path, jobs.living) == []
    assert isinstance(jobs, SlurmJobs)


def test_a_state_folder_that_is_a_file_is_not_the_end(tmp_path: Path) -> None:
    _, _, _, jobs = detached(tmp_path, 1, Clock())
    (one, *_) = jobs.living.values()
    folder = tmp_path / "slurm" / one.place[0] / "state"
    folder.rmdir()
    folder.write_text("")
    assert state.changed(tmp_path, jobs.living) == []
    assert state.speaking(tmp_path, one.place[0]) == set()
