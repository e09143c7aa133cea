"""PSNR and SSIM against their definitions, written out."""

from __future__ import annotations

import numpy as np
import pytest

from harness.errors import BadInput
from harness.metrics.fidelity import psnr, ssim


def noisy(seed: int, noise: float, size: int = 14) -> tuple[np.ndarray, np.ndarray]:
    draws = np.random.default_rng(seed)
    images = draws.integers(0, 256, (3, size, size, 2), dtype=np.uint8)
    others = images + noise * draws.standard_normal(images.shape)
    return images, np.clip(np.rint(others), 0, 255).astype(np.uint8)


def ssim_as_written(x: np.ndarray, y: np.ndarray) -> float:
    """Of one channel (H, W): equation 13 of Wang et al. at each place, one at a time."""
    at = np.arange(11) - 5
    window = np.exp(-(at[:, None] ** 2 + at[None] ** 2) / (2 * 1.5**2))
    window /= window.sum()
    values = []
    for i in range(x.shape[0] - 10):
        for j in range(x.shape[1] - 10):
            a, b = (v[i : i + 11, j : j + 11].astype(float) for v in (x, y))
            mean_a, mean_b = (window * a).sum(), (window * b).sum()
            var_a = (window * (a - mean_a) ** 2).sum()
            var_b = (window * (b - mean_b) ** 2).sum()
            both = (window * (a - mean_a) * (b - mean_b)).sum()
            c1, c2 = 2.55**2, 7.65**2
            top = (2 * mean_a * mean_b + c1) * (2 * both + c2)
            values.append(top / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)))
    return float(np.mean(values))


def test_ssim_is_as_the_paper_writes_it() -> None:
    images, others = noisy(0, 40.0)
    expected = [
        np.mean([ssim_as_written(a[..., c], b[..., c]) for c in range(2)])
        for a, b in zip(images, others, strict=True)
    ]
    np.testing.assert_allclose(ssim(images, others), expected, rtol=1e-9)


def test_ssim_of_constant_images_is_its_luminance_term() -> None:
    a, b = (np.full((1, 12, 12, 1), level, np.uint8) for level in (100, 120))
    expected = (2 * 100 * 120 + 2.55**2) / (100**2 + 120**2 + 2.55**2)
    assert ssim(a, b)[0] == pytest.approx(expected)


def test_psnr_is_the_error_in_decibels() -> None:
    a = np.zeros((2, 4, 4, 3), np.uint8)
    b = a.copy()
    b[0] += 1  # an error of 1 everywhere
    b[1, 0, 0, 0] = 48  # one of 48 in 48 values: a mean square of 48
    assert psnr(a, b)[0] == pytest.approx(48.1308, abs=1e-4)
    assert psnr(a, b)[1] == pytest.approx(48.1308 - 10 * np.log10(48), abs=1e-4)


def test_equal_images_and_more_noise() -> None:
    images, _ = noisy(1, 0.0)
    assert (ssim(images, images) == 1).all() and np.isinf(psnr(images, images)).all()
    worse = [noisy(1, noise) for noise in (5.0, 20.0, 80.0)]
    for measure in (psnr, ssim):
        values = [measure(*pair).mean() for pair in worse]
        assert values[0] > values[1] > values[2]


def test_what_cannot_be_compared_is_refused() -> None:
    a = np.zeros((1, 10, 10, 3), np.uint8)
    with pytest.raises(BadInput, match="window of 11 x 11 pixels, the images have 10 x 10"):
        ssim(a, a)
    with pytest.raises(BadInput, match="cannot be compared"):
        psnr(a, a[:, :5])
