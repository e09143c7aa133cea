"""Figure 2: discs by compute, of models and of whole systems."""

from __future__ import annotations

import pandas as pd
import pytest
from drawings import MODELS, hover, rows

from harness.report.figures.systems import bubbles, systems


def areas(drawing) -> list[float]:
    return [float(c.get_sizes()[0]) for c in drawing.figure.axes[0].collections]


@pytest.mark.slow
def test_a_discs_area_is_its_gflops_and_the_largest_lies_behind() -> None:
    drawing = bubbles(rows(), "FID")
    found = areas(drawing)
    assert found == sorted(found, reverse=True) and found[0] == 420
    gflops = sorted((g for *_, g in MODELS), reverse=True)
    for area, g in zip(found, gflops, strict=True):
        assert area == pytest.approx(max(6.0, 420 * g / gflops[0]))  # too small ones can be seen
    assert len(hover(drawing.figure)) == len(MODELS)


def test_sizes_stand_in_their_order_from_left_to_right() -> None:
    axes = bubbles(rows(), "FID").figure.axes[0]
    assert [t.get_text() for t in axes.get_xticklabels()] == ["size S", "size B", "size XL"]
    at = {float(c.get_offsets()[0][0]) for c in axes.collections}
    assert at == {0.0, 1.0, 2.0}


@pytest.mark.slow
def test_its_numbers_are_those_of_the_models() -> None:
    drawing = bubbles(rows(), "FID")
    assert drawing.data["label"].tolist() == rows()["label"].tolist()
    assert list(drawing.data) == ["label", "size", "patch_size", "gflops", "value"]


@pytest.fixture
def published() -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"name": "ADM-G", "gflops": 1120.0, "value": 4.59, "transformer": False, "ours": False},
            {
                "name": "DiT-XL/2-G",
                "gflops": 118.6,
                "value": 2.27,
                "transformer": True,
                "ours": True,
            },
        ]
    )


def test_what_was_measured_here_is_filled_and_unets_are_hatched(published: pd.DataFrame) -> None:
    drawing = systems(published, "counted here")
    unet, ours = drawing.figure.axes[0].collections
    assert not len(unet.get_facecolor()) and unet.get_hatch() and not ours.get_hatch()
    assert len(ours.get_facecolor()) == 1
    assert hover(drawing.figure)[0] == "ADM-G: 4.59 at 1120 Gflops"
    assert drawing.figure.axes[0].get_xlabel() == "Gflops per forward pass, counted here"
    assert "DiT-XL/2-G 2.27 at 119 Gflops" in drawing.alt
    pd.testing.assert_frame_equal(drawing.data, published)
