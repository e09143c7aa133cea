"""The laws of data sources. Those that read files are checked on the example that they write."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from harness.components.source import Images, Source, Wanted

COUNT = 12


def wanted(seed: int = 0, split: str = "train", count: int = COUNT) -> Wanted:
    """The request that the laws make of a source: a few small images."""
    return Wanted(
        name="checked",
        path=None,
        split=split,  # type: ignore[arg-type]
        image_size=8,
        channels=3,
        num_classes=None,
        count=count,
        seed=seed,
    )


def check_images(images: Images) -> None:
    """The laws of what a source opens. Raises AssertionError; call it on images of your own."""
    assert len(images) > 0, "a source opens at least one image"
    classes = max(1, len(images.class_names))  # without labels, each is 0
    for index in range(min(len(images), 50)):
        image, label = images[index]
        assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] in (1, 3), (
            f"image {index} is {image.dtype} {image.shape}; promised is uint8 (H, W, 1 or 3)"
        )
        assert 0 <= int(label) < classes, f"image {index} has label {label} of {classes} classes"
        again, label_again = images[index]
        assert np.array_equal(image, again) and label == label_again, (
            f"image {index} is another when it is read again"
        )
    digest = images.fingerprint
    assert len(digest) == 64 and int(digest, 16) >= 0, f"the fingerprint {digest!r} is no SHA-256"


def opens_images_with_labels_in_range(source: Source) -> None:
    """Images are uint8 (H, W, 1 or 3), and their labels are of the promised classes."""
    if source.made:
        check_images(source.open(_named(source, wanted())))


def order_and_fingerprint_are_the_same_each_time(source: Source) -> None:
    """Opened twice, images have the same order and the same fingerprint."""
    if not source.made:
        return
    one, two = (source.open(_named(source, wanted())) for _ in range(2))
    assert one.fingerprint == two.fingerprint, "the same images have two fingerprints"
    for index in range(len(one)):
        assert np.array_equal(one[index][0], two[index][0]), f"image {index} differs between opens"


def the_fingerprint_notices_other_images(source: Source) -> None:
    """Images of another seed have another fingerprint."""
    if not source.made:
        return
    prints = {source.open(_named(source, wanted(seed=seed))).fingerprint for seed in (0, 1)}
    assert len(prints) == 2, "two seeds give other images and one fingerprint"


def splits_are_disjoint(source: Source) -> None:
    """No image is in two of the splits train, reference and floor."""
    if not source.made:
        return
    seen: dict[bytes, str] = {}
    for split in ("train", "reference", "floor"):
        images = source.open(_named(source, wanted(split=split)))
        for index in range(len(images)):
            content = images[index][0].tobytes()
            other = seen.setdefault(content, split)
            assert other == split, f"image {index} of {split} is one of {other}'s too"


def an_example_keeps_these_laws_too(source: Source) -> None:
    """The example of a source of files opens, twice alike, and other images are noticed."""
    with tempfile.TemporaryDirectory() as place:
        opened = _example(source, Path(place))
        if (one := opened("one", 0)) is None:
            return
        check_images(one)
        assert source.labelled == bool(one.class_names), (
            f"labelled is {source.labelled}, and there are {len(one.class_names)} classes"
        )
        again = opened("one", 0)
        assert again is not None and one.fingerprint == again.fingerprint, (
            "the same files have two fingerprints"
        )
        for index in range(len(one)):
            assert np.array_equal(one[index][0], again[index][0]), (
                f"image {index} differs between opens"
            )
            assert one[index][1] == again[index][1], f"label {index} differs between opens"
        other = opened("other", 1)
        assert other is not None and one.fingerprint != other.fingerprint, (
            "other images have the same fingerprint"
        )


def a_damaged_image_is_corrupt_for_its_item_alone(source: Source) -> None:
    """One damaged image raises Corrupt when it is read; the others can be read."""
    from harness.data.images import Corrupt

    with tempfile.TemporaryDirectory() as place:
        images = _example(source, Path(place))("damaged", 0, True)
        if images is None:
            return
        corrupt = 0
        for index in range(len(images)):
            try:
                images[index]
            except Corrupt:
                corrupt += 1
        assert corrupt == 1, f"one image is damaged, and {corrupt} raise Corrupt"


def the_files_of_an_example_are_listed(source: Source) -> None:
    """`listing` names the files of an example, each once."""
    with tempfile.TemporaryDirectory() as place:
        path = source.example(Path(place), 0)
        listed = [] if path is None else source.listing(str(path))
        absent = [str(file) for file in listed if not Path(file).is_file()]
        assert not absent, f"listing names files that are not there: {absent[0]}"
        assert len(set(listed)) == len(listed), "listing names a file twice"


def a_quick_fingerprint_is_the_fingerprint(source: Source) -> None:
    """`quick_fingerprint` tells what opening the images tells, or None."""
    with tempfile.TemporaryDirectory() as place:
        path = source.example(Path(place), 0)
        quick = None if path is None else source.quick_fingerprint(str(path))
        if quick is not None:
            opened = source.open(replace(wanted(), path=str(path)))
            assert quick == opened.fingerprint, (
                f"quick_fingerprint says {quick}, and the images have {opened.fingerprint}"
            )


def _example(source: Source, place: Path) -> Callable[..., Images | None]:
    """A function that writes an example into a folder of `place`, and opens it."""

    def opened(folder: str, seed: int, damaged: bool = False) -> Images | None:
        path = source.example(place / folder, seed, damaged)
        return None if path is None else source.open(replace(wanted(), path=str(path)))

    return opened


def _named(source: Source, asked: Wanted) -> Wanted:
    return replace(asked, name=source.example_name or asked.name)


LAWS = (
    opens_images_with_labels_in_range,
    order_and_fingerprint_are_the_same_each_time,
    the_fingerprint_notices_other_images,
    splits_are_disjoint,
    an_example_keeps_these_laws_too,
    a_damaged_image_is_corrupt_for_its_item_alone,
    the_files_of_an_example_are_listed,
    a_quick_fingerprint_is_the_fingerprint,
)
