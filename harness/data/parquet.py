"""Image data sets of the Hugging Face hub as they lie on disk: parquet files of bytes and labels.

A row's image is a struct of `bytes` and `path`, as the hub writes it, or plain bytes; the bytes are
a PNG, a JPEG or another file's. Labels are whole numbers, whose names the file's metadata may hold
(ClassLabel), or texts, whose sorted names are the classes. Rows are read a row group at a time.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from harness.components.source import Images, Split, Wanted
from harness.data.arrays import numbered
from harness.data.file_source import HELD_OUT_NAMES, FileSource, of_split
from harness.data.images import Corrupt, read_image
from harness.errors import BadInput, Missing

FILES = "*.parquet"
GROUPS = 4  # row groups kept in memory: readers work ahead of each other by a few
IMAGES = ("image", "img", "images", "jpg", "png", "webp")  # usual columns
LABELS = ("label", "labels", "fine_label", "cls", "class")


class ParquetImages:
    """The images of some parquet files, row after row, file after file.

    image, label: the columns; label None: the images have none. num_classes: by default as many as
    the metadata names, or up to the largest label. Raises BadInput for files that lack the columns
    or are none, and for labels that are not numbered from 0.
    """

    def __init__(
        self, paths: list[Path], image: str, label: str | None, num_classes: int | None = None
    ) -> None:
        self.paths, self._image = paths, image
        self._files = [_opened(path) for path in paths]
        self._lock = threading.Lock()
        self._groups: OrderedDict[int, list[bytes | None]] = OrderedDict()
        self._places: list[tuple[int, int]] = []  # (file, row group in it)
        rows: list[int] = []
        for k, file in enumerate(self._files):
            columns = file.schema_arrow.names
            for name in (image, label):
                if name is not None and name not in columns:
                    raise BadInput(
                        f"{paths[k]} has no column {name!r}; it has {', '.join(columns)}: say "
                        "data.source: {name: parquet, image: NAME, label: NAME}"
                    )
            groups = range(file.metadata.num_row_groups)
            self._places += [(k, group) for group in groups]
            rows += [file.metadata.row_group(group).num_rows for group in groups]
        self._starts = np.cumsum([0, *rows])
        if not self._starts[-1]:
            raise BadInput(f"{paths[0]}: the parquet files hold no rows")
        if label is None:
            self.labels = np.zeros(self._starts[-1], dtype=np.int64)
            self.class_names: list[str] = []
            return
        self.labels, self.class_names = self._read_labels(label, num_classes)

    def _read_labels(self, label: str, num_classes: int | None) -> tuple[np.ndarray, list[str]]:
        found = []
        for path, file in zip(self.paths, self._files, strict=True):
            column = file.read(columns=[label]).column(label)
            if column.null_count:
                raise BadInput(f"{path}: {column.null_count:,} rows have no {label}")
            values = column.to_numpy()
            found.append(values.astype(str) if values.dtype == object else values)
        names = _class_names(self._files[0], label)
        count = num_classes or (len(names) if names else None)
        labels, numbers = numbered(np.concatenate(found), str(self.paths[0]), count)
        return labels, names if names and len(names) == len(numbers) else numbers

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        group = int(np.searchsorted(self._starts, index, side="right")) - 1
        row = index - int(self._starts[group])
        path = f"{self.paths[self._places[group][0]].name}/{row + self._before(group)}"
        content = self._rows(group, path)[row]
        if content is None:
            raise Corrupt(path, "holds no bytes, but the path of an image elsewhere")
        return read_image(content, path), int(self.labels[index])

    def _before(self, group: int) -> int:
        """Rows of the same file in earlier groups."""
        file = self._places[group][0]
        first = next(k for k, (at, _) in enumerate(self._places) if at == file)
        return int(self._starts[group] - self._starts[first])

    def _rows(self, group: int, path: str) -> list[bytes | None]:
        with self._lock:
            if group not in self._groups:
                file, at = self._places[group]
                try:
                    column = self._files[file].read_row_group(at, columns=[self._image])
                    values = column.column(0).to_pylist()
                except OSError as error:
                    raise Corrupt(path, f"its row group cannot be read ({error})") from None
                self._groups[group] = [v.get("bytes") if isinstance(v, dict) else v for v in values]
                if len(self._groups) > GROUPS:
                    self._groups.popitem(last=False)
            self._groups.move_to_end(group)
            return self._groups[group]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the files' names, sizes and footers (of each column's place, size and range),
        and of the labels; not of the images' bytes."""
        digest = hashlib.sha256()
        for path in self.paths:
            digest.update(f"{path.name}\0{path.stat().st_size}\n".encode())
            with open(path, "rb") as file:
                file.seek(-8, 2)
                size = int.from_bytes(file.read(4), "little")
                file.seek(-8 - size, 2)
                digest.update(file.read(size))
        digest.update(self.labels.tobytes())
        return digest.hexdigest()


