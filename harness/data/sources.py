"""The data sources of image folders and tars, as components."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from harness.components.source import Images, Source, Split, Wanted
from harness.data.embedded import check_name
from harness.data.examples import drawn
from harness.errors import BadInput, HarnessError


class _Files(Source):
    """The common part of sources that read files."""

    layout: ClassVar[str]  # in words, for who has to put the files there

    def check(self, data: Any) -> None:
        check_name(data, embedded=False)

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
        from harness.data.folder import floors_apart

        return floors_apart(Path(path))

    def open(self, wanted: Wanted) -> Images:
        from harness.data.folder import ImageFolder

        return ImageFolder(self._path(wanted), split=_stored(wanted.split))

    def listing(self, path: str, split: Split = "train") -> Sequence[Path | str]:
        from harness.data import folder

        return folder.listing(path, _stored(split))

    def quick_classes(self, path: str) -> int | None:
        from harness.data.folder import class_folders

        return len(class_folders(path)) or None

    def quick_open(self, wanted: Wanted) -> Images | None:
        return self.open(wanted)

    def quick_count(self, path: str) -> int | None:
        from harness.data.folder import ImageFolder

        return len(ImageFolder(path))

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

    def quick_open(self, wanted: Wanted) -> Images | None:
        """The images of small tars. Of large ones it is seen whether they are tars."""
        from harness.data import not_tar
        from harness.data.file_source import small

        tars = [Path(file) for file in self.listing(self._path(wanted))]
        not_tar.check_beginnings(tars)
        return self.open(replace(wanted, index=None)) if small(tars) else None

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


def _stored(split: str) -> str:
    """The part of what lies on disk that serves a split: floors come from images held out."""
    return "val" if split == "floor" else "train"
