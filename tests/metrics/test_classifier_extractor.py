"""A saved classifier as an extractor, of untrained weights: loading is what is tested here."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from harness.errors import BadInput
from harness.metrics import classifier
from harness.metrics.classifier_extractor import EXTRACT_BATCH, LABEL_FREE, EmbeddedExtractor, load
from harness.metrics.classifier_network import Network, pooling_for


def trained(size: int = 8, name: str = "classifier-mine") -> classifier.Trained:
    torch.manual_seed(0)
    network = Network(3, pooling_for(size))
    weights = network.state_dict()
    return classifier.Trained(name, size, 3, 1, 0, 0.5, 10, weights, pooling=pooling_for(size))


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    classifier.save(trained(), tmp_path / "mine.safetensors")
    return tmp_path / "mine.safetensors"


def images(count: int, size: int = 8, channels: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    shape = (count, channels, size, size)
    return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)


def test_it_says_which_weights_and_which_resize(weights: Path, tmp_path: Path) -> None:
    found = load(weights)
    assert found.name == "classifier-mine" and found.accuracy == 0.5 and found.resize == "none"
    assert found.sha256 == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert found.module.get_name() == f"classifier-mine-{found.sha256[:16]}"
    classifier.save(trained(80), tmp_path / "large.safetensors")
    assert load(tmp_path / "large.safetensors").resize == "area average to 64x64"


def test_the_features_are_the_networks(weights: Path) -> None:
    found, x = load(weights), images(3)
    parts = found(x)
    pool, middle, logits = found.module.network(x.float() / 127.5 - 1)
    torch.testing.assert_close(parts["pool"], pool)
    torch.testing.assert_close(parts["probabilities"], logits.softmax(1))
    spatial = middle[:, :7].permute(0, 2, 3, 1).reshape(3, -1)
    torch.testing.assert_close(parts["spatial"], spatial)
    assert not any(value.requires_grad for value in parts.values())


def test_without_classes_there_are_no_probabilities(weights: Path) -> None:
    assert set(load(weights, features=LABEL_FREE)(images(2))) == {"pool", "spatial"}


def test_more_images_than_a_batch_come_in_their_order(weights: Path) -> None:
    found, x = load(weights), images(EXTRACT_BATCH + 3)
    pool = found(x)["pool"]
    torch.testing.assert_close(pool[-3:], found(x[-3:])["pool"], rtol=1e-4, atol=1e-5)
    assert len(pool) == len(x)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (images(2, 9), r"trained on 8x8 images .* these are uint8, \(2, 3, 9, 9\)"),
        (images(2).float(), r"these are float32, \(2, 3, 8, 8\)"),
        (images(2)[0], r"these are uint8, \(3, 8, 8\)"),
        (images(2, channels=2), r"\(2, 2, 8, 8\)"),
        (images(0), "was given no images"),
    ],
)
def test_other_images_are_refused_in_words(weights: Path, wrong: torch.Tensor, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        load(weights)(wrong)


def test_weights_of_another_name_or_shape_are_refused(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="holds the weights of classifier-mine, not of glyphs-cnn"):
        EmbeddedExtractor("glyphs-cnn", ["pool"], feature_extractor_weights_path=weights)
    with pytest.raises(BadInput, match="has no weights of its own"):
        EmbeddedExtractor("glyphs-cnn", ["pool"])
    other = replace(trained(), num_classes=5)
    classifier.save(other, tmp_path / "other.safetensors")
    with pytest.raises(BadInput, match="holds other tensors than classifier-mine has"):
        load(tmp_path / "other.safetensors")
    (tmp_path / "text.safetensors").write_text("no tensors")
    with pytest.raises(BadInput, match="is not the weights of an embedded extractor"):
        load(tmp_path / "text.safetensors")