class Parquet(FileSource):
    """Parquet files of encoded images and labels, as data sets of the Hugging Face hub."""

    name = "parquet"
    layout: ClassVar[str] = "a folder of parquet files (or its `data` folder), or one of them"

    image: str = "image"
    "The column of images."

    label: str | None = "label"
    "The column of labels; null: the images have none, and models of them are unconditional."

    @property
    def labelled(self) -> bool:
        """Does the study name a column of labels?"""
        return self.label is not None

    def open(self, wanted: Wanted) -> Images:
        root = self.path_of(wanted)
        paths = _files(root, wanted.split)
        return ParquetImages(paths, self.image, self.label, wanted.num_classes or None)

    def listing(self, path: str, split: Split = "train") -> list[Path]:
        """The parquet files of a split."""
        return _files(Path(path), split)

    @classmethod
    def recognise(cls, path: Path) -> dict[str, Any] | None:
        """Parquet files with columns of the usual names."""
        try:
            columns = _opened(_files(path)[0]).schema_arrow.names
        except (Missing, BadInput):
            return None
        image = next((name for name in IMAGES if name in columns), None)
        if image is None:
            return None
        label = next((name for name in LABELS if name in columns), None)
        found = {} if image == "image" else {"image": image}
        return found if label == "label" else {**found, "label": label}

    def example(self, folder: Path, seed: int, damaged: bool = False) -> Path | None:
        """Two files of six PNGs each, in row groups of four."""
        import io

        import pyarrow
        import pyarrow.parquet
        from PIL import Image

        draws = np.random.default_rng(seed)
        folder.mkdir(parents=True, exist_ok=True)
        for part in range(2):
            rows = []
            for _ in range(6):
                file = io.BytesIO()
                Image.fromarray(draws.integers(0, 256, (9, 8, 3), dtype=np.uint8)).save(file, "PNG")
                rows.append({"bytes": file.getvalue(), "path": None})
            if damaged and part == 1:
                rows[3] = {"bytes": b"no image", "path": None}
            columns: dict[str, Any] = {self.image: rows}
            if self.label is not None:
                columns[self.label] = [k % 3 for k in range(6)]
            pyarrow.parquet.write_table(
                pyarrow.table(columns), folder / f"train-0000{part}-of-00002.parquet",
                row_group_size=4,
            )  # fmt: skip
        return folder


def _files(root: Path, split: Split = "train") -> list[Path]:
    """The parquet files of a split, in the order of their names.

    They lie at `root`, or in its folder `data`, or in the only folder that has some, which the hub
    names for a configuration; or in folders of the splits there.
    """
    if root.is_file():
        return [root]
    for place in _places(root):
        if found := sorted(place.glob(FILES)):
            return of_split(found, split)
        if (train := sorted((place / "train").glob(FILES))) and split != "floor":
            return train
        if train:
            held_out = (sorted((place / word).glob(FILES)) for word in HELD_OUT_NAMES)
            return next((files for files in held_out if files), train)
    raise Missing(f"{root} holds no parquet files: give data.path a folder of them")


def _places(root: Path) -> Iterator[Path]:
    yield root
    yield root / "data"
    inner = sorted(path for path in root.glob("*") if path.is_dir())
    having = [path for path in inner if any(path.glob(FILES)) or any(path.glob(f"train/{FILES}"))]
    if len(having) == 1:
        yield having[0]


def _opened(path: Path) -> Any:
    import pyarrow
    import pyarrow.parquet

    try:
        return pyarrow.parquet.ParquetFile(path, memory_map=True)
    except (OSError, pyarrow.ArrowException) as error:
        raise BadInput(f"{path} is not a whole parquet file: {error}") from None


def _class_names(file: Any, label: str) -> list[str] | None:
    """The names that the hub's metadata gives to the labels; None: it gives none."""
    text = (file.schema_arrow.metadata or {}).get(b"huggingface")
    try:
        names = json.loads(text or b"")["info"]["features"][label]["names"]
    except (TypeError, ValueError, KeyError):
        return None
    return [str(name) for name in names] if isinstance(names, list) else None
