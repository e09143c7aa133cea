"""What can be learned about a folder of images, as the settings of a study."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import BadInput, HarnessError, Missing

HELD_OUT = 0.1  # of the images, for floors
LABEL_FREE = "random-conv"  # an extractor that needs neither labels nor many images
COPIES = (50, 10_000)  # training images among which copies are looked for
LEAST = 4  # images: precision and recall ask for 3 neighbours of each
OWN = "classifier"  # an extractor trained on the study's own images
PACKED = (".zip", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".7z", ".rar")  # endings of archives

if TYPE_CHECKING:
    from harness.metrics.division import Division


@dataclass(frozen=True)
class Found:
    """A folder of images."""

    name: str  # of the data, from the folder's
    source: str | dict[str, Any]  # the data source that reads it, as a study writes it
    path: str  # as it was given
    classes: tuple[str, ...]  # none: no labels
    count: int  # images
    side: int  # the shorter side of the smallest image looked at, pixels
    channels: int  # 1 where all that were looked at are gray, else 3
    about: str  # classes, counts and sizes in words
    extractor: str  # that can measure them
    own_floor: bool  # are there images beside those of training? Else some are held out
    uneven: bool = False  # are some classes far more frequent than others?
    notes: tuple[str, ...] = ()  # on files that lie there and are not read

    def settings(self) -> dict[str, Any]:
        """The study's data section, without the image size."""
        gray = {"channels": 1} if self.channels == 1 else {}
        return {
            "name": self.name,
            "source": self.source,
            "path": self.path,
            **gray,
            "num_classes": len(self.classes),
            "train_images": self.count,
            **({"held_out": HELD_OUT} if self.holds_out else {}),
            "flip": False,
        }

    def reference(self, recall_images: int, most: int | None = None) -> dict[str, Any]:
        """The study's reference section, of at most `most` images (None: of all there are)."""
        section: dict[str, Any] = {"extractor": self.extractor}
        there = self.trained_on
        division = _division(there, len(self.classes))
        if self.extractor == OWN and division is not None:
            section["extractor_images"] = division.extractor
            there = division.reference
        if most is not None:
            section["images"] = min(there, most)
        section["recall_images"] = min(there, recall_images, most or there)
        return section | self.floor_images(2000)

    @property
    def few(self) -> bool:
        """Few enough for models to learn them by heart, and enough to show that they did?"""
        return COPIES[0] <= self.trained_on <= COPIES[1]

    @property
    def holds_out(self) -> bool:
        """Is a share held out for floors?"""
        return not self.own_floor and round(self.count * HELD_OUT) >= 2

    @property
    def trained_on(self) -> int:
        """Images that are not held out."""
        return self.count - (round(self.count * HELD_OUT) if self.holds_out else 0)

    def floor_images(self, most: int) -> dict[str, int]:
        """How many images to make floors of, as the reference section writes it."""
        return {"floor_images": min(most, self.count - self.trained_on)} if self.holds_out else {}

    @property
    def sentence(self) -> str:
        """The findings in one sentence."""
        return f"{self.path}, {self.about}"


def look(folder: str) -> Found:
    """Look into a folder of images, whichever source reads it.

    Raises Missing if it is not there, BadInput if no source can read it, saying what would do.
    """
    from harness.data import looking
    from harness.data.images import open_images

    path = Path(folder)
    if not path.exists():
        raise Missing(f"--data {folder}: there is no such folder")
    if (bad := next((c for c in folder if _is_no_text(c)), None)) is not None:
        raise BadInput(
            f"--data {folder!a}: no study can hold {bad!a} in a path; rename the folder, or give a "
            "link to it"
        )
    if path.is_file():
        _check_has_content(path)
    name = looking.data_name(path)
    found = looking.find_source(path)
    if found is None:
        raise BadInput(
            f"--data {folder}: no source of images recognises it{_packed(path)}; {_layouts()}"
        )
    source, settings = found
    images = open_images(name, source, folder, settings=settings)
    if len(images) < LEAST:
        raise BadInput(
            f"--data {folder}: {len(images)} {'image' if len(images) == 1 else 'images'}, and a "
            f"study needs {LEAST} at least; for numbers that say something, some hundreds"
        )
    seen = looking.look(images, f"--data {folder}")
    return Found(
        name,
        {"name": source, **settings} if settings else source,
        folder,
        seen.classes,
        seen.count,
        seen.side,
        seen.channels,
        seen.sentence,
        _extractor(seen.count, len(seen.classes)),
        _own_floor(images, name, source, folder, settings),
        seen.uneven is not None,
        (*getattr(images, "notes", ()), *_of_one_class(seen.classes, path)),
    )


