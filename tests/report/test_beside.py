"""The files beside a report are those of the last one; nobody else's are touched."""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.report import beside
from harness.report.files import write

FIRST = {
    "a.svg": b"a",
    "a.csv": b"1",
    "samples.svg": b"s",
    "samples/one.png": b"p",
    "samples/deep/two.png": b"q",
}
SECOND = {"a.svg": b"another a", "b.csv": b"2"}


def there(folder: Path) -> dict[str, bytes]:
    """All files but the list, by their paths."""
    files = (p for p in folder.rglob("*") if p.is_file() and p != folder / beside.LIST)
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in files}


def test_a_report_leaves_exactly_its_own_files(tmp_path: Path) -> None:
    folder = tmp_path / "report"
    assert beside.replace(folder, {}) == [] and not folder.exists()
    assert beside.replace(folder, FIRST) == [folder / name for name in FIRST]
    assert there(folder) == FIRST
    beside.replace(folder, SECOND)
    assert there(folder) == SECOND and not (folder / "samples").exists()
    assert json.loads((folder / beside.LIST).read_text()).keys() == SECOND.keys()
    beside.replace(folder, {})
    assert there(folder) == {}


def test_files_of_others_stay_and_so_do_those_that_somebody_changed(tmp_path: Path) -> None:
    (tmp_path / "samples").mkdir()
    theirs = {"notes.txt": b"mine", "old.svg": b"of a version without a list", "samples/x": b"x"}
    for name, data in theirs.items():
        (tmp_path / name).write_bytes(data)
    beside.replace(tmp_path, FIRST)
    (tmp_path / "a.csv").write_bytes(b"edited")
    (tmp_path / "samples.svg").unlink()
    (tmp_path / "same.svg").write_bytes(FIRST["samples.svg"])
    (tmp_path / "samples.svg").symlink_to("same.svg")
    beside.replace(tmp_path, SECOND)
    kept = theirs | {"a.csv": b"edited", "samples.svg": b"s", "same.svg": b"s"}
    assert there(tmp_path) == SECOND | kept
    (tmp_path / "a.csv").write_bytes(FIRST["a.csv"])  # theirs from the time that it was changed
    beside.replace(tmp_path, {})
    assert there(tmp_path) == kept | {"a.csv": FIRST["a.csv"]}


@pytest.mark.parametrize("steps", range(8))
def test_killed_at_any_moment_the_next_report_leaves_its_own_files_alone(
    steps: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "notes.txt").write_bytes(b"mine")
    beside.replace(tmp_path, SECOND)
    left = [steps]

    def killed(path: Path, data: bytes) -> Path:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return write(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(beside, "write", killed)
        if steps < 7:  # the list, five files, the list again
            with pytest.raises(KeyboardInterrupt):
                beside.replace(tmp_path, FIRST)
        else:
            beside.replace(tmp_path, FIRST)
    third = {"c.svg": b"c"}
    beside.replace(tmp_path, third)
    assert there(tmp_path) == third | {"notes.txt": b"mine"}


def test_a_half_written_file_of_a_process_that_was_killed_is_removed(tmp_path: Path) -> None:
    beside.replace(tmp_path, FIRST)
    aside, just_now, theirs = (
        tmp_path / name for name in ("samples/.one.png.77", ".a.svg.78", ".vimrc.79")
    )
    for path in (aside, just_now, theirs):
        path.write_bytes(b"half")
    old = time.time() - 2 * beside.ASIDE_S
    os.utime(aside, (old, old))
    os.utime(theirs, (old, old))
    beside.replace(tmp_path, SECOND)
    assert not aside.exists() and just_now.exists() and theirs.exists()
    assert there(tmp_path) == SECOND | {".a.svg.78": b"half", ".vimrc.79": b"half"}


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{", '{"../outside": 3}', '{"../outside": ["SHA"]}', '{"/tmp/x": ["SHA"]}', "3"],
)
def test_a_list_that_is_damaged_or_leads_elsewhere_removes_nothing(
    content: str, tmp_path: Path
) -> None:
    folder = tmp_path / "report"
    beside.replace(folder, FIRST)
    (tmp_path / "outside").write_bytes(b"a")
    sha256 = hashlib.sha256(b"a").hexdigest()
    (folder / beside.LIST).write_text(content.replace("SHA", sha256))
    beside.replace(folder, SECOND)
    assert there(folder) == FIRST | SECOND and (tmp_path / "outside").exists()


def test_what_another_report_wrote_meanwhile_stays_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside.replace(tmp_path, FIRST)
    once = [True]

    def interleaved(path: Path, data: bytes) -> Path:
        if path.name == "b.csv" and once.pop():
            once.append(False)
            with monkeypatch.context() as patch:
                patch.setattr(beside, "write", write)
                beside.replace(tmp_path, {"other.svg": b"o"})
        return write(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(beside, "write", interleaved)
        beside.replace(tmp_path, SECOND)
    assert there(tmp_path) == {"b.csv": b"2", "other.svg": b"o"}
    beside.replace(tmp_path, SECOND)
    assert there(tmp_path) == SECOND


def test_a_file_that_cannot_be_removed_stays_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside.replace(tmp_path, FIRST)
    with monkeypatch.context() as patch:
        patch.setattr(beside, "_remove", lambda folder, name: None)
        beside.replace(tmp_path, SECOND)
    assert there(tmp_path) == FIRST | SECOND
    beside.replace(tmp_path, SECOND)
    assert there(tmp_path) == SECOND


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HarnessError, match="cannot write the report to"):
        beside.replace(tmp_path / "file" / "report", FIRST)
