"""Parquet files as the hub writes them."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from PIL import Image

from harness.components import Wanted
from harness.data.images import Corrupt
from harness.data.parquet import Parquet
from harness.errors import BadInput, Missing


def png(seed: int, mode: str = "RGB") -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 5, 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(file, "PNG")
    return file.getvalue()


def write(
    path: Path, count: int = 5, start: int = 0, names: list[str] | None = None, **columns: Any
) -> Path:
    """`count` rows of image and label (row modulo 3), two to a row group."""
    content: dict[str, Any] = {
        "image": [{"bytes": png(start + k), "path": f"{k}.png"} for k in range(count)],
        "label": [(start + k) % 3 for k in range(count)],
        **columns,
    }
    table = pyarrow.table({k: v for k, v in content.items() if v is not None})
    if names is not None:
        about = {"info": {"features": {"label": {"names": names, "_type": "ClassLabel"}}}}
        table = table.replace_schema_metadata({"huggingface": json.dumps(about)})
    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(table, path, row_group_size=2)
    return path


def opened(path: Path, split: Any = "train", classes: int | None = None, **settings: Any) -> Any:
    return Parquet(**settings).open(Wanted("mine", str(path), split, 8, 3, classes, None, 0))


def test_rows_of_all_files_are_read_at_random_and_in_order(tmp_path: Path) -> None:
    for part in range(3):
        write(tmp_path / "data" / f"train-0000{part}-of-00003.parquet", 5, 5 * part)
    images = opened(tmp_path)
    assert len(images) == 15 and images.class_names == ["0", "1", "2"]
    for index in (14, 0, 7, 8, 1, 13, 4, 5):
        image, label = images[index]
        expected = np.random.default_rng(index).integers(0, 256, (6, 5, 3), dtype=np.uint8)
        assert np.array_equal(image, expected) and label == index % 3


def test_splits_are_files_and_names_are_the_hubs(tmp_path: Path) -> None:
    names = ["ant", "bee", "cat", "never seen"]
    write(tmp_path / "train-00000-of-00001.parquet", names=names)
    write(tmp_path / "test-00000-of-00001.parquet", 2, names=names)
    write(tmp_path / "validation-00000-of-00001.parquet", 3, names=names)
    assert opened(tmp_path).class_names == names and len(opened(tmp_path)) == 5
    assert len(opened(tmp_path, "floor")) == 3
    assert len(opened(tmp_path / "test-00000-of-00001.parquet")) == 2


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("plain_text/train-00000-of-00001.parquet", "plain_text/test-00000-of-00001.parquet"),
        ("default/train/0000.parquet", "default/test/0000.parquet"),
        ("train/0000.parquet", "validation/0000.parquet"),
        ("data/train/0000.parquet", "data/test/0000.parquet"),
    ],
)
def test_folders_of_configurations_and_splits_are_gone_into(
    train: str, test: str, tmp_path: Path
) -> None:
    write(tmp_path / train, 5)
    assert len(opened(tmp_path, "floor")) == 5  # there is nothing else
    write(tmp_path / test, 2)
    (tmp_path / "README.md").write_text("about")
    assert Parquet.recognise(tmp_path) == {}
    assert len(opened(tmp_path)) == len(opened(tmp_path, "reference")) == 5
    assert len(opened(tmp_path, "floor")) == 2


def test_which_of_several_configurations_is_meant_nobody_can_know(tmp_path: Path) -> None:
    for name in ("cropped", "full"):
        write(tmp_path / name / "train-00000-of-00001.parquet")
    assert Parquet.recognise(tmp_path) is None
    with pytest.raises(Missing, match=r"holds no parquet files: give data\.path a folder of them"):
        opened(tmp_path)
    assert len(opened(tmp_path / "full")) == 5


def test_plain_bytes_texts_and_other_columns(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.parquet", image=None, label=None,
        jpg=[png(k) for k in range(5)], kind=["b", "a", "b", "a", "c"],
    )  # fmt: skip
    images = opened(path, image="jpg", label="kind")
    assert images.class_names == ["a", "b", "c"]
    assert [images[i][1] for i in range(5)] == [1, 0, 1, 0, 2]
    assert opened(path, image="jpg", label=None).class_names == []
    with pytest.raises(BadInput, match=r"no column 'image'; it has jpg, kind: say data\.source"):
        opened(path)
    assert Parquet.recognise(path) == {"image": "jpg", "label": None}
    odd = write(tmp_path / "odd.parquet", image=None, pixels=[1, 2, 3, 4, 5])
    assert Parquet.recognise(odd) is None
    assert Parquet.recognise(write(tmp_path / "b.parquet", label=None)) == {"label": None}


def test_rows_that_cannot_be_read_are_corrupt_alone(tmp_path: Path) -> None:
    rows: list[Any] = [{"bytes": png(k), "path": ""} for k in range(5)]
    rows[1] = {"bytes": b"no image", "path": ""}
    rows[2] = {"bytes": None, "path": "elsewhere.png"}
    images = opened(write(tmp_path / "a.parquet", image=rows))
    for index, reason in (
        (1, r"a\.parquet/1: cannot be decoded"),
        (2, r"a\.parquet/2: holds no bytes"),
    ):
        with pytest.raises(Corrupt, match=reason):
            images[index]
    assert images[3][0].shape == (6, 5, 3)


def test_gray_and_transparent_images_are_brought_to_rgb(tmp_path: Path) -> None:
    rows = [{"bytes": png(k, mode), "path": ""} for k, mode in enumerate(["L", "RGBA", "P", "RGB"])]
    images = opened(write(tmp_path / "a.parquet", 4, image=rows))
    stored = [getattr(images[i][0], "stored", None) for i in range(4)]
    assert stored == ["gray", "alpha", "palette", None]
    assert {images[i][0].shape for i in range(4)} == {(6, 5, 3)}


def test_the_fingerprint_notices_labels_and_images(tmp_path: Path) -> None:
    prints = {opened(write(tmp_path / "a.parquet")).fingerprint for _ in range(2)}
    assert len(prints) == 1
    prints.add(opened(write(tmp_path / "a.parquet", label=[0, 1, 2, 1, 0])).fingerprint)
    prints.add(opened(write(tmp_path / "a.parquet", start=5, label=[0, 1, 2, 0, 1])).fingerprint)
    assert len(prints) == 3


def test_what_is_no_data_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Missing, match="holds no parquet files"):
        opened(tmp_path)
    path = write(tmp_path / "a.parquet")
    with pytest.raises(BadInput, match="labels go from 0 to 2; expected 0 to 1"):
        opened(path, classes=2)
    with pytest.raises(BadInput, match="5 rows have no label"):
        opened(write(tmp_path / "b.parquet", label=pyarrow.array([None] * 5, pyarrow.int64())))
    with pytest.raises(BadInput, match="no rows"):
        opened(write(tmp_path / "c.parquet", 0, image=pyarrow.array([], pyarrow.binary()),
                     label=pyarrow.array([], pyarrow.int64())))  # fmt: skip
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(BadInput, match="not a whole parquet file"):
        opened(path)
