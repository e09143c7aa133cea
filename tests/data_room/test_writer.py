from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from harness.data.writer import LatentSettings, LatentWriter
from harness.errors import BadInput, HarnessError

SETTINGS = LatentSettings(
    kind="pixels",
    shape=(3, 2, 2),
    dtype="uint8",
    items=10,
    shard_size=4,
    num_classes=5,
    autoencoder="identity",
    autoencoder_sha256=None,
    scale=1.0,
    dataset="f" * 64,
)


def rows(count: int) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros((count, 3, 2, 2), np.uint8), np.zeros(count, np.int64)


def test_shards_are_dealt_to_processes_and_cover_the_data_once(tmp_path) -> None:
    writer = LatentWriter(tmp_path, SETTINGS)
    dealt = [writer.missing(rank, 2) for rank in range(2)]
    assert dealt == [[0, 2], [1]]
    items = [item for shards in dealt for shard in shards for item in writer.items(shard)]
    assert sorted(items) == list(range(10))


def test_a_written_shard_is_not_missing_and_a_broken_one_is(tmp_path) -> None:
    writer = LatentWriter(tmp_path, SETTINGS)
    for shard in range(3):
        writer.write(shard, *rows(len(writer.items(shard))))
    assert writer.missing() == []
    (tmp_path / "shard-00001.json").write_text("{")
    (tmp_path / "labels-00002.npy").write_bytes(b"")
    (tmp_path / "shard-00000.npy").unlink()
    assert writer.missing() == [0, 1, 2]


def test_an_unfinished_folder_cannot_be_finished(tmp_path) -> None:
    writer = LatentWriter(tmp_path, SETTINGS)
    writer.write(0, *rows(4))
    with pytest.raises(HarnessError, match=r"2 of 3 shards are not written yet \(the first: 1\)"):
        writer.finish()
    assert not (tmp_path / "index.json").exists()


def test_a_folder_of_another_encoding_is_refused(tmp_path) -> None:
    LatentWriter(tmp_path, SETTINGS).write(0, *rows(4))
    other = LatentWriter(tmp_path, replace(SETTINGS, autoencoder="sd-vae"))
    with pytest.raises(BadInput, match="autoencoder: identity, not sd-vae"):
        other.missing()


def test_shards_of_images_that_changed_since_are_written_again(tmp_path) -> None:
    LatentWriter(tmp_path, SETTINGS).write(0, *rows(4))
    assert LatentWriter(tmp_path, replace(SETTINGS, dataset="e" * 64)).missing() == [0, 1, 2]


def test_rows_that_do_not_fit_are_refused(tmp_path) -> None:
    writer = LatentWriter(tmp_path, SETTINGS)
    latents, labels = rows(4)
    for bad in (
        (latents[:3], labels[:3]),
        (latents, labels[:3]),
        (latents.astype(np.float32), labels),
        (latents, labels, [{"path": "a", "reason": "b"}]),
    ):
        with pytest.raises(BadInput, match="shard 0"):
            writer.write(0, *bad)
    writer.write(0, latents[:3], labels[:3], [{"path": "a", "reason": "b"}])


def test_corrupt_images_are_listed_and_limited(tmp_path) -> None:
    writer = LatentWriter(tmp_path, SETTINGS)
    for shard in range(3):
        count = len(writer.items(shard)) - 1
        writer.write(shard, *rows(count), [{"path": f"{shard}.png", "reason": "torn"}])
    with pytest.raises(HarnessError, match=r"3 images cannot be read[\s\S]*1\.png: torn"):
        writer.finish(max_corrupt=2)
    index = writer.finish(max_corrupt=3)
    assert index["count"] == 7 and [entry["path"] for entry in index["corrupt"]] == [
        "0.png",
        "1.png",
        "2.png",
    ]
    assert json.loads((tmp_path / "index.json").read_text()) == json.loads(json.dumps(index))


def test_a_data_set_of_corrupt_images_alone_is_refused(tmp_path) -> None:
    writer = LatentWriter(tmp_path, replace(SETTINGS, items=2))
    writer.write(0, *rows(0), [{"path": "a", "reason": "b"}, {"path": "c", "reason": "d"}])
    with pytest.raises(HarnessError, match="none of the 2 images is left"):
        writer.finish(max_corrupt=9)


def test_what_a_killed_process_left_is_cleared_away(tmp_path) -> None:
    writer = LatentWriter(tmp_path, SETTINGS)
    (tmp_path / ".shard-00000.npy.99999.partial").write_bytes(b"half")
    for shard in range(3):
        writer.write(shard, *rows(len(writer.items(shard))))
    writer.finish()
    assert not list(tmp_path.glob(".*"))


def test_a_disk_too_small_is_told_with_the_bytes_missing(tmp_path, monkeypatch) -> None:
    writer = LatentWriter(tmp_path, SETTINGS)
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 50}))
    with pytest.raises(HarnessError, match="need 200 bytes and the disk has 50 free; 150 bytes"):
        writer.check_space(writer.missing())


def test_a_disk_that_fills_up_while_writing_leaves_no_shard(tmp_path, monkeypatch) -> None:
    writer = LatentWriter(tmp_path, SETTINGS)

    def full(fd):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(HarnessError, match="the disk is full"):
            writer.write(0, *rows(4))
    assert writer.missing() == [0, 1, 2] and not list(tmp_path.iterdir())
    writer.write(0, *rows(4))
    assert writer.missing() == [1, 2]


@pytest.mark.parametrize(
    "change", [{"dtype": "float32"}, {"kind": "images"}, {"items": 0}, {"shard_size": 0}]
)
def test_impossible_settings_are_refused(change) -> None:
    with pytest.raises(BadInput):
        replace(SETTINGS, **change)
