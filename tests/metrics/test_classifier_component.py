"""`extractor: classifier` in a study: what is refused early, and what its numbers are called."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import harness
from harness.errors import BadInput, HarnessError, Missing
from harness.metrics import load_extractor
from harness.metrics.classifier_component import Classifier
from harness.metrics.names import metric_name
from harness.testing import check

STUDY = """
study: own
data: {{name: own, source: image-folder, path: own, image_size: 8, num_classes: {classes}{images}}}
model: {{family: DiT-micro, size: S, patch_size: 4}}
train: {{steps: 2, batch_size: 2}}
reference: {{extractor: classifier{reference}}}
evaluations: {{final: {{sampling_steps: 2, samples: 40, split_size: 40}}}}
"""


def load(folder: Path, classes: int = 4, images: int | None = None, reference: str = "") -> None:
    said = "" if images is None else f", train_images: {images}"
    path = folder / "study.yaml"
    path.write_text(STUDY.format(classes=classes, images=said, reference=reference))
    harness.load_study(path)


def test_it_keeps_the_laws_of_extractors() -> None:
    check("extractor", "classifier")
    check("extractor", Classifier(flip=True, shift=0.0))


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"classes": 1}, "tell classes apart, and data.num_classes is 1"),
        ({"images": 200}, "200 images are too few .* 256 images would do"),
        ({"images": 300, "reference": ", floor_images: 100"}, "100 for the floor.* 356 images"),
        ({"images": 1000, "classes": 60}, "at least 600.* 1,200 images would do"),
        ({"images": 330, "reference": ", images: 300"}, "reference 300.* 340 images would do"),
        ({"reference": ", extractor_images: 39"}, "at least 40 for 4 classes"),
    ],
)
def test_too_few_images_are_refused_with_the_number_that_would_do(
    tmp_path: Path, given: dict, sentence: str
) -> None:
    with pytest.raises(HarnessError, match=f"(?s)study.yaml:6: reference.extractor: .*{sentence}"):
        load(tmp_path, **given)


@pytest.mark.parametrize(
    "given",
    [{}, {"images": 256}, {"images": 356, "reference": ", floor_images: 100"}, {"images": 10**6}],
)
def test_as_many_as_were_named_do(tmp_path: Path, given: dict) -> None:
    load(tmp_path, **given)


def test_its_numbers_are_named_for_it_and_for_the_data() -> None:
    assert metric_name("fd", "classifier-my-flowers") == "fd_classifier_my_flowers"
    assert Classifier().goes_by("classifier-flowers")
    assert not Classifier().goes_by("classifier") and not Classifier().goes_by("inception-2015")


def test_without_trained_weights_it_says_who_makes_them(tmp_path: Path) -> None:
    with pytest.raises(Missing, match="trained by a study's reference stage"):
        load_extractor("classifier")
    with pytest.raises(Missing, match="are not at"):
        load_extractor("classifier", tmp_path / "none")


def test_another_extractors_weights_are_refused(tmp_path: Path) -> None:
    from harness.metrics import glyphs_cnn

    images = np.zeros((20, 8, 8, 1), np.uint8)
    trained = glyphs_cnn.train(images, np.arange(20) % 10, steps=1)
    glyphs_cnn.save(trained, tmp_path / "w")
    with pytest.raises(BadInput, match="glyphs-cnn, not of classifier"):
        load_extractor("classifier", tmp_path / "w")
