"""How evenly images are spread over their classes, beyond what chance makes of even ones."""

from __future__ import annotations

import numpy as np
import pytest

from harness.components.proportions import class_counts, note, unevenness


def test_classes_without_images_count_as_well() -> None:
    assert class_counts(np.array([2, 0, 2]), 4).tolist() == [1, 0, 2, 0]


@pytest.mark.parametrize(
    ("counts", "share"),
    [([50, 50], 0.0), ([75, 25], 0.25), ([97, 1, 1, 1], 0.72), ([1], 0.0), ([0, 0], 0.0)],
)
def test_it_is_the_share_that_would_have_to_be_of_another_class(
    counts: list[int], share: float
) -> None:
    many = np.array(counts) * 10_000
    assert unevenness(many) == pytest.approx(share, abs=0.002)


@pytest.mark.parametrize(("classes", "images"), [(10, 64), (1000, 10_000), (2, 16), (10, 100_000)])
def test_labels_that_are_drawn_evenly_are_not_called_uneven(classes: int, images: int) -> None:
    rng = np.random.default_rng(0)
    draws = [rng.multinomial(images, [1 / classes] * classes) for _ in range(200)]
    said = [note("x", draw, ["final"]) is not None for draw in draws]
    assert np.mean(said) <= 0.01


def test_the_note_names_numbers_evaluations_and_the_remedy() -> None:
    counts = np.array([4990, 12, 998])
    assert note("pets", counts, ["final"]) == (
        "the classes of 'pets' have 12 to 4,990 images (49% would have to be of another class for "
        "all to have as many), and evaluations.final draws all classes alike: distances from the "
        "reference hold that difference too; with labels: data samples are drawn in the data's "
        "proportions"
    )
    assert "evaluations.a and evaluations.b draw all" in (note("pets", counts, ["a", "b"]) or "")
    said = note("pets", counts, ["a", "b", "c"])
    assert said is not None and "evaluations.a, evaluations.b and evaluations.c draw" in said
    assert note("pets", counts, []) is None
    assert note("pets", np.array([100, 104]), ["final"]) is None
