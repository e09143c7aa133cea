"""Inception-2015 with its published weights, against what others published and computed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from harness.components.metric import INCEPTION
from harness.components.source import Wanted
from harness.data.cifar import Cifar
from harness.metrics import Moments, extract, frechet_distance, inception_score, load_extractor
from harness.metrics.inception import published_weights
from harness.selftest import expected
from harness.selftest.checks import Check, same, within

FIDELITY = "torch-fidelity's own code, on the same images with the same weights"
PARTS = 10  # of CIFAR-10, as the published scores have it
_RELATIVE = 1e-4  # between two orders of adding float32 numbers


def checks(
    images: NDArray[np.uint8],
    *,
    weights: Path | None = None,
    device: str = "cpu",
    cifar10: Path | None = None,
    batch_size: int = 16,
    online: bool = True,
) -> list[Check]:
    """Checksum, widths, and features and distances of drawn images (N, H, W, 3).

    weights: a local file; None: torch's cache, or the download where `online`. cifar10: the
    unpacked archive, whose Inception Score is published. Raises Missing for weights that cannot
    be had, BadInput for a damaged file.
    """
    path = weights if weights is not None else published_weights(online)
    extractor = load_extractor(INCEPTION, path, device)
    sha256, widths = expected.INCEPTION_SHA256, expected.INCEPTION_WIDTHS
    ours = _features(images, extractor, batch_size)
    found = ", ".join(f"{name} {values.shape[1]}" for name, values in ours.items())
    theirs = _fidelity(images, path, device, batch_size)
    return [
        same("Inception-2015: SHA-256 of the weights", extractor.sha256, sha256.value,
             sha256.source),
        same("Inception-2015: features", found, widths.value, widths.source),
        *_against(ours, theirs),
        *([_cifar10(cifar10, extractor, batch_size)] if cifar10 is not None else []),
    ]  # fmt: skip


def _features(images: NDArray[np.uint8], extractor: Any, batch: int) -> dict[str, NDArray[Any]]:
    parts = ("pool", "spatial", "probabilities")
    batches = (images[start : start + batch] for start in range(0, len(images), batch))
    found = extract(batches, extractor, batch_size=batch, keep=parts)
    return {part: np.asarray(getattr(found, part)) for part in parts}


def _fidelity(
    images: NDArray[np.uint8], path: Path, device: str, batch: int
) -> dict[str, NDArray[Any]]:
    """Features and probabilities by torch-fidelity's extractor, without any code of ours."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    network = FeatureExtractorInceptionV3(
        "inception-v3-compat",
        ["2048", "logits_unbiased"],
        feature_extractor_weights_path=str(path),
    ).to(device)
    pools, logits = [], []
    for start in range(0, len(images), batch):
        rows = torch.from_numpy(images[start : start + batch]).permute(0, 3, 1, 2).to(device)
        with torch.inference_mode():
            pool, logit = network(rows)
        pools.append(pool.cpu().double())
        logits.append(logit.cpu().double())
    return {
        "pool": torch.cat(pools).numpy(),
        "probabilities": torch.cat(logits).softmax(dim=1).numpy(),
    }


def _against(ours: dict[str, NDArray[Any]], theirs: dict[str, NDArray[Any]]) -> list[Check]:
    """Features one by one; then FID of the two halves and the Inception Score, by their code."""
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
    from torch_fidelity.metric_isc import isc_features_to_metric

    scale = float(np.abs(theirs["pool"]).max())
    apart = float(np.abs(ours["pool"] - theirs["pool"]).max()) / scale
    half = len(ours["pool"]) // 2
    first, second = (Moments.of(part) for part in (ours["pool"][:half], ours["pool"][half:]))
    fid = frechet_distance(first.mean, first.covariance, second.mean, second.covariance)
    statistics = [
        fid_features_to_statistics(torch.from_numpy(part))
        for part in (theirs["pool"][:half], theirs["pool"][half:])
    ]
    their_fid = float(
        fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"]
    )
    score = inception_score(ours["probabilities"], len(ours["probabilities"]))
    their_score = float(
        isc_features_to_metric(
            torch.from_numpy(np.log(theirs["probabilities"])), splits=1, shuffle=False
        )["inception_score_mean"]
    )
    return [
        within("drawn images: pool features, largest difference relative to the largest", apart,
               f"below {_RELATIVE:g}", FIDELITY, most=_RELATIVE, digits=2),
        _near("drawn images: FID between their halves", fid, their_fid, 1e-3),
        _near("drawn images: Inception Score", score, their_score, 1e-3),
    ]  # fmt: skip


def _near(name: str, found: float, other: float, relative: float) -> Check:
    room = relative * abs(other)
    return within(
        name,
        found,
        f"{other:.5g} +- {relative:.1%}",
        FIDELITY,
        least=other - room,
        most=other + room,
    )


def _cifar10(path: Path, extractor: Any, batch: int) -> Check:
    """The Inception Score of the training images, in ten parts."""
    source = Cifar()
    images = source.open(Wanted("cifar10", str(path), "train", 32, 3, 10, None, 0))
    batches = (
        np.stack([images[k][0] for k in range(start, min(start + batch, len(images)))])
        for start in range(0, len(images), batch)
    )
    rows = np.asarray(
        extract(batches, extractor, batch_size=batch, keep=("probabilities",)).probabilities
    )
    centre, room = expected.CIFAR10_INCEPTION_SCORE, expected.CIFAR10_TOLERANCE
    return within(
        f"CIFAR-10: Inception Score of {len(images):,} training images",
        inception_score(rows, max(1, len(images) // PARTS)),
        f"{centre:g} +- {room:g}",
        expected.CIFAR10_SOURCE,
        least=centre - room,
        most=centre + room,
    )
