"""The laws of data sources. Sources that read files are checked with `path` in their Wanted."""

from __future__ import annotations

import numpy as np

from harness.components.source import Images, Source, Wanted

COUNT = 12


def wanted(seed: int = 0, split: str = "train", count: int = COUNT) -> Wanted:
    """What the laws ask a source for: a few small images."""
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
    classes = len(images.class_names)
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
    if source.made:
        check_images(source.open(_named(source, wanted())))


def order_and_fingerprint_are_the_same_each_time(source: Source) -> None:
    if not source.made:
        return
    one, two = (source.open(_named(source, wanted())) for _ in range(2))
    assert one.fingerprint == two.fingerprint, "the same images have two fingerprints"
    for index in range(len(one)):
        assert np.array_equal(one[index][0], two[index][0]), f"image {index} differs between opens"


def the_fingerprint_notices_other_images(source: Source) -> None:
    if not source.made:
        return
    prints = {source.open(_named(source, wanted(seed=seed))).fingerprint for seed in (0, 1)}
    assert len(prints) == 2, "two seeds give other images and one fingerprint"


def splits_are_disjoint(source: Source) -> None:
    if not source.made:
        return
    seen: dict[bytes, str] = {}
    for split in ("train", "reference", "floor"):
        images = source.open(_named(source, wanted(split=split)))
        for index in range(len(images)):
            content = images[index][0].tobytes()
            other = seen.setdefault(content, split)
            assert other == split, f"image {index} of {split} is one of {other}'s too"


def _named(source: Source, asked: Wanted) -> Wanted:
    from dataclasses import replace

    return replace(asked, name=source.example_name or asked.name)


LAWS = (
    opens_images_with_labels_in_range,
    order_and_fingerprint_are_the_same_each_time,
    the_fingerprint_notices_other_images,
    splits_are_disjoint,
)
