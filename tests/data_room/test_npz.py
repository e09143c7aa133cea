"""Arrays out of npz files: mapped where stored, and refused in words where anything is wrong."""

from __future__ import annotations

import contextlib
import zipfile
from pathlib import Path

import numpy as np
import pytest

from harness.data import npz
from harness.errors import BadInput
from harness.metrics.images import open_npz

ARRAYS = {
    "images": np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "empty": np.empty((0, 3), np.int64),
    "scalar": np.array(7),
}


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_come_back_as_they_were(tmp_path: Path, save) -> None:
    save(tmp_path / "a.npz", **ARRAYS)
    for name, expected in ARRAYS.items():
        found = npz.array(tmp_path / "a.npz", name)
        assert found.dtype == expected.dtype and np.array_equal(found, expected)


def test_what_is_stored_is_mapped_and_cannot_be_written(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **ARRAYS)
    np.savez_compressed(tmp_path / "b.npz", **ARRAYS)
    found = npz.array(tmp_path / "a.npz", "images")
    assert isinstance(found, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        found[0] = 0
    assert not isinstance(npz.array(tmp_path / "b.npz", "images"), np.memmap)


def test_later_versions_of_the_format_are_read(tmp_path: Path) -> None:
    for version in ((2, 0), (3, 0)):
        with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive, archive.open("x.npy", "w") as out:
            np.lib.format.write_array(out, ARRAYS["images"], version=version)
        assert np.array_equal(npz.array(tmp_path / "a.npz", "x"), ARRAYS["images"])


def test_checksums_follow_the_content_and_not_the_order(tmp_path: Path) -> None:
    def sums(**arrays: np.ndarray) -> list[tuple[str, int, int]]:
        np.savez(tmp_path / "a.npz", **arrays)
        return npz.checksums(tmp_path / "a.npz")

    one, two = np.zeros(3, np.uint8), np.ones(3, np.uint8)
    assert sums(a=one, b=two) == sums(b=two, a=one)
    assert sums(a=one, b=two) != sums(a=two, b=one)


def test_an_array_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros(1), y=np.zeros(1))
    with pytest.raises(BadInput, match=r"a\.npz holds no array 'z'; it holds x, y"):
        npz.array(tmp_path / "a.npz", "z")
    with zipfile.ZipFile(tmp_path / "none.npz", "w") as archive:
        archive.writestr("read.me", "no array")
    with pytest.raises(BadInput, match="it holds none"):
        npz.array(tmp_path / "none.npz", "z")


def test_members_of_other_writers_are_arrays_by_their_content(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", ARRAYS["images"])
    content = (tmp_path / "x.npy").read_bytes()
    for compression in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        with zipfile.ZipFile(tmp_path / "a.npz", "w", compression) as archive:
            archive.writestr("images", content)
            archive.writestr("read.me", "no array")
            archive.writestr("__MACOSX/._images.npy", b"\0\5\x16\7")
            archive.mkdir("folder")
        assert list(npz.members(tmp_path / "a.npz")) == ["images"]
        assert np.array_equal(npz.array(tmp_path / "a.npz", "images"), ARRAYS["images"])


@pytest.mark.parametrize("names", [("x.npy", "x"), ("x.npy", "x.npy")])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_arrays_of_one_name_are_refused(names: tuple[str, str], tmp_path: Path) -> None:
    """Whichever were taken, nobody would know."""
    np.save(tmp_path / "x.npy", ARRAYS["images"])
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        for name in names:
            archive.writestr(name, (tmp_path / "x.npy").read_bytes())
    for read in (npz.members, open_npz):
        with pytest.raises(BadInput, match="it holds the array 'x' twice"):
            read(tmp_path / "a.npz")


def test_a_file_that_is_no_npz_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(b"PK but no more")
    for path in (tmp_path / "a.npz", tmp_path / "no.npz", tmp_path):
        with pytest.raises(BadInput, match="is not a whole npz file"):
            npz.members(path)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_objects_are_pickles_and_are_not_loaded(tmp_path: Path, save) -> None:
    save(tmp_path / "a.npz", x=np.array([{}, 1], dtype=object))
    with pytest.raises(BadInput, match="'x' cannot be read"):
        npz.array(tmp_path / "a.npz", "x")


def test_an_array_that_is_shorter_than_its_header_says_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros(100))
    for kept in (-8, 60, 9, 4, 0):
        with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
            archive.writestr("x.npy", (tmp_path / "x.npy").read_bytes()[:kept])
        with pytest.raises(BadInput, match="'x' cannot be read"):
            npz.array(tmp_path / "a.npz", "x")


@pytest.mark.slow
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_every_changed_byte_gives_an_array_or_words(tmp_path: Path, save) -> None:
    """Whatever zlib, zipfile and numpy raise, nobody sees their traceback."""
    path = tmp_path / "a.npz"
    save(path, x=np.random.default_rng(0).integers(0, 4, 60, dtype=np.uint8))
    whole = path.read_bytes()
    refused = 0
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        path.write_bytes(damaged)
        try:
            npz.array(path, "x")
        except BadInput:
            refused += 1
        with contextlib.suppress(BadInput):  # the reader of samples takes the same errors
            open_npz(path).read("x")
    assert refused > 100
