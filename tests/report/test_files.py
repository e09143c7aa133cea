"""A report's files: whole or not at all, through links, to devices."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.report.files import passes_on, write


def test_its_folder_is_made_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "report.pdf"
    assert write(path, b"one") == path
    write(path, b"two")
    assert path.read_bytes() == b"two" and list(path.parent.iterdir()) == [path]


def test_a_link_is_followed_and_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    link = tmp_path / "report.pdf"
    link.symlink_to(tmp_path / "kept" / "report.pdf")  # to a file that is not there yet
    write(link, b"x")
    assert link.is_symlink() and (tmp_path / "kept" / "report.pdf").read_bytes() == b"x"


def test_a_device_is_written_to_and_not_replaced() -> None:
    assert write(Path("/dev/null"), b"x") == Path("/dev/null")
    assert not Path("/dev/null").is_file()


def test_standard_output_is_written_to_though_it_is_a_pipe() -> None:
    reader, writer = os.pipe()
    assert write(Path(f"/dev/fd/{writer}"), b"x") == Path(f"/dev/fd/{writer}")
    os.close(writer)
    assert os.read(reader, 10) == b"x"
    os.close(reader)


def test_a_file_that_the_output_goes_to_is_written_on_not_from_its_start(tmp_path: Path) -> None:
    """`> x.pdf`: opened once more by its path, it would be cut, and written over by what comes."""
    with open(tmp_path / "x", "wb", buffering=0) as file:
        file.write(b"before, ")
        write(Path(f"/dev/fd/{file.fileno()}"), b"report, ")
        write(Path(f"/proc/self/fd/{file.fileno()}"), b"again, ")
        file.write(b"after")
    assert (tmp_path / "x").read_bytes() == b"before, report, again, after"
    with pytest.raises(HarnessError, match="Bad file descriptor"):
        write(Path("/dev/fd/12345"), b"x")


def test_what_is_gone_once_written_is_told_from_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_bytes(b"x")
    gone = ("/dev/null", "/dev/stdout", "/dev/../dev/stderr", "/proc/self/fd/1", tmp_path / "pipe")
    assert all(passes_on(Path(path)) for path in gone)
    there = (
        tmp_path,
        tmp_path / "file",
        tmp_path / "nothing",
        Path("/dev/fd"),
        Path("/proc/version"),
    )
    assert not any(passes_on(Path(path)) for path in there)


def test_what_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(
        HarnessError, match=f"cannot write the report to {tmp_path}: it is a folder"
    ):
        write(tmp_path, b"x")
    (tmp_path / "file").write_text("x")
    with pytest.raises(HarnessError, match=r"cannot write the report to .*: File exists"):
        write(tmp_path / "file" / "report.pdf", b"x")


def test_a_file_that_cannot_be_replaced_stays_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "report.pdf", b"old")

    def full(source: object, target: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(HarnessError, match="No space left on device"):
        write(path, b"new")
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_a_long_name_has_room_for_the_file_aside(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 250 + ".pdf")
    assert write(path, b"x").read_bytes() == b"x"
