"""The files below a folder: litter is passed over, and no image counts twice."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.components.below import everything, files_below, is_litter, is_litter_member
from harness.errors import BadInput


def tree(root: Path, *files: str) -> Path:
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    return root


@pytest.mark.parametrize(
    ("name", "litter"),
    [(".hidden", True), ("Thumbs.db", True), ("@eaDir", True), ("__MACOSX", True),
     ("PaxHeader", True), ("PaxHeaders.4711", True), ("PaxHeader.png", False),
     ("thumbs", False), ("a.png", False), ("lost+found", True)],
)  # fmt: skip
def test_litter_is_what_file_managers_leave(name: str, litter: bool) -> None:
    assert is_litter(name) == litter


@pytest.mark.parametrize(
    ("path", "litter"),
    [("a/._x.png", True), ("__MACOSX/a/x.png", True), ("a/.DS_Store", True),
     ("./a/PaxHeaders.7/x.png", True), ("a/PaxHeader/x.png", True),
     ("./a/x.png", False), (".hidden/x.png", False)],  # in an archive a dot may be meant
)  # fmt: skip
def test_in_an_archive_a_leading_dot_may_be_meant(path: str, litter: bool) -> None:
    assert is_litter_member(path) == litter


def test_all_files_are_found_but_litter_and_what_is_not_accepted(tmp_path: Path) -> None:
    tree(tmp_path, "b/x.png", "a.png", "b/c/y.txt", ".git/z.png", "b/Thumbs.db", "@eaDir/t.png")
    assert sorted(files_below(tmp_path)) == ["a.png", "b/c/y.txt", "b/x.png"]
    assert sorted(files_below(tmp_path, lambda n: n.endswith(".png"))) == ["a.png", "b/x.png"]


def test_everything_is_sorted_by_bytes_and_a_file_is_itself(tmp_path: Path) -> None:
    tree(tmp_path, "b", "B", "é", "a/z")
    names = [os.path.relpath(path, tmp_path) for path in everything(tmp_path)]
    assert names == ["B", "a/z", "b", "é"]
    assert everything(tmp_path / "b") == [str(tmp_path / "b")]


def test_a_link_to_another_folder_is_followed(tmp_path: Path) -> None:
    tree(tmp_path / "elsewhere", "x.png")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "link").symlink_to(tmp_path / "elsewhere")
    assert list(files_below(tmp_path / "data")) == ["link/x.png"]


@pytest.mark.parametrize("target", [".", "a"], ids=["a loop", "a folder beside it"])
def test_a_folder_that_would_be_read_twice_is_an_error(tmp_path: Path, target: str) -> None:
    tree(tmp_path, "a/x.png")
    (tmp_path / "b").symlink_to(tmp_path / target)
    with pytest.raises(BadInput, match=r"are one folder \(a link\): its files would count twice"):
        list(files_below(tmp_path))


def test_one_tree_of_several_roots_counts_once(tmp_path: Path) -> None:
    tree(tmp_path, "a/x.png")
    seen: dict[str, str] = {}
    assert list(files_below(tmp_path / "a", seen=seen)) == ["x.png"]
    with pytest.raises(BadInput, match="count twice"):
        list(files_below(tmp_path / "a", seen=seen))


def test_a_pipe_is_named_and_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(BadInput, match=r"pipe\.png is not a file \(but a pipe, socket or device\)"):
        list(files_below(tmp_path))
