"""The closed form of the planner against fvcore's count of the real models."""

from __future__ import annotations

import pytest
import torch

from harness.models import build, complexity
from harness.models.zoo import BLOCKS, FAMILIES
from harness.plan.cost import dit_gflops, sampling_gflops, training_gflops


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("size", ["S", pytest.param("XL", marks=pytest.mark.slow)])
@pytest.mark.parametrize("patch", [8, 2])
@pytest.mark.parametrize("family", ["DiT", "DiT-micro"])
def test_the_planners_gflops_are_fvcores(family: str, size: str, patch: int, block: str) -> None:
    row = FAMILIES[family].sizes[size]
    side, channels = (32, 4) if family == "DiT" else (8, 1)
    with torch.device("meta"):
        model = build(
            depth=row.depth,
            width=row.width,
            heads=row.heads,
            patch_size=patch,
            block=block,
            input_size=side,
            channels=channels,
            num_classes=10,
        )
    counted = complexity(model).gflops
    planned = dit_gflops(row.depth, row.width, patch, side, channels, block)
    assert planned == pytest.approx(counted, rel=1e-9)


def test_compute_is_as_the_paper_estimates_it() -> None:
    # section 5: 80.7 Tflops for L/2 at 1000 steps, 15.2 for XL/2 at 128
    assert sampling_gflops(80.71, 1000) == pytest.approx(80_710)
    assert sampling_gflops(118.64, 128) == pytest.approx(15_186, rel=1e-3)
    assert sampling_gflops(118.64, 250, 1.5) == 2 * sampling_gflops(118.64, 250)
    assert training_gflops(1.0, 256, 400_000) == 3 * 256 * 400_000
