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
        ("matrix={}", "an empty mapping is laid over the one that is there (axes)"),
        ("train={}", "changes nothing: an empty mapping is laid over the one that is there"),
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


MEASURED = STUDY.replace(
    "profiles:",
    """reference: {images: 60, recall_images: 40}
evaluations: {final: {samples: 40, split_size: 40, sampling_steps: 2}}
profiles:""",
)


def test_a_field_of_an_evaluation_that_is_not_there_makes_no_second_one(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as refused:
        load(tmp_path, "evaluations.finall.samples=20", text=MEASURED)
    assert "there is no evaluation 'finall' (did you mean 'final'?); there are: final" in str(
        refused.value
    )


def test_an_evaluation_is_added_whole_and_then_is_one(tmp_path: Path) -> None:
    added = "evaluations.long={samples: 40, split_size: 40, sampling_steps: 4}"
    path = tmp_path / "study.yaml"
    path.write_text(MEASURED)
    study = load_study(path, overrides=[added, "evaluations.long.sampling_steps=5"])
    assert study.evaluations["long"].sampling_steps == 5 and set(study.evaluations) == {
        "final",
        "long",
    }


def test_a_size_that_an_axis_gave_and_that_is_dropped_is_missing(tmp_path: Path) -> None:
    """Not "unknown model.size None"."""
    with pytest.raises(BadInput) as refused:
        load(tmp_path, "matrix.axes.model=null", "model.patch_size=8")
    assert "model.size is missing" in str(refused.value) and "None" not in str(refused.value)


@pytest.mark.parametrize("field", ["images", "recall_images", "floor_images"])
def test_one_reference_image_is_none(field: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=f"reference.{field} is 1: .* needs? at least 2 images"):
        load(tmp_path, f"reference.{field}=1", text=MEASURED)


COMPONENTS = STUDY.replace(
    "seed: [0, 1]",
    "objective: [ddpm, flow]\n    train.schedule: [constant, {name: cosine, warmup: 2}]",
)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("objective.name=edm", "changes nothing: every run has its objective.name from the matrix"),
        ("objective={name: edm}", "changes nothing: every run has its objective.name from the"),
        ("train.schedule.name=wsd", "every run has its train.schedule.name from the matrix's axis"),
        (
            "objective.prediction=data",
            "give the setting there, as --set 'matrix.axes.objective=[{name: ..., prediction: ...}",
        ),
        (
            "train.schedule.warmup=3",
            "--set matrix.axes.train.schedule=null, and give a name, as --set train.schedule.name",
        ),
    ],
)
def test_an_axis_of_components_decides_their_settings_too(
    override: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(BadInput) as caught:
        load(tmp_path, override, text=COMPONENTS)
    first = str(caught.value).splitlines()[0]
    assert first.startswith(f"--set {override}: ")
    assert said in first


def test_a_setting_of_the_objective_that_the_study_names_goes_to_the_runs_that_have_it(
    tmp_path: Path,
) -> None:
    load(tmp_path, "objective={name: flow, prediction: data}")
    text = COMPONENTS.replace("model: {family", "objective: {name: flow}\nmodel: {family")
    path = tmp_path / "study.yaml"
    path.write_text(text)
    runs = load_study(path, overrides=("objective.prediction=data",)).runs
    assert {r.objective.prediction for r in runs if r.objective.name == "flow"} == {"data"}


def test_a_field_that_every_included_point_gives_is_none_of_the_overrides(tmp_path: Path) -> None:
    points = STUDY.split("matrix:")[0] + (
        "matrix: {include: [{model.size: S, model.patch_size: 8}, {model.size: B}]}\n"
        "profiles: {laptop: {}}\n"
    )
    with pytest.raises(BadInput, match=r"model.size from a point of matrix.include. Give all poin"):
        load(tmp_path, "model.size=XL", "model.patch_size=4", text=points)
    assert len(load(tmp_path, "model.patch_size=4", text=points)) == 2
    assert (
        len(
            load(
                tmp_path, "matrix.axes.seed=[1]", "model.patch_size=4", "model.size=XL", text=points
            )
        )
        == 3
    )


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("{seed: true}", "seed takes 0, 1"),
        ('{seed: "1"}', "seed takes 0, 1"),
        ("{model.size: S}", "no point sets model.size; they set model, seed"),
        ("{model: {size: S}}", 'model takes {"size": "S", "patch_size": 8}, {"size": "B"'),
    ],
)
def test_a_rule_that_excludes_nothing_is_told_what_there_is(
    rule: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match="matches no point") as caught:
        load(tmp_path, f"matrix.exclude=[{rule}]")
    assert said in str(caught.value)


def test_errors_write_values_as_a_study_does(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        load(tmp_path, "matrix.axes.train.betas=[[0.9, 2], [0.9, 0.99]]", "matrix.axes.seed=null")
    assert "in the run model={size: S, patch_size: 8}, train.betas=[0.9, 2])" in str(caught.value)


def test_what_two_options_make_wrong_between_them_is_of_both(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        load(tmp_path, "train.steps=10", "train.milestones=[15, 20]", "train.log_every=3")
    assert str(caught.value).startswith("--set ")
    assert "study.yaml:" not in str(caught.value)
    text = STUDY.replace("{steps: 20,", "{steps: 20, milestones: [5],")
    with pytest.raises(BadInput) as caught:  # either alone is wrong in another way
        load(tmp_path, "train.steps=4", "train.milestones=[6, 21]", text=text)
    for line in str(caught.value).splitlines():
        assert line.startswith("--set train.steps=4 --set train.milestones=[6, 21]: ")
    with pytest.raises(BadInput, match=r"study.yaml:4: "):  # what was wrong before is the file's
        load(
            tmp_path,
            "train.ema=0.5",
            "seed=7",
            "matrix.axes.seed=null",
            text=text.replace("8", "-8"),
        )
