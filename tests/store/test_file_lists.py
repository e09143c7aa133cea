"""Which files a stage read, and how those that lie there now differ."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from harness.store import file_lists
from harness.store.artifacts import CorruptArtifact
from harness.store.file_lists import GONE, FileList, compare, look, with_contents


def folder_of(root: Path, **contents: bytes) -> Path:
    root.mkdir(exist_ok=True)
    for name, content in contents.items():
        (root / name).write_bytes(content)
        os.utime(root / name, ns=(10**18, 10**18))
    return root


def seen(root: Path) -> FileList:
    return look(root, sorted(root.iterdir()))


def test_a_list_is_sorted_and_says_sizes_and_times(tmp_path: Path) -> None:
    root = folder_of(tmp_path / "images", b=b"12", a=b"123")
    found = look(root, [root / "b", root / "a", root / "absent"])
    assert found.paths == [b"a", b"absent", b"b"]
    assert found.sizes.tolist() == [3, GONE, 2] and found.bytes == 5
    assert found.times.tolist() == [10**18, 0, 10**18]


def test_a_single_file_has_an_empty_path(tmp_path: Path) -> None:
    root = folder_of(tmp_path / "weights", one=b"123")
    found = look(root / "one", [root / "one"])
    assert found.paths == [b""] and found.sizes.tolist() == [3]
    assert file_lists.printable(found.paths[0]) == "the file itself"


def test_what_was_added_removed_changed_and_retimed_is_told_apart(tmp_path: Path) -> None:
    root = folder_of(tmp_path / "images", a=b"1", b=b"1", c=b"1", d=b"1")
    before = seen(root)
    (root / "a").unlink()
    (root / "b").write_bytes(b"12")
    os.utime(root / "c", ns=(2 * 10**18, 2 * 10**18))
    folder_of(root, e=b"1")
    found = compare(before, seen(root))
    assert (found.added, found.removed, found.changed) == ([b"e"], [b"a"], [b"b"])
    assert found.retimed == [b"c"] and found.other
    assert str(found) == "1 file added (e), 1 removed (a), 1 changed (b)"


def test_another_time_alone_is_no_other_file(tmp_path: Path) -> None:
    root = folder_of(tmp_path / "images", a=b"1")
    before = seen(root)
    os.utime(root / "a", ns=(5, 5))
    found = compare(before, seen(root))
    assert found.retimed == [b"a"] and not found.other


def test_contents_decide_where_both_sides_have_them(tmp_path: Path) -> None:
    root = folder_of(tmp_path / "images", a=b"1", b=b"1")
    before = with_contents(root, seen(root))
    assert before.sha256 is not None
    assert before.sha256[0].tobytes() == hashlib.sha256(b"1").digest()
    folder_of(root, a=b"2")  # of the same size and time
    os.utime(root / "b", ns=(5, 5))
    assert not compare(before, seen(root)).other, "names and sizes are the same"
    found = compare(before, with_contents(root, seen(root)))
    assert found.changed == [b"a"] and list(found.retimed) == []


def test_lists_come_back_from_disk_with_names_that_are_no_text(tmp_path: Path) -> None:
    digests = np.arange(64, dtype=np.uint8).reshape(2, 32)
    one = FileList([b"a\xff", b"b"], np.array([1, 2]), np.array([3, 4]), digests)
    two = FileList([b""], np.array([7]), np.array([8]))
    path = tmp_path / file_lists.FILES
    file_lists.write(path, {"data": one, "extractor": two})
    found = file_lists.read(path, contents=True)
    assert found["data"].paths == one.paths
    assert found["data"].sizes.tolist() == [1, 2] and found["data"].times.tolist() == [3, 4]
    assert found["data"].sha256 is not None
    assert (found["data"].sha256 == digests).all()
    assert found["extractor"].sha256 is None
    assert file_lists.read(path)["data"].sha256 is None, "contents were not asked for"
    assert file_lists.printable(b"a\xff") == "a\\xff"


def test_a_damaged_list_is_named_and_an_absent_one_is_none(tmp_path: Path) -> None:
    assert file_lists.read(tmp_path / file_lists.FILES) == {}
    (tmp_path / file_lists.FILES).write_bytes(b"PAR1 and no more")
    with pytest.raises(CorruptArtifact, match=r"files\.parquet cannot be read"):
        file_lists.read(tmp_path / file_lists.FILES)
