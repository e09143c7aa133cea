"""Measurements that would say nothing, or are asked for twice, are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_study import TINY

from harness.errors import BadInput
from harness.spec import load_study

FEW = "reference.extractor_images is 9: glyphs-cnn needs at least 10 for 10 classes"
FINAL = "evaluations.final"


def load(tmp_path: Path, *overrides: str) -> None:
    (tmp_path / "tiny.yaml").write_text(TINY)
    load_study(tmp_path / "tiny.yaml", overrides=overrides)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        (f"{FINAL}.floor_images=1", "floor_images is 1: a covariance needs at least 2 images"),
        ("reference.extractor_images=9", FEW),
        (f"{FINAL}.sampling_steps=[2, 3, 2]", "sampling_steps lists 2 twice"),
        (f"{FINAL}.at=[3, 3]", "at lists 3 twice"),
        (
            f"{FINAL}.guidance=[{{scale: 2, channels: 1}}, {{scale: 2, channels: 1}}]",
            "guidance lists scale 2.0, channels 1 twice",
        ),
        ("report.sections=[headline, gflops, headline]", "report.sections lists headline twice"),
        (
            "claims.sampling_pairs=[[DiT-micro-S/8, DiT-micro-S/8]]",
            "DiT-micro-S/8 cannot be paired with itself",
        ),
    ],
)
def test_what_could_never_be_had_is_refused(override: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        load(tmp_path, override)
    assert said in str(caught.value)
