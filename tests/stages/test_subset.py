"""The first samples, as many as the floor has images: measured as those images are."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from harness.errors import BadInput
from harness.metrics import Reference, extract, measure
from harness.plan.stages import SubsetStage
from harness.stages import subset
from harness.stages.reference import extractor_of
from harness.stages.samples import read_images
from harness.store.frames import read_frames

Laboratory = Any  # conftest.py's; pytest gives it without an import
pytestmark = pytest.mark.filterwarnings("ignore:.*covariance is rank-deficient")
METRICS = "evaluations.final.metrics=[fd, sfd, precision]"


@pytest.fixture
def laboratory(prepared: Laboratory, tmp_path: Path) -> Laboratory:
    return prepared.copy(tmp_path)


def made(laboratory: Laboratory, *overrides: str) -> tuple[Any, dict[str, dict[str, Any]]]:
    """The task of a subset stage, done, and its rows by metric. The floor has 30 of 40."""
    task = laboratory.task("subset", METRICS, *overrides)
    laboratory.make(task, METRICS, *overrides)
    laboratory.run(task)
    return task, {row["metric"]: row for row in laboratory.rows(task, "metrics")}


@pytest.mark.slow
def test_its_values_are_those_of_the_first_samples(laboratory: Laboratory) -> None:
    task, rows = made(laboratory)
    assert {(r["of"], r["samples"]) for r in rows.values()} == {("subset", 30)}
    drawn = laboratory.store.open("sample", task.inputs["samples"])
    reference = laboratory.store.open("reference", task.inputs["reference"])
    images = next(read_images(drawn.folder, 40))[:30]
    work: Any = SimpleNamespace(
        inputs={"reference": reference}, place=task.place, device=torch.device("cpu")
    )
    features = extract(np.repeat(images, 3, axis=3), extractor_of(work), batch_size=30)
    against = Reference.load(reference.file("reference.npz"))
    for each in measure(features, against, metrics=("fd", "sfd", "precision"), split_size=30):
        assert rows[each.name]["value"] == pytest.approx(each.value, rel=1e-5), each.name
    whole = laboratory.task("evaluate", METRICS)
    laboratory.run(whole)
    of_all = {r["metric"]: r["value"] for r in laboratory.rows(whole, "metrics")}
    assert rows["fd_glyphs_cnn"]["value"] != pytest.approx(of_all["fd_glyphs_cnn"], rel=1e-3)


@pytest.mark.slow
def test_features_that_were_kept_give_the_same(laboratory: Laboratory) -> None:
    _, kept = made(laboratory)
    _, gone = made(laboratory, "evaluations.final.keep_images=none")
    assert set(kept) == set(gone)
    for name, row in kept.items():
        assert gone[name]["value"] == pytest.approx(row["value"], rel=1e-5), name


@pytest.mark.slow
def test_the_floor_of_its_number_stands_beside_it_and_not_beside_all(
    laboratory: Laboratory,
) -> None:
    made(laboratory)
    for kind in ("floor", "evaluate"):
        laboratory.run(laboratory.task(kind, METRICS))
    frame = read_frames(laboratory.root / "results")["metrics"]
    frame = frame[frame["metric"] == "fd_glyphs_cnn"].set_index("of")
    assert frame.loc["subset", "floor"] == frame.loc["floor", "value"]
    assert frame["floor"].notna().to_dict() == {"subset": True, "floor": True, "samples": False}
    assert frame.loc["subset", "sample_key"] == frame.loc["samples", "sample_key"]


@pytest.mark.slow
def test_more_than_were_drawn_are_refused(laboratory: Laboratory) -> None:
    task, _ = made(laboratory)
    settings = SubsetStage.model_validate_json(task.settings).model_copy(update={"images": 41})
    work: Any = SimpleNamespace(
        inputs={"samples": laboratory.store.open("sample", task.inputs["samples"])}
    )
    with pytest.raises(BadInput, match="41 of 40 samples"):
        subset.run(settings, work)
