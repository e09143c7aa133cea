"""The ceiling: decoded noise, measured as samples are; a model that learned nothing is there."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from harness import autoencoders
from harness.diffusion import SampleNoise
from harness.errors import BadInput
from harness.metrics import Reference, extract, measure
from harness.stages.reference import extractor_of

Laboratory = Any  # conftest.py's; pytest gives it without an import
pytestmark = pytest.mark.filterwarnings("ignore:.*covariance is rank-deficient")


@pytest.fixture
def laboratory(prepared: Laboratory, tmp_path: Path) -> Laboratory:
    return prepared.copy(tmp_path)


def ceiling(laboratory: Laboratory, *overrides: str) -> dict[str, dict[str, Any]]:
    """The rows of a ceiling stage by metric."""
    task = laboratory.task("ceiling", *overrides)
    laboratory.make(task, *overrides)
    laboratory.run(task)
    return {row["metric"]: row for row in laboratory.rows(task, "metrics")}


@pytest.mark.slow
def test_it_is_of_as_many_images_as_samples_and_says_of_what(laboratory: Laboratory) -> None:
    rows = ceiling(laboratory)
    assert {r["of"] for r in rows.values()} == {"ceiling"}
    assert {r["samples"] for r in rows.values()} == {40}
    assert {(r["autoencoder"], r["decoder"]) for r in rows.values()} == {("identity", "original")}
    floor = laboratory.task("floor")
    laboratory.run(floor)
    real = {row["metric"]: row["value"] for row in laboratory.rows(floor, "metrics")}
    assert rows["fd_glyphs_cnn"]["value"] > real["fd_glyphs_cnn"] + 1  # noise is no glyph


@pytest.mark.slow
def test_its_numbers_are_those_of_the_noise_that_samples_begin_with(laboratory: Laboratory) -> None:
    task = laboratory.task("ceiling")
    laboratory.make(task)
    rows = ceiling(laboratory)
    reference_of = laboratory.store.open("reference", task.inputs["reference"])
    work: Any = SimpleNamespace(
        inputs={"reference": reference_of}, place=task.place, device=torch.device("cpu")
    )
    noise = SampleNoise(0, range(40), (1, 8, 8), 0).initial()
    images = autoencoders.to_uint8(noise).permute(0, 2, 3, 1).numpy()
    features = extract(iter([np.repeat(images, 3, axis=3)]), extractor_of(work), batch_size=40)
    reference = Reference.load(reference_of.file("reference.npz"))
    (expected,) = measure(features, reference, metrics=("fd",))
    assert rows["fd_glyphs_cnn"]["value"] == pytest.approx(expected.value, rel=1e-6)


@pytest.mark.slow
def test_the_batch_does_not_matter(laboratory: Laboratory) -> None:
    whole = ceiling(laboratory)
    shutil.rmtree(laboratory.folder(laboratory.task("ceiling")))
    parts = ceiling(laboratory, "evaluations.final.batch_size=7")
    for name, row in whole.items():
        assert parts[name]["key"] == row["key"]
        assert parts[name]["value"] == pytest.approx(row["value"], rel=1e-5)


def test_its_key_holds_what_it_is_measured_with_and_nothing_of_the_model(
    laboratory: Laboratory,
) -> None:
    first = laboratory.task("ceiling").key
    for change in ("metrics=[fd]", "k=4", "split_size=20", "samples=80", "seed=2"):
        assert laboratory.task("ceiling", f"evaluations.final.{change}").key != first, change
    for same in ("evaluations.final.sampling_steps=2", "train.learning_rate=0.5", "seed=3"):
        assert laboratory.task("ceiling", same).key == first, same


def test_another_autoencoder_than_asked_for_is_refused(laboratory: Laboratory) -> None:
    with pytest.raises(BadInput, match="encoder of checksum"):
        ceiling(laboratory, f"autoencoder.sha256={'a' * 64}")


def test_noise_is_the_same_in_every_process() -> None:
    one = SampleNoise(0, range(8), (1, 4, 4), 0).initial()
    assert torch.equal(one[2:5], SampleNoise(0, range(2, 5), (1, 4, 4), 0).initial())
