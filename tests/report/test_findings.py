"""What the sections share: which rows compare, what the paper's models are, why there is no law."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest

from harness.analysis import selection
from harness.report.figures.marks import OTHER
from harness.report.findings import (
    by_reference,
    find,
    fitted,
    floor_of,
    interval,
    is_the_papers_setting,
    papers_models,
)


def small(make, **changes):
    return make.frames(**{"sizes": ("S", "B"), "patches": (2,), "milestones": (1500,), **changes})


@pytest.mark.slow
def test_a_reference_and_weights_of_their_own_are_a_part_each(make) -> None:
    rows = small(make, sweep=())["metrics"]
    assert [name for name, _ in by_reference(rows, "fd_glyphs_cnn")] == [""]
    other = rows["model"] == "DiT-micro-B/2"
    rows.loc[other.fillna(False), "reference_sha256"] = "9" * 64
    parts = dict(by_reference(rows, "fd_glyphs_cnn"))
    assert set(parts) == {"reference ffffff", "reference 999999"}
    assert set(parts["reference 999999"]["model"]) == {"DiT-micro-B/2"}
    rows.loc[other.fillna(False), "extractor_sha256"] = "1" * 64
    assert set(dict(by_reference(rows, "fd_glyphs_cnn"))) == {
        "reference ffffff, weights eeeeee", "reference 999999, weights 111111",
    }  # fmt: skip
    assert [name for name, _ in by_reference(rows.iloc[:0], "fid")] == [""]


def test_references_of_other_images_are_called_by_what_these_are(make) -> None:
    rows = make.frames(sizes=("S", "B"), patches=(2,), sweep=(), milestones=(1500,))["metrics"]
    other = rows.assign(reference_sha256="e" * 64, data_sha256="f" * 64)
    both = pd.concat([rows, other], ignore_index=True)
    both["data.channels"] = pd.array([1] * len(rows) + [3] * len(other), dtype="Int64")
    assert [n for n, _ in by_reference(both, "fd_glyphs_cnn")] == ["channels 1", "channels 3"]
    both["data.channels"] = 1
    assert all(n.startswith("reference ") for n, _ in by_reference(both, "fd_glyphs_cnn"))


def test_references_that_are_not_recorded_are_one(make) -> None:
    rows = small(make, sweep=())["metrics"].assign(reference_sha256=pd.NA)
    ((name, part),) = by_reference(rows, "fd_glyphs_cnn")
    assert name == "" and (part["of"].fillna("samples") == "samples").all()


@pytest.mark.slow
def test_of_several_references_nothing_is_compared(make) -> None:
    frames = small(make)
    rows = frames["metrics"]
    rows.loc[(rows["model"] == "DiT-micro-B/2").fillna(False), "reference_sha256"] = "9" * 64
    found = find(make.report(frames, ("gflops",), samples={}))
    assert found.references == 2 and found.ceiling is None
    assert found.correlations == {} and found.laws == {} and found.floor(found.protocol) is None
    assert not len(found.pairs) and found.pair is None
    assert len(found.groups) == 2


@pytest.mark.slow
def test_a_floor_of_fewer_images_than_samples_is_no_line(make) -> None:
    frames = small(make, sweep=())
    rows = frames["metrics"]
    floors = rows["of"] == "floor"
    for images, enough in ((500, False), (1000, True), (None, True)):
        rows.loc[floors, ["floor_images", "samples"]] = [images, images]
        found = find(make.report(frames, ("gflops",), samples={}))
        floor = found.floor(found.protocol)
        assert floor is not None and floor.value == 0.9 and floor.enough is enough
        assert (found.line(found.protocol) is not None) is enough
    assert floor_of(rows, "fid", found.protocol) is None


@pytest.mark.slow
def test_values_that_are_lost_are_counted(make) -> None:
    frames = small(make, sweep=())
    rows = frames["metrics"]
    at = rows.index[(rows["metric"] == "fd_glyphs_cnn") & (rows["of"] == "samples")]
    rows.loc[at[0], "value"] = float("inf")
    found = find(make.report(frames, ("gflops",), samples={}))
    assert found.without_value == 1 and len(found.final) == 1


def test_the_papers_models_are_each_there_once_however_often_they_were_trained() -> None:
    rows = pd.DataFrame(
        [
            {"family": f, "size": s, "patch_size": p, "block": b}
            for f, s, p, b in (
                ("DiT", "XL", 2, "adaln-zero"), ("DiT-micro", "XL", 2, "adaln-zero"),
                ("DiT", "XL", 2, "in-context"), ("DiT", "Q", 2, "adaln-zero"),
                ("U-ViT", "S", 2, None),
            )
        ]
    )  # fmt: skip
    found = papers_models(rows)
    assert found["label"].tolist() == ["DiT-XL/2", "DiT-XL/2 in-context"]
    assert found["value"].tolist() == [19.47, 35.24] and set(found[OTHER]) == {"the paper"}
    assert not len(papers_models(rows.iloc[:0]))


def protocol(make, **changes):
    rows = small(make, sweep=(), family="DiT", extractor="inception-2015")["metrics"]
    theirs = {"samples": 50_000, "step": 400_000, "sampling_steps": 250, "objective": "ddpm",
              "batch_size": 256, "learning_rate": 1e-4}  # fmt: skip
    rows = rows.assign(**{**theirs, **changes})
    chosen = selection.final_protocol(rows, "fid")
    assert chosen is not None
    return selection.final_rows(rows, "fid"), *chosen


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        {"samples": 10_000},
        {"step": 7_000_000},
        {"image_size": 512},
        {"guidance_scale": 1.5},
        {"sampling_steps": 50},
        {"objective": "flow"},
        {"batch_size": 1024},
        {"ema": 0.999},
        {"recipe": '{"ema": 0.999}'},
        {"recipe": '{"schedule": {"name": "cosine"}}'},
    ],
)
def test_the_papers_setting_is_its_own_in_everything(make, change) -> None:
    rows, way, step = protocol(make)
    assert is_the_papers_setting(rows, "fid", way, step)
    assert not is_the_papers_setting(rows, "fd_clip", way, step)
    rows, way, step = protocol(make, **change)
    assert not is_the_papers_setting(rows, "fid", way, step)


def final(values, gflops=(0.5, 1.4, 5.6, 19.7, 80.7, 118.6), **columns):
    return pd.DataFrame({"group": "", "gflops": gflops, "value": values, "se": 0.1, **columns})


def test_a_law_or_the_reason_for_none() -> None:
    values = (
        60
        * np.array([0.5, 1.4, 5.6, 19.7, 80.7, 118.6]) ** -0.3
        * np.array([1.01, 0.99, 1, 1.02, 0.98, 1])
    )
    correlations, laws, no_law = fitted(final(values), False)
    assert set(correlations) == set(laws) == {""} and not no_law
    _, laws, no_law = fitted(final(values), True)
    assert not laws and no_law[""] == "more is better of this metric"
    _, laws, no_law = fitted(final(values).iloc[:3], False)
    assert not laws and no_law[""]
    two = pd.concat([final(values), final(values[:2], (1.0, 2.0), group="lr 1")])
    correlations, laws, no_law = fitted(two, False)
    assert set(laws) == {""} and set(no_law) == {"lr 1"} and set(correlations) == {""}
    assert fitted(final(values).iloc[:0], False) == ({}, {}, {})


def test_one_error_that_is_lacking_is_lacked_by_all() -> None:
    values = 60 * np.array([0.5, 1.4, 5.6, 19.7, 80.7, 118.6]) ** -0.3
    rows = final(values)
    rows.loc[0, "se"] = np.nan
    assert fitted(rows, False)[0][""].measured_pearson is None
    assert fitted(final(values), False)[0][""].measured_pearson is not None


def test_an_interval_of_a_row_has_nan_for_what_is_not_known() -> None:
    assert tuple(interval(2.0, 1, 3)) == (2.0, 1.0, 3.0)
    value, low, high = interval(2.0, None, pd.NA)
    assert value == 2.0 and math.isnan(low) and math.isnan(high)


@pytest.mark.slow
def test_a_title_begins_a_sentence_with_a_capital(make) -> None:
    found = find(make.report(small(make, sweep=()), ("gflops",), samples={}))
    score = dataclasses.replace(found, title="class score (glyphs-cnn features)")
    assert score.heading == "Class score (glyphs-cnn features)"
    assert dataclasses.replace(found, title="FID").heading == "FID"
