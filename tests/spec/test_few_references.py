"""Metrics that so few reference images cannot have are refused before anything is computed."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_study import TINY

from harness.cli import main
from harness.spec import load_study
from harness.spec.few_references import too_few

KID = "evaluations.final.metrics=[{name: kid, subset_size: 30}]"
COPIES = "evaluations.final.metrics=[near_copies]"
FEW = "data.train_images=49"
LARGE = ("evaluations.final.metrics=[kid]", "evaluations.final.samples=1000")
SPLIT = "evaluations.final.split_size=1000"
WHOLE = ("reference.images=null", "data.train_images=8", "train.batch_size=8")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "tiny.yaml").write_text(TINY)
    return tmp_path / "tiny.yaml"


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ((KID, "reference.images=20"), "kid draws subsets of 30 images, and the reference keeps "),
        ((KID, "reference.images=20"), "at most 20 "),
        ((KID, "reference.images=20"), "{name: kid, subset_size: 20}"),
        ((KID, "reference.recall_images=10"), "at most 10 "),
        ((KID, *WHOLE), "at most 8 "),
        ((*LARGE, SPLIT), "subsets of 1,000"),
        ((COPIES, FEW), "near_copies needs at least 50 training images"),
        ((COPIES, FEW), "and there are 49"),
    ],
)
def test_too_few_are_named_with_what_would_do(
    overrides: tuple[str, ...], said: str, path: Path
) -> None:
    (sentence,) = too_few(load_study(path, overrides=overrides))["final"]
    assert sentence.startswith(f"{path}: evaluations.final.metrics cannot be had: metric ")
    assert said in sentence


@pytest.mark.parametrize(
    "overrides",
    [
        (KID, "reference.images=30"),
        (COPIES,),  # whatever the reference is made of: copies are of training images
        (COPIES, "data.train_images=50"),
        (
            *(*LARGE, SPLIT, "reference.extractor=inception-2015", "reference.images=null"),
            "reference.statistics=adm.npz",  # which do not say how many images they keep
        ),
    ],
)
def test_enough_are_enough(overrides: tuple[str, ...], path: Path) -> None:
    assert too_few(load_study(path, overrides=overrides)) == {}


@pytest.mark.parametrize("verb", ["validate", "plan", "run"])
def test_nothing_is_begun_for_them(
    verb: str, path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(path.parent)
    asked = ("--set", COPIES, "--set", FEW)
    assert main([verb, "tiny.yaml", *asked]) == 2
    assert "tiny.yaml: evaluations.final.metrics cannot be had: " in capsys.readouterr().err
    assert main(["status", "tiny.yaml", *asked]) == 0  # what was run so stays readable
