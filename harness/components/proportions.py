"""How evenly images are spread over their classes, and what that means for samples.

Samples of all classes alike are compared with a reference in the data's proportions: where these
are uneven, a distance holds that difference too, whatever the model.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

WORTH_SAYING = 0.05  # of the images


def class_counts(labels: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """How many images each class has, (classes,)."""
    return np.bincount(labels, minlength=classes).astype(np.int64)


def counts_of(images: Any) -> NDArray[np.int64] | None:
    """The same of a source's images; None where labels are not known without opening them, and
    where there are no classes."""
    labels = getattr(images, "labels", None)
    if labels is None or not images.class_names:
        return None
    return class_counts(np.asarray(labels), len(images.class_names))


def unevenness(counts: NDArray[np.int64]) -> float:
    """The share of the images that would have to be of another class for all to be alike.

    It is the total variation distance from even classes, 0 to 1, less what labels drawn evenly
    would show by chance (the mean absolute deviation of a binomial share).
    """
    distance, chance = _distance(counts)
    return max(distance - chance, 0.0)


def _distance(counts: NDArray[np.int64]) -> tuple[float, float]:
    """Total variation distance from even classes, and what even ones show on average."""
    classes, images = len(counts), int(counts.sum())
    if classes < 2 or images < 1:
        return 0.0, 0.0
    distance = float(np.abs(counts / images - 1 / classes).sum()) / 2
    return distance, math.sqrt((classes - 1) / (2 * math.pi * images))


def are_uneven(counts: NDArray[np.int64]) -> bool:
    """Are they so uneven that numbers of samples of all classes alike must say so?"""
    distance, chance = _distance(counts)
    return distance > WORTH_SAYING + 3 * chance


def note(data: str, counts: NDArray[np.int64], evaluations: Sequence[str]) -> str | None:
    """A sentence where `evaluations`, which draw all classes alike, are of uneven data; or None."""
    if not are_uneven(counts) or not evaluations:
        return None
    share = unevenness(counts)
    *others, last = (f"evaluations.{name}" for name in evaluations)
    names = f"{', '.join(others)} and {last}" if others else last
    draws = "draws" if len(evaluations) == 1 else "draw"
    return (
        f"the classes of {data!r} have {counts.min():,} to {counts.max():,} images ({share:.0%} "
        f"would have to be of another class for all to have as many), and {names} {draws} all "
        f"classes alike: distances from the reference hold that difference too; with labels: data "
        "samples are drawn in the data's proportions"
    )
