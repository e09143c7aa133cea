"""Samples, real images beside them, and uncurated grids of one class."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from report_words import cells_of, parts, said

from harness.report.document import compose
from harness.report.html_writer import html
from harness.report.input import Grid


def images(n=8):
    return np.full((n, 8, 8, 3), 90, np.uint8)


def report(make, **changes):
    made = make.report(make.frames(sizes=("S",), patches=(4,), sweep=()), ("samples",))
    return dataclasses.replace(made, **changes)


@pytest.mark.slow
def test_real_images_stand_beside_the_samples(make):
    content, files = parts(report(make, real=images(), real_how="images of glyphs"))
    assert "real.png" in files and "images of glyphs" in str(content)


@pytest.mark.slow
def test_it_says_why_there_are_no_real_images(make):
    text = said(report(make, real_how="imagenet is not available (no folder data)"))
    assert "No real images stand beside them: imagenet is not available" in text


@pytest.mark.slow
def test_grids_of_one_class_are_drawn_or_missing_with_the_reason(make):
    grids = [
        Grid("class 3", 4.0, "DiT-XL/2 at step 1,500, 50 steps", images(12)),
        Grid("class 7", 4.0, "", None, "no samples at this guidance are kept"),
    ]
    _, files = parts(report(make, grids=grids))
    assert "grid-1.png" in files and "grid-2.png" not in files
    text = said(report(make, grids=grids))
    assert "guidance 4 (DiT-XL/2 at step 1,500, 50 steps): the first 12" in text
    assert "Class 7, guidance 4: no samples at this guidance are kept." in text
    assert "has the first samples of one class, and none is left out." in text


@pytest.mark.slow
def test_samples_of_one_model_are_compared_with_none(make):
    several = said(report(make, samples={"DiT-S/4": images(), "DiT-B/4": images()}))
    one = said(report(make, samples={"DiT-S/4": images()}))
    assert "shows what the numbers measure ." in one and "only the model differs" not in one
    assert "Samples of DiT-S/4" in one and "Samples of every model" not in one
    assert "Samples of every model" in several and "only the model differs" in several


@pytest.mark.slow
def test_milestones_stand_in_the_page_and_in_the_pdf_one_row_per_model(make):
    strips = {
        f"DiT-S/4 seed={seed}": {step: images(8) for step in (500, 1_000)} for seed in (1, 2)
    } | {"DiT-B/4": {500: images(8), 1_000: images(8)}}
    made = report(make, strips=strips, strips_how="4 steps, no guidance")
    page = html(compose(made))
    figure = page[page.index('id="fig-milestones"') :]
    figure = figure[: figure.index("</figure>")]
    assert figure.count('<img src="data:image/png;base64,') == 4  # of two seeds the first
    for said_of in ("DiT-S/4 step 500", "DiT-S/4 step 1,000", "DiT-B/4 step 1,000"):
        assert f'alt="{said_of}"' in figure
    assert "the same starting noise, sampling noise and labels" in figure
    assert "4 steps, no guidance" in figure and "of the first seed" in figure
    shown = cells_of(made, "fig-milestones")
    assert [row["name"] for row in shown["rows"]] == ["DiT-S/4", "DiT-B/4"] and shown["upright"]


@pytest.mark.slow
def test_without_milestones_nothing_is_said_of_them(make):
    assert "fig-milestones" not in html(compose(report(make)))
