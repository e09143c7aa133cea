"""The two extractors for data without labels: what they need, refuse, and say of their training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from drawn_images import shapes

from harness.errors import BadInput, Missing
from harness.metrics.label_free_components import (
    HELD_OUT,
    LEAST,
    RandomConvolutions,
    SelfSupervised,
)


def test_neither_needs_labels_nor_gives_probabilities() -> None:
    for extractor in (SelfSupervised(), RandomConvolutions()):
        assert not extractor.needs_labels and extractor.gives == ("pool", "spatial")
        assert extractor.dimensions == 64
    assert SelfSupervised().trained and not RandomConvolutions().trained


def test_the_number_of_images_does_not_depend_on_classes() -> None:
    assert SelfSupervised().least_images(0) == SelfSupervised().least_images(1000) == LEAST


def test_fixed_weights_are_not_given(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="random-conv has fixed weights: leave out mine"):
        RandomConvolutions().load("mine.safetensors")
    with pytest.raises(Missing, match="self-supervised is trained by a study's reference stage"):
        SelfSupervised().load()


def test_training_takes_its_own_images_and_says_how_many_were_found_again(tmp_path: Path) -> None:
    asked: list[tuple[str, int | None]] = []

    def load(split: str, count: int | None) -> tuple[np.ndarray, np.ndarray]:
        asked.append((split, count))
        return shapes(count or 0, 8, seed=len(asked))

    path = tmp_path / "extractor.safetensors"
    said = SelfSupervised().train(load, path, images=LEAST, steps=1, seed=0, data="photos")
    assert asked == [("classifier", LEAST), ("classifier-test", HELD_OUT)]
    assert said["extractor_images"] == LEAST and said["held_out"] > 0
    assert 0 <= said["found_again"] <= 1
    assert "accuracy" not in said  # it tells no classes
    network = SelfSupervised().load(path)
    assert network.name == "self-supervised-photos" and SelfSupervised().goes_by(network.name)
