"""The families study compares at equal Gflops, as it says: its U-Nets were up to 38 % dearer."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from harness import load_study
from harness.components.family import Input
from harness.models.counting import trace

STUDY = Path(__file__).parents[2] / "studies" / "families.yaml"
GIVEN = Input(side=8, channels=3, num_classes=10, out_channels=6)  # glyphs, DDPM


def gflops(family) -> float:
    """Counted on the network itself, so that no family's own formula judges it."""
    with torch.device("meta"):
        inputs = (torch.zeros(1, 3, 8, 8), torch.zeros(1), torch.zeros(1, dtype=torch.long))
        return trace(family.build(GIVEN), inputs)["products"] / 1e9


@pytest.mark.slow
def test_each_size_of_the_laptop_profile_costs_what_dits_does() -> None:
    found = [gflops(run.model.component) for run in load_study(STUDY, "laptop").runs]
    families = [found[at : at + 4] for at in range(0, len(found), 4)]
    assert len(families) == 4
    for other in families[1:]:
        assert other == pytest.approx(families[0], rel=0.08)
