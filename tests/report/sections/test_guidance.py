"""The section on guidance: which rows are one sweep, and what unguided ones are part of."""

from __future__ import annotations

import pandas as pd
import pytest
from report_words import said

from harness.report.findings import find
from harness.report.sections.guidance import NOTHING, guided

SCALES = tuple((s, c) for c in (3, None) for s in (1.5, 2.0))


def frames(make, guidance=(*SCALES, (1.0, None)), **changes):
    shape = {"sizes": ("XL",), "patches": (2,), "milestones": (1500,), "sweep": ()}
    return make.frames(**{**shape, **changes}, guidance=guidance)


def chosen(make, found):
    return guided(find(make.report(found, ("guidance",))))


@pytest.mark.slow
def test_scale_one_guides_nothing_and_is_part_of_every_line(make) -> None:
    rows, step, way = chosen(make, frames(make))
    assert step == 1500 and way.samples == 800
    scales = rows.groupby("channels")["guidance_scale"].apply(sorted)
    assert scales["3 channels"] == scales["all channels"] == [1.0, 1.5, 2.0]


@pytest.mark.slow
def test_an_interval_of_guidance_is_a_line_of_its_own(make) -> None:
    found = frames(make, guidance=((1.5, 3), (2.0, 3)))
    rows = found["metrics"]
    within = rows[rows["samples"] == 800].assign(
        guidance_low=100.0, guidance_high=900.0, value=lambda r: r["value"] + 1,
        key=lambda r: r["key"] + "-within",
    )  # fmt: skip
    found["metrics"] = pd.concat([rows, within], ignore_index=True)
    made, _, _ = chosen(make, found)
    assert set(made["channels"]) == {"3 channels", "3 channels, timesteps 100 to 900"}
    values = made.groupby(["channels", "guidance_scale"])["value"].first().unstack(0)
    assert (values.iloc[:, 1] - values.iloc[:, 0]).tolist() == pytest.approx([1.0, 1.0])


@pytest.mark.slow
def test_the_best_scale_is_named_and_not_called_best_without_errors(make) -> None:
    found = frames(make, guidance=((1.5, 3), (2.0, 3), (1.0, None)))
    text = said(make.report(found, ("guidance",)))
    assert "is that of DiT-micro-XL/2 at scale 1.5, " in text and "no scale is called best" in text
    rows = found["metrics"]
    rows["std"] = 1e-6 * rows["value"].astype(float)
    assert "better than every other" in said(make.report(found, ("guidance",)))
    rows["std"] = rows["value"].astype(float)
    assert "others cannot be told from it" in said(make.report(found, ("guidance",)))
    assert "2.27 at scale 1.5 (three channels) and 2.20 at 1.375 (four)" in text


@pytest.mark.slow
def test_one_scale_is_no_sweep(make) -> None:
    for guidance in ((), ((1.5, 3),), ((1.0, None),)):
        text = said(make.report(frames(make, guidance=guidance), ("guidance",)))
        assert NOTHING in text
