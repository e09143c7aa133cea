"""Samples, real images beside them, and uncurated grids of one class."""

from __future__ import annotations

import dataclasses

import numpy as np
from report_words import parts, said

from harness.report.input import Grid


def images(n=8):
    return np.full((n, 8, 8, 3), 90, np.uint8)


def report(make, **changes):
    made = make.report(make.frames(sizes=("S",), patches=(4,), sweep=()), ("samples",))
    return dataclasses.replace(made, **changes)


def test_real_images_stand_beside_the_samples(make):
    content, files = parts(report(make, real=images(), real_how="images of glyphs"))
    assert "real.png" in files and "images of glyphs" in str(content)


def test_it_says_why_there_are_no_real_images(make):
    text = said(report(make, real_how="imagenet is not at hand (no folder data)"))
    assert "No real images stand beside them: imagenet is not at hand" in text


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
