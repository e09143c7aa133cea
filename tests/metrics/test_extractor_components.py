"""The extractors as studies see them: what is missing on this machine, what fits which data."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from harness.components.extractor import Extractor
from harness.errors import BadInput, Missing
from harness.metrics import classifier, classifier_network
from harness.metrics.extractor_components import (
    CLIP,
    DigitsCNN,
    DINOv2,
    GlyphsCNN,
    Inception2015,
    InceptionCustom,
)

DOWNLOADED = [
    (Inception2015(), "weights-inception-2015-12-05-6726825d.pth"),
    (DINOv2(), "dinov2_vitl14_pretrain.pth"),
    (CLIP(), "clip-vit-l-14.pt"),
]


@pytest.mark.parametrize("variable", ["TORCH_HOME", "XDG_CACHE_HOME"])
@pytest.mark.parametrize(("extractor", "file"), DOWNLOADED)
def test_what_the_hub_has_not_is_missing_and_where_it_belongs_is_said(
    extractor: Extractor, file: str, variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TORCH_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, str(tmp_path))
    home = tmp_path if variable == "TORCH_HOME" else tmp_path / "torch"
    folder = home / "hub" / "checkpoints"
    said = extractor.missing(None)
    assert said is not None and str(folder) in said and "extractor_weights=FILE" in said
    folder.mkdir(parents=True)
    (folder / "another.pth").touch()
    assert extractor.missing(None) is not None
    (folder / file).touch()
    assert extractor.missing(None) is None


@pytest.mark.parametrize("extractor", [Inception2015(), InceptionCustom(), DINOv2(), CLIP()])
def test_a_file_that_a_study_names_has_to_be_there(extractor: Extractor, tmp_path: Path) -> None:
    absent = str(tmp_path / "no.pth")
    assert f"not at {absent}" in str(extractor.missing(absent))
    with pytest.raises(Missing, match=f"the weights of extractor {extractor.name} are not at"):
        extractor.load(absent)
    (tmp_path / "file.pth").touch()
    assert extractor.missing(str(tmp_path / "file.pth")) is None
    assert extractor.missing(str(tmp_path)) is not None  # a folder is no file


def test_inception_with_own_weights_asks_for_them() -> None:
    assert "name their file (reference.extractor_weights)" in str(InceptionCustom().missing(None))
    with pytest.raises(Missing, match="name their file with --weights"):
        InceptionCustom().load()
    assert InceptionCustom().own_weights and not Inception2015().own_weights


def test_only_inception_2015_takes_adms_statistics() -> None:
    everyone = [extractor for extractor, _ in DOWNLOADED] + [InceptionCustom(), GlyphsCNN()]
    assert [e.name for e in everyone if e.whole_set_statistics] == ["inception-2015"]


@pytest.mark.parametrize("extractor", [GlyphsCNN(), DigitsCNN()])
def test_an_embedded_sets_extractor_fits_that_set_alone(extractor: GlyphsCNN) -> None:
    extractor.check(SimpleNamespace(name=extractor.data))
    with pytest.raises(BadInput, match=f"is trained on {extractor.data}, the data are photos"):
        extractor.check(SimpleNamespace(name="photos"))
    with pytest.raises(Missing, match="reference stage"):
        extractor.load()


@pytest.mark.parametrize("size", [8, 16, 32])
def test_widths_are_those_of_the_features_that_come_out(size: int, tmp_path: Path) -> None:
    """A wrong width would say that samples are enough for a distance when they are not."""
    network = classifier_network.Network(10)
    about = classifier.Trained("glyphs-cnn", size, 10, 1, 0, 0.5, 10, network.state_dict())
    classifier.save(about, tmp_path / "x.safetensors")
    found = GlyphsCNN().load(tmp_path / "x.safetensors")
    parts = found(torch.zeros(1, 3, size, size, dtype=torch.uint8))
    for part in ("pool", "spatial"):
        assert GlyphsCNN().width(part, size) == parts[part].shape[1]


def test_accuracy_is_measured_on_a_tenth_and_on_200_at_least() -> None:
    assert [GlyphsCNN().held_out(n) for n in (100, 2000, 5000)] == [200, 200, 500]
    assert DigitsCNN().held_out(100) == DigitsCNN().held_out(5000)  # there are no more digits
