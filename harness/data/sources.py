"""The data sources as components: embedded sets, image folders, tars."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from harness.components.source import Images, Source, Split, Wanted
from harness.errors import BadInput, HarnessError

if TYPE_CHECKING:
    import numpy as np

# Embedded set -> the module that renders it.
EMBEDDED = {"glyphs": "harness.data.glyphs", "digits": "harness.data.digits"}


class Embedded(Source):
    """The embedded sets: glyphs (digits of matplotlib's fonts) and digits (scikit-learn's)."""

    name = "embedded"
    made: ClassVar[bool] = True
    example_name: ClassVar[str | None] = "glyphs"

    def check(self, data: Any) -> None:
        _fits(data, embedded=True)
        if data.train_images is None:
            raise BadInput("data.train_images must be given for an embedded set")

    def open(self, wanted: Wanted) -> Images:
        import importlib

        from harness.data import glyphs
        from harness.data.images import ArrayImages

        if wanted.name not in EMBEDDED:
            raise BadInput(f"no embedded data set {wanted.name!r}; there are {', '.join(EMBEDDED)}")
        if wanted.count is None:
            raise BadInput(f"how many images of {wanted.name!r}? Give data.train_images")
        render: Callable[..., tuple[np.ndarray, np.ndarray]]
        render = importlib.import_module(EMBEDDED[wanted.name]).render
        images, labels = render(
            wanted.split,
            wanted.count,
            image_size=wanted.image_size,
            channels=wanted.channels,
            seed=wanted.seed,
        )
        return ArrayImages(images, labels, [str(digit) for digit in range(glyphs.NUM_CLASSES)])


class _Files(Source):
    """What sources that read files share."""

    layout: ClassVar[str]  # in words, for who has to put the files there

    def check(self, data: Any) -> None:
        _fits(data, embedded=False)

    def _path(self, wanted: Wanted) -> str:
        if wanted.path is None:
            raise BadInput(f"data {wanted.name!r} is read from files: give data.path")
        return wanted.path


class ImageFolderSource(_Files):
    """A folder of images, one folder per class; `train` and `val` below it where it has them."""

    name = "image-folder"
    layout: ClassVar[str] = "one folder of images per class"

    def floors_apart(self, path: str) -> bool | None:
        """Is there a folder `val`?"""
        from harness.data.folder import split_folder

        try:
            return split_folder(Path(path), "val") != split_folder(Path(path), "train")
        except (HarnessError, OSError):
            return None  # said where it is opened

    def open(self, wanted: Wanted) -> Images:
        from harness.data.folder import ImageFolder

        return ImageFolder(self._path(wanted), split=_stored(wanted.split))

    def listing(self, path: str, split: Split = "train") -> Sequence[Path | str]:
        from harness.data import folder

        return folder.listing(path, _stored(split))

    def quick_classes(self, path: str) -> int | None:
        from harness.data.folder import class_folders

        return len(class_folders(path)) or None

    def quick_fingerprint(self, path: str) -> str | None:
        from harness.data.folder import ImageFolder

        return ImageFolder(path).fingerprint

    @classmethod
    def recognise(cls, path: Path) -> dict[str, Any] | None:
        """A folder that holds folders, the first of which hold an image somewhere."""
        from harness.data.unlabelled import holds_class_folders

        return {} if path.is_dir() and holds_class_folders(path) else None

    def example(self, folder: Path, seed: int, damaged: bool = False) -> Path | None:
        """Two classes of six PNGs."""
        from PIL import Image

        for k, pixels in enumerate(drawn(seed)):
            path = folder / f"class{k % 2}" / f"{k:02d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
        if damaged:
            path.write_bytes(b"no image")
        return folder


class WebDatasetSource(_Files):
    """Tar shards of image and class files, in WebDataset's layout."""

    name = "webdataset"
    layout: ClassVar[str] = "tar shards of image and class files"

    def floors_apart(self, path: str) -> bool | None:
        """Are there tars of `val`?"""
        from harness.data.shards import find_tars

        try:
            return find_tars(Path(path), "val") != find_tars(Path(path), "train")
        except (HarnessError, OSError):
            return None  # said where they are opened

    def open(self, wanted: Wanted) -> Images:
        from harness.data.shards import TarShards

        index: str | Path | None = wanted.index
        return TarShards(
            self._path(wanted),
            split=_stored(wanted.split),
            num_classes=wanted.num_classes,
            index=index,
        )

    def listing(self, path: str, split: Split = "train") -> Sequence[Path | str]:
        from harness.data import shards

        return shards.find_tars(Path(path), _stored(split))

    @classmethod
    def recognise(cls, path: Path) -> dict[str, Any] | None:
        """A tar, or a folder with tars in it or one below."""
        tars = path.suffix == ".tar" or any(path.glob("*.tar")) or any(path.glob("*/*.tar"))
        return {} if tars else None

    def example(self, folder: Path, seed: int, damaged: bool = False) -> Path | None:
        """Two tars of six PNGs, of three classes."""
        import io
        import tarfile

        from PIL import Image

        folder.mkdir(parents=True, exist_ok=True)
        images = drawn(seed)
        for part in range(2):
            with tarfile.open(folder / f"train-{part}.tar", "w") as tar:
                for k in range(6 * part, 6 * part + 6):
                    file = io.BytesIO()
                    Image.fromarray(images[k]).save(file, "PNG")
                    content = b"no image" if damaged and k == 7 else file.getvalue()
                    for name, held in (
                        (f"{k:04d}.cls", b"%d" % (k % 3)),
                        (f"{k:04d}.png", content),
                    ):
                        member = tarfile.TarInfo(name)
                        member.size = len(held)
                        tar.addfile(member, io.BytesIO(held))
        return folder


def drawn(seed: int) -> list[np.ndarray]:
    """Twelve images for examples, of two sizes, and others for another seed.

    Fingerprints of files are of their names and sizes.
    """
    import numpy

    draws = numpy.random.default_rng(seed)
    return [draws.integers(0, 256, (9 + seed, 8 + k % 2, 3), dtype=numpy.uint8) for k in range(12)]


def _stored(split: str) -> str:
    """The part of what lies on disk that serves a split: floors come from images held out."""
    return "val" if split == "floor" else "train"


def _fits(data: Any, embedded: bool) -> None:
    if (data.name in EMBEDDED) != embedded:
        raise BadInput(
            f"data.name {data.name!r} does not go with source "
            f"{data.source if isinstance(data.source, str) else data.source.name!r}: "
            f"the embedded sets are {', '.join(EMBEDDED)}; others are read from files"
        )
