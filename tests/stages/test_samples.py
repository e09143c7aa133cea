"""Samples on disk: parts, what is missing between them, and their merging."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.stages import samples
from harness.stages.samples import Part, finished, keep, merge, missing

SHA, OTHER = "a" * 64, "b" * 64


def images(start: int, stop: int) -> dict[str, np.ndarray]:
    rows = np.arange(start, stop, dtype=np.uint8)[:, None, None, None]
    return {"images": np.broadcast_to(rows, (stop - start, 4, 4, 1)).copy()}


def test_parts_come_back_in_order_and_merge(tmp_path: Path) -> None:
    keep(tmp_path, 4, 6, images(4, 6))
    keep(tmp_path, 0, 4, images(0, 4))
    parts = finished(tmp_path, 6)
    assert [(p.start, p.stop) for p in parts] == [(0, 4), (4, 6)]
    assert np.concatenate(list(merge(parts, "images")))[:, 0, 0, 0].tolist() == list(range(6))


def test_parts_of_another_decoder_or_beyond_the_end_are_not_taken(tmp_path: Path) -> None:
    keep(tmp_path, 0, 2, images(0, 2), SHA)
    keep(tmp_path, 2, 8, images(2, 8), SHA)
    assert finished(tmp_path, 8, OTHER) == [] and finished(tmp_path, 8) == []
    assert [(p.start, p.stop) for p in finished(tmp_path, 8, SHA)] == [(0, 2), (2, 8)]
    assert [(p.start, p.stop) for p in finished(tmp_path, 5, SHA)] == [(0, 2)]


def test_overlapping_and_damaged_parts_are_sampled_again(tmp_path: Path) -> None:
    keep(tmp_path, 0, 4, images(0, 4))
    keep(tmp_path, 2, 6, images(2, 6))  # of another batch size
    keep(tmp_path, 6, 8, images(6, 8))
    bad = tmp_path / "part-000000006-000000008.npz"
    content = bytearray(bad.read_bytes())
    content[len(content) // 2] ^= 0xFF
    bad.write_bytes(content)
    assert [(p.start, p.stop) for p in finished(tmp_path, 8)] == [(0, 4)]
    bad.write_bytes(b"")
    assert [(p.start, p.stop) for p in finished(tmp_path, 8)] == [(0, 4)]


@pytest.mark.slow
@given(
    st.lists(st.integers(0, 60), min_size=0, max_size=8, unique=True),
    st.integers(1, 60),
    st.integers(1, 20),
)
def test_parts_and_what_is_missing_are_everything_once(
    cuts: list[int], count: int, size: int
) -> None:
    ends = sorted(cut for cut in cuts if cut <= count)
    parts = [Part(a, b, Path()) for a, b in zip(ends[::2], ends[1::2], strict=False)]
    todo = missing(parts, count, size)
    assert all(0 < len(batch) <= size for batch in todo)
    covered = [i for batch in todo for i in batch]
    covered += [i for p in parts for i in range(p.start, p.stop)]
    assert sorted(covered) == list(range(count))


def test_the_same_arrays_give_the_same_bytes_whatever_the_pieces(tmp_path: Path) -> None:
    rows = images(0, 6)["images"]
    for name, pieces in (("a", [rows]), ("b", [rows[:1], rows[1:4], rows[4:]])):
        samples.write_npz(tmp_path / f"{name}.npz", {"arr_0": (rows.shape, pieces)})
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    with np.load(tmp_path / "a.npz") as content:
        assert (content["arr_0"] == rows).all()
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        assert archive.infolist()[0].date_time == (1980, 1, 1, 0, 0, 0)


@pytest.mark.parametrize("channels", [1, 3])
def test_kept_as_files_or_as_one_array_the_images_are_the_same(
    channels: int, tmp_path: Path
) -> None:
    rows = np.random.default_rng(0).integers(0, 256, (5, 4, 4, channels), dtype=np.uint8)
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    samples.write_npz(tmp_path / "one" / "samples.npz", {"arr_0": (rows.shape, [rows])})
    samples.write_folder(tmp_path / "other" / "images", [rows[:3], rows[3:]])
    for folder in ("one", "other"):
        pieces = list(samples.read_images(tmp_path / folder, 2))
        assert [len(piece) for piece in pieces] == [2, 2, 1]
        assert (np.concatenate(pieces) == rows).all()


def test_the_strip_is_the_first_samples_of_whatever_pieces_and_outlives_the_rest(
    tmp_path: Path,
) -> None:
    rows = np.random.default_rng(0).integers(0, 256, (20, 4, 4, 3), dtype=np.uint8)
    samples.write_npz(tmp_path / "samples.npz", {"arr_0": (rows.shape, [rows])})
    before = samples.read_strip(tmp_path)  # of artifacts that were made before strips were kept
    samples.write_strip(tmp_path, [rows[:3], rows[3:4], rows[4:]])
    (tmp_path / "samples.npz").unlink()
    after = samples.read_strip(tmp_path)
    assert before is not None and np.array_equal(before, rows[: samples.STRIP])
    assert after is not None and np.array_equal(after, before)


def test_a_strip_that_cannot_be_had_is_none(tmp_path: Path) -> None:
    assert samples.read_strip(tmp_path / "not there") is None
    for damage in (b"", b"PK\x03\x04 no archive"):
        (tmp_path / samples.STRIP_FILE).write_bytes(damage)
        assert samples.read_strip(tmp_path) is None


def test_fewer_samples_than_a_strip_are_all_of_it(tmp_path: Path) -> None:
    rows = np.zeros((3, 4, 4, 1), np.uint8)
    samples.write_strip(tmp_path, [rows])
    strip = samples.read_strip(tmp_path)
    assert strip is not None and strip.shape == (3, 4, 4, 1)