def _check_has_content(path: Path) -> None:
    """Raise BadInput for a file that is empty or may not be read, which no source recognises."""
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except OSError as error:
        raise BadInput(f"--data {path}: cannot be read: {error.strerror}") from None
    if empty:
        raise BadInput(
            f"--data {path}: an empty file (0 bytes); was its copying interrupted? Copy it again"
        )


def _is_no_text(c: str) -> bool:
    """Is it a byte that is not UTF-8, or a control character other than a tab or a line break?"""
    return unicodedata.category(c) in ("Cs", "Cc") and c not in "\t\n"


def _of_one_class(classes: tuple[str, ...], path: Path) -> tuple[str, ...]:
    """A note where a folder that was taken for the only class may hold all images instead."""
    if len(classes) != 1 or not (inside := path / classes[0]).is_dir():
        return ()
    return (
        f"{path}: the only folder, {classes[0]}, is taken for a class. If it is none but holds the "
        f"images, or their class folders, say --data {inside}",
    )


def _packed(path: Path) -> str:
    """Words on archives that lie there and would have to be unpacked; "" where none do."""
    files = [path] if path.is_file() else sorted(p for p in path.iterdir() if p.is_file())
    packed = [p.name for p in files if p.name.lower().endswith(PACKED)]
    if not packed:
        return ""
    more = f" and {len(packed) - 1:,} more" if len(packed) > 1 else ""
    return f"; unpack {packed[0]}{more} first"


def _own_floor(images: Any, name: str, source: str, folder: str, settings: dict[str, Any]) -> bool:
    """Does the source have other images than those of training, as a folder `val`?"""
    from harness.data.images import open_images

    try:
        floor = open_images(name, source, folder, split="floor", settings=settings)
    except HarnessError:
        return False
    return floor.fingerprint != images.fingerprint  # type: ignore[no-any-return]


def _layouts() -> str:
    """The data that each source reads, in words."""
    from harness.components import registry
    from harness.components.source import Source

    said = []
    for entry in registry.entries("source"):
        cls = entry.load()
        if issubclass(cls, Source) and not cls.made:
            said.append(f"{entry.name} reads {cls.layout}")
    return "; ".join(said)


def _extractor(count: int, classes: int) -> str:
    """One that needs nothing from elsewhere: of the classes where the images suffice, else fixed.

    Without labels the fixed one orders corrupted images best (docs/explanation/features.md).
    """
    kept = count - round(count * HELD_OUT)
    return LABEL_FREE if classes < 2 or _division(kept, classes) is None else OWN


def _division(count: int, classes: int) -> Division | None:
    """The division of the training images: an extractor of their own, a reference."""
    from harness.metrics.classifier_component import Classifier
    from harness.metrics.division import divide
    from harness.spec.schema import ReferenceSettings

    least = Classifier().least_images(classes)  # of 1,000 classes more than the default
    usual = ReferenceSettings.model_fields["extractor_images"].default
    try:
        return divide(
            count,
            extractor_images=max(usual, least),
            least=least,
            images=None,
            dimensions=Classifier.dimensions,
        )
    except BadInput:
        return None
