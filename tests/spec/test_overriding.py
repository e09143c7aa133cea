"""`--set` that would do nothing says so; what is wrong with it is blamed on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import BadInput
from harness.spec import load_study

STUDY = """\
study: tiny
data: {name: glyphs, image_size: 8, channels: 1, train_images: 100}
model: {family: DiT-micro}
train: {steps: 20, batch_size: 8}
matrix:
  axes:
    model: [{size: S, patch_size: 8}, {size: B, patch_size: 8}]
    seed: [0, 1]
profiles: {laptop: {}}
"""


def load(folder: Path, *overrides: str, text: str = STUDY) -> list[str]:
    """The runs, by label."""
    path = folder / "study.yaml"
    path.write_text(text)
    return [run.label for run in load_study(path, overrides=overrides).runs]


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("seed=7", "every run has its seed from the matrix's axis 'seed'"),
        ("model.size=XL", "every run has its model.size from the matrix's axis 'model'"),
        ("model={size: XL}", "every run has its model.size from the matrix's axis 'model'"),
        ("matrix.axes={}", "laid over the axes that are there (model, seed)"),
        ("matrix.axes.sed=null", "there is no axis 'sed' to drop; axes: model, seed"),
    ],
)
def test_an_override_that_changes_no_run_is_refused(
    override: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(BadInput) as caught:
        load(tmp_path, override)
    assert str(caught.value).startswith(f"--set {override}: ")
    assert said in str(caught.value)


def test_an_axis_is_dropped_or_replaced(tmp_path: Path) -> None:
    assert len(load(tmp_path)) == 4
    assert load(tmp_path, "matrix.axes.seed=null", "seed=7") == [
        "DiT-micro-S/8",
        "DiT-micro-B/8",
    ]
    assert len(load(tmp_path, "matrix.axes.seed=[7]")) == 2


def test_an_axis_whose_name_has_dots_is_given_as_it_is_written(tmp_path: Path) -> None:
    given = ("matrix.axes.model=null", "model.size=S", "matrix.axes.model.patch_size=[8, 4]")
    labels = load(tmp_path, *given, "matrix.axes.seed=null")
    assert labels == ["DiT-micro-S/8", "DiT-micro-S/4"]


def test_an_override_that_some_included_run_takes_is_none_of_these(tmp_path: Path) -> None:
    text = STUDY.replace("profiles:", "  include: [{model: {size: L, patch_size: 8}}]\nprofiles:")
    assert len(load(tmp_path, "seed=7", text=text)) == 5


def test_excluding_true_does_not_exclude_one(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r'matrix.exclude {"seed": true} matches no point'):
        load(tmp_path, "matrix.exclude=[{seed: true}]")
    assert len(load(tmp_path, "matrix.exclude=[{seed: 1}]")) == 2


@pytest.mark.parametrize("override", ["data.source=webdataset", "train.milestones=[30]"])
def test_what_an_override_makes_wrong_is_not_blamed_on_the_file(
    override: str, tmp_path: Path
) -> None:
    with pytest.raises(BadInput) as caught:
        load(tmp_path, override)
    assert str(caught.value).startswith(f"--set {override}: "), caught.value
