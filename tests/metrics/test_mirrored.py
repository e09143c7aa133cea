"""Copies of mirror images are found by `evaluate` as a study finds them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_extractor import make_tiny

from harness.errors import BadInput
from harness.metrics import Reference, evaluate, extract
from harness.metrics.features import Features
from harness.metrics.images import open_images
from harness.metrics.mirrored import mirrored_features
from harness.metrics.near_copies import NearCopies
from harness.metrics.shared import Shared

TINY = make_tiny()
NAME = "near_copies_tiny_test"


def images(seed: int, count: int) -> np.ndarray:
    """Of random brightness in each quarter, so that an image and its mirror image are far apart."""
    draws = np.random.default_rng(seed)
    quarters = draws.integers(0, 200, (count, 2, 2, 3)).repeat(4, axis=1).repeat(4, axis=2)
    return (quarters + draws.integers(0, 56, (count, 8, 8, 3))).astype(np.uint8)


def pool(pixels: np.ndarray) -> np.ndarray:
    found = extract(pixels, TINY).pool
    assert found is not None
    return found


@pytest.fixture
def sides(tmp_path: Path) -> tuple[Path, Path]:
    """60 samples, of which 15 are real images mirrored and 9 are copies as they lie; 80 real."""
    real, drawn = images(0, 80), images(1, 60)
    drawn[:15] = real[:15, :, ::-1]
    drawn[15:24] = real[15:24]
    np.savez(tmp_path / "samples.npz", arr_0=drawn)
    np.savez(tmp_path / "real.npz", arr_0=real)
    return tmp_path / "samples.npz", tmp_path / "real.npz"


@pytest.mark.parametrize("batch_size", [7, 64])
@pytest.mark.parametrize("kept", [80, 13])
def test_they_are_of_the_images_that_the_reference_keeps(
    kept: int, batch_size: int, sides: tuple[Path, Path]
) -> None:
    real, pixels = open_images(sides[1]), images(0, 80)
    reference = Reference.from_images(
        real.batches(16), TINY, count=80, pr_images=kept, seed=3, batch_size=16
    )
    seen: list[tuple[str, int, int]] = []
    found = mirrored_features(
        real, reference, TINY, batch_size=batch_size, seed=3,
        progress=lambda *done: seen.append(done),
    )  # fmt: skip
    assert found is not None and reference.features is not None and len(found) == kept
    own, turned = pool(pixels), pool(np.ascontiguousarray(pixels[:, :, ::-1]))
    for mine, theirs in zip(reference.features, found, strict=True):
        at = np.abs(own - mine).max(1).argmin()
        assert theirs == pytest.approx(turned[at], abs=1e-6)
    assert seen[-1] == ("mirrored", kept, kept)


def test_copies_of_mirror_images_are_counted_where_it_is_asked_for(
    sides: tuple[Path, Path],
) -> None:
    plain = evaluate(*sides, TINY, metrics=[NearCopies()])
    both = evaluate(*sides, TINY, metrics=[NearCopies(mirrored=True), "fd"])
    assert plain["metrics"][NAME] == pytest.approx(9 / 60, abs=0.02)
    assert both["metrics"][NAME] == pytest.approx(24 / 60, abs=0.04)
    details = both["details"][NAME]
    assert details["near_to"] == "reference"
    assert sum(details["nearest_is_mirrored"]) >= 11 and len(details["nearest_is_mirrored"]) == 20
    exact = zip(details["nearest_reference"], details["nearest_samples"], strict=True)
    assert all(real == drawn for real, drawn in exact)
    # what a study says that trains on these images
    real = images(0, 80)
    training = pool(real), pool(np.ascontiguousarray(real[:, :, ::-1]))
    metric = NearCopies(mirrored=True)
    shared = Shared([metric], training=training[0], mirrored=training[1])
    reference = Reference.from_features(
        Features(training[0]), extractor="x", extractor_sha256="0" * 64
    )
    drawn = np.load(sides[0])["arr_0"]
    study = metric.measure(Features(pool(drawn)), reference, shared)
    assert study.value == both["metrics"][NAME]
    assert study.details["threshold"] == pytest.approx(details["threshold"], rel=1e-6)


def test_of_statistics_alone_it_is_said_before_anything_is_measured(
    sides: tuple[Path, Path], tmp_path: Path
) -> None:
    real = open_images(sides[1])
    Reference.from_images(real.batches(16), TINY, count=80).save(tmp_path / "statistics.npz")
    early: list[str] = []
    metrics = [NearCopies(mirrored=True), "fd"]
    found = evaluate(
        sides[0], tmp_path / "statistics.npz", TINY, metrics=metrics, tell=early.append
    )
    assert list(found["metrics"]) == ["fd_tiny_test"]
    assert (
        f"{NAME} cannot look at mirror images: {tmp_path}/statistics.npz holds statistics alone"
        in (early)
    )
    assert (
        f"{NAME} is not measured: there are no features of the reference images mirrored"
        in (found["notes"])
    )
    evaluate(
        sides[0], tmp_path / "statistics.npz", TINY, metrics=["near_copies"], tell=early.append
    )
    assert sum("mirror images" in note for note in early) == 1


def test_images_beside_statistics_are_looked_at(sides: tuple[Path, Path], tmp_path: Path) -> None:
    real = images(0, 80)
    moments = Reference.from_features(
        extract(real, TINY), extractor="x", extractor_sha256="0" * 64
    ).pool
    path = tmp_path / "adm.npz"
    np.savez(path, arr_0=real, mu=moments.mean, sigma=moments.covariance)
    found = evaluate(sides[0], path, TINY, metrics=[NearCopies(mirrored=True)])
    assert found["metrics"][NAME] == pytest.approx(24 / 60, abs=0.04)


def test_other_images_than_the_references_are_refused(sides: tuple[Path, Path]) -> None:
    reference = Reference.from_features(
        extract(images(2, 81), TINY), extractor="x", extractor_sha256="0" * 64
    )
    with pytest.raises(BadInput, match=r"real\.npz: the reference was made of other images"):
        mirrored_features(open_images(sides[1]), reference, TINY)
    assert mirrored_features(None, reference, TINY) is None
