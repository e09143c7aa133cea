"""Samples and real images at one number, where the floor has fewer images than the samples."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest

from harness.report import at_floor
from harness.report.blocks import plain
from harness.report.findings import find

FEW = 300


@pytest.fixture
def report(make):
    """Three models whose floor is of 300 images, and the first 300 of each one's samples."""
    made = make.report(make.frames(sizes=("S", "B", "XL"), patches=(2,), sweep=()), ("models",))
    rows = made.frames["metrics"]
    rows = rows[~rows["of"].isin(["floor", "ceiling"])].assign(floor=None, floor_images=None)
    assert (rows["samples"] > FEW).all()
    few = rows.assign(of="subset", samples=FEW, value=rows["value"] + 5.0)
    fd = few[few["metric"] == "fd_glyphs_cnn"]
    real = fd.iloc[:1].assign(of="floor", value=2.5, sample_key=None, checkpoint_key=None)
    frame = pd.concat([rows, few, real], ignore_index=True)
    return dataclasses.replace(made, frames={**made.frames, "metrics": frame})


@pytest.mark.slow
def test_values_of_so_many_samples_stand_beside_the_real_images(report) -> None:
    found = find(report)
    labels = [str(label) for label in found.final["label"]]
    (table,) = at_floor.blocks(found, labels, ["fd_glyphs_cnn", "is_glyphs_cnn"])
    assert table.head == [["Images", "FD ↓"]]  # no real images were measured by the other
    rows = {line[0]: str(line[1]) for line in table.rows}
    assert list(rows) == ["real images", *labels] and rows["real images"] == "2.50"
    for label, value in zip(found.final["label"], found.final["value"], strict=True):
        assert float(rows[label].split()[0].replace(",", "")) == pytest.approx(value + 5, rel=0.02)
    caption = plain(table.caption)
    assert "the first 300 of each model's" in caption and "not with the values of all" in caption


@pytest.mark.slow
def test_values_of_all_samples_are_what_they_were(report) -> None:
    rows = report.frames["metrics"]
    alone = {**report.frames, "metrics": rows[rows["of"] != "subset"].reset_index(drop=True)}
    before = find(dataclasses.replace(report, frames=alone))
    pd.testing.assert_frame_equal(find(report).final, before.final)
    assert find(report).protocol == before.protocol


@pytest.mark.slow
def test_without_subsets_or_with_enough_real_images_there_is_no_table(report) -> None:
    rows = report.frames["metrics"]

    def blocks(frame):
        found = find(dataclasses.replace(report, frames={**report.frames, "metrics": frame}))
        return at_floor.blocks(found, [str(v) for v in found.final["label"]], ["fd_glyphs_cnn"])

    assert blocks(rows)
    assert not blocks(rows[rows["of"] != "subset"].reset_index(drop=True))
    enough = rows["samples"].where(rows["of"] != "floor", rows["samples"].max())
    assert not blocks(rows.assign(samples=enough))
