from __future__ import annotations

from pathlib import Path

import pytest
import torch
from drawn_images import shapes

from harness.errors import Missing
from harness.metrics import classifier, load_extractor, self_supervised
from harness.testing import check
from harness.testing.extractor import check_network


@pytest.fixture(scope="module")
def trained() -> classifier.Trained:
    images, held_out = shapes(100, 8)[0], shapes(60, 8, seed=1)[0]
    return self_supervised.train(images, held_out, name="self-supervised-x", steps=40)


@pytest.mark.slow
def test_it_knows_images_again_that_it_has_not_seen(trained: classifier.Trained) -> None:
    assert trained.accuracy > 0.3  # 1 of 119 by guessing
    assert trained.chance == pytest.approx(1 / 119) and trained.held_out == 60


@pytest.mark.slow
def test_it_keeps_the_laws_of_extractors(trained: classifier.Trained, tmp_path: Path) -> None:
    check("extractor", "self-supervised")
    images, held_out = shapes(70, 8)[0], shapes(10, 8, seed=1)[0]
    small = self_supervised.train(images, held_out, name="self-supervised-x", steps=2)
    classifier.save(small, tmp_path / "w")
    check_network(load_extractor("self-supervised", tmp_path / "w"), ("pool", "spatial"), 64)


@pytest.mark.slow
def test_training_depends_on_its_arguments_alone(tmp_path: Path) -> None:
    images = shapes(70, 8)[0]
    for name, seed in (("one", 0), ("same", 0), ("other", 1)):
        found = self_supervised.train(
            images, images[:9], name="self-supervised-x", steps=3, seed=seed
        )
        classifier.save(found, tmp_path / name)
    one, same, other = ((tmp_path / name).read_bytes() for name in ("one", "same", "other"))
    assert one == same != other


def test_a_view_is_a_part_of_the_image_and_the_partner_is_the_other_view() -> None:
    torch.manual_seed(0)
    x = torch.rand(50, 3, 9, 9)
    view = self_supervised._view(x)
    assert view.shape == x.shape and view.amax() <= 1.2 * x.amax() and not torch.equal(view, x)
    assert self_supervised._partners(3).tolist() == [3, 4, 5, 0, 1, 2]


def test_without_trained_weights_it_says_who_makes_them(tmp_path: Path) -> None:
    with pytest.raises(Missing, match="trained by a study's reference stage"):
        load_extractor("self-supervised")
    with pytest.raises(Missing, match="are not at"):
        load_extractor("self-supervised", tmp_path / "none")
