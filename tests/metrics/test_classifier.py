from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pytest
from drawn_images import shapes

from harness.data import glyphs
from harness.errors import BadInput
from harness.metrics import classifier
from harness.metrics.classifier import Recipe
from harness.metrics.classifier_extractor import load
from harness.metrics.classifier_network import pooling_for
from harness.testing.extractor import check_network

SHORT = Recipe(steps=20, look_every=10)

# Tests that look at one training stay in one worker.
of_one_training = pytest.mark.xdist_group("one classifier")


@pytest.fixture(scope="module")
def trained() -> classifier.Trained:
    images, labels = shapes(240, 20)
    held_out = shapes(200, 20, seed=1)
    return classifier.train(
        images, labels, name="classifier-shapes", held_out=held_out, recipe=Recipe(steps=200)
    )


@of_one_training
@pytest.mark.slow
def test_it_tells_classes_of_images_that_it_has_not_seen(trained: classifier.Trained) -> None:
    assert trained.accuracy > 0.9  # 1/3 by guessing
    assert trained.chance == pytest.approx(67 / 200)
    assert trained.held_out == 200 and trained.trained_on == 204  # a share tells when to stop
    assert trained.kept_step is not None and 0 < trained.kept_step <= 200


def test_the_glyphs_extractors_weights_are_those_of_before_there_was_a_classifier() -> None:
    """Of torch's generator and a few products: equal to the rounding of other processors."""
    from harness.metrics import glyphs_cnn

    images, labels = glyphs.render("classifier", 300)
    found = glyphs_cnn.train(
        images, labels, steps=3, held_out=glyphs.render("classifier-test", 100)
    )
    assert found.weights["conv1.weight"].flatten()[:4].tolist() == pytest.approx(
        GOLDEN["conv1.weight"], abs=1e-5
    )
    assert found.weights["classify.bias"][:4].tolist() == pytest.approx(
        GOLDEN["classify.bias"], abs=1e-5
    )


GOLDEN = {  # of commit 863910f
    "conv1.weight": [
        -0.003028150647878647,
        0.10129837691783905,
        -0.15998394787311554,
        -0.14409175515174866,
    ],
    "classify.bias": [
        0.03712068498134613,
        -0.05751798674464226,
        0.0822104811668396,
        -0.09100639075040817,
    ],
}


@pytest.mark.slow
def test_training_depends_on_its_arguments_alone(tmp_path: Path) -> None:
    images, labels = shapes(40, 12)
    for name, seed in (("one", 0), ("same", 0), ("other", 1)):
        found = classifier.train(
            images, labels, name="c", held_out=(images, labels), recipe=SHORT, seed=seed
        )
        classifier.save(found, tmp_path / name)
    one, same, other = ((tmp_path / name).read_bytes() for name in ("one", "same", "other"))
    assert one == same != other


@pytest.mark.slow
@pytest.mark.parametrize("size", [8, 17, 33, 70])
@pytest.mark.parametrize("channels", [1, 3])
def test_images_of_any_size_and_channels(size: int, channels: int, tmp_path: Path) -> None:
    images, labels = shapes(30, size)
    images = images[..., :channels]
    recipe = Recipe(steps=2, flip=True)
    found = classifier.train(
        images, labels, name="classifier-x", held_out=(images, labels), recipe=recipe
    )
    classifier.save(found, tmp_path / "w")
    extractor = load(tmp_path / "w")
    given = classifier.from_numpy(images)
    parts = {name: tuple(value.shape) for name, value in extractor(given).items()}
    assert parts["pool"] == (30, 64) and parts["probabilities"] == (30, 3)
    assert parts["spatial"][1] <= 1792
    assert extractor.resize == ("none" if size < 65 else "area average to 64x64")
    assert classifier.read(tmp_path / "w").pooling == pooling_for(size)


@pytest.mark.slow
def test_what_is_loaded_keeps_the_laws_of_extractors(tmp_path: Path) -> None:
    images, labels = shapes(30, 8)
    found = classifier.train(images, labels, name="c", held_out=(images, labels), recipe=SHORT)
    classifier.save(found, tmp_path / "w")
    check_network(load(tmp_path / "w"), ("pool", "spatial", "probabilities"), 64)


def test_it_stops_when_the_validation_images_are_told_no_better() -> None:
    images, labels = shapes(60, 8)
    random = np.random.default_rng(0).permutation(labels)  # nothing can be learned of these
    recipe = Recipe(steps=400, look_every=5, patience=2)
    found = classifier.train(images, random, name="c", held_out=(images, random), recipe=recipe)
    assert found.kept_step is not None and found.kept_step < 100


def test_moved_images_are_whole_images_moved() -> None:
    import torch

    x = torch.arange(64.0).reshape(1, 1, 8, 8).repeat(40, 3, 1, 1)
    torch.manual_seed(0)
    moved = classifier._augmented(x, Recipe(shift=0.125, flip=True))
    assert moved.shape == x.shape
    centres = moved[:, 0, 1:-1, 1:-1]
    expected = [
        image[1 + i : 7 + i, 1 + j : 7 + j]
        for image in (x[0, 0], x[0, 0].flip(1))
        for i, j in itertools.product((-1, 0, 1), repeat=2)
    ]
    assert all(any(torch.equal(c, e) for e in expected) for c in centres)
    assert len({tuple(c.flatten().tolist()) for c in centres}) > 8  # of 18
    assert torch.equal(classifier._augmented(x, Recipe(shift=0.0)), x)


@of_one_training
@pytest.mark.slow
def test_files_of_before_are_read(tmp_path: Path, trained: classifier.Trained) -> None:
    """Which say nothing of chance or pooling."""
    old = dataclasses.replace(
        trained, chance=None, trained_on=None, kept_step=None, pooling=(1, 1, 2)
    )
    classifier.save(old, tmp_path / "w")
    assert b"pooling" not in (tmp_path / "w").read_bytes()
    assert classifier.read(tmp_path / "w").accuracy == trained.accuracy


def test_labels_that_cannot_be_used_are_named() -> None:
    images, labels = shapes(9, 8)
    with pytest.raises(BadInput, match="9 class numbers are wanted"):
        classifier.train(images, labels[:4], name="c", held_out=(images, labels))
    with pytest.raises(BadInput, match="too few to train"):
        classifier.train(images[:1], labels[:1], name="c", held_out=(images, labels))
