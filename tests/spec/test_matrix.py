"""The matrix: which runs there are, what they are called, and which cannot be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from small_study import GOOD, problems, write

from harness.errors import BadInput
from harness.spec import load_study, matrix, profiles
from harness.spec.schema import StudySettings
from harness.spec.source import Line, Source

WHERE = Source({}, {(): Line("s.yaml", 1)})


def settings(written: dict[str, Any]) -> StudySettings:
    return StudySettings.model_validate({"study": "s", "title": "t", "data": {}, "matrix": written})


def test_a_study_expands_to_the_product_of_its_axes(tmp_path: Path) -> None:
    study = load_study(write(tmp_path, GOOD))
    labels = [run.label for run in study.runs]
    assert labels == [
        "DiT-micro-S/8",
        "DiT-micro-S/4",
        "DiT-micro-B/8",
        "DiT-micro-B/4",
    ]
    assert study.profile == "laptop"
    assert profiles(study.path) == ["laptop", "long"]


def test_include_adds_points_and_exclude_removes_them(tmp_path: Path) -> None:
    text = GOOD.replace(
        "profiles:",
        """\
  include:
    - {model.size: L, model.patch_size: 2, seed: 3}
  exclude:
    - {model.size: B, model.patch_size: 8}
profiles:""",
    )
    study = load_study(write(tmp_path, text))
    assert [(r.model.component.size, r.model.component.patch_size, r.seed) for r in study.runs] == [
        ("S", 8, 0),
        ("S", 4, 0),
        ("B", 4, 0),
        ("L", 2, 3),
    ]


def test_an_error_in_the_matrix_names_the_run(tmp_path: Path) -> None:
    found = problems(tmp_path, GOOD.replace("[S, B]", "[S, Q]"))
    assert len(found) == 1
    assert found[0] == (
        "study.yaml:14: unknown model.size 'Q' of DiT-micro; sizes: S, B, L, XL "
        "(in the run model.size=Q, model.patch_size=8, and 1 more)"  # one for each patch size
    )


def test_exclude_that_matches_nothing_is_an_error(tmp_path: Path) -> None:
    text = GOOD.replace("profiles:", "  exclude: [{model.size: XL}]\nprofiles:")
    assert any("matches no point" in line for line in problems(tmp_path, text))


def test_excluding_every_run_is_an_error(tmp_path: Path) -> None:
    text = GOOD.replace("profiles:", "  exclude: [{model.size: S}, {model.size: B}]\nprofiles:")
    assert any("no runs are left" in line for line in problems(tmp_path, text))


def test_an_axis_may_set_several_fields_and_the_label_is_the_models(tmp_path: Path) -> None:
    axis = "model: [{size: S, patch_size: 4}, {size: B, patch_size: 8, block: adaln}]"
    text = GOOD.replace("model.size: [S, B]", axis).replace("    model.patch_size: [8, 4]\n", "")
    runs = load_study(write(tmp_path, text)).runs
    assert [r.label for r in runs] == ["DiT-micro-S/4 adaln-zero", "DiT-micro-B/8 adaln"]


def test_an_axis_of_the_width_scaled_rate_is_no_repetition(tmp_path: Path) -> None:
    """Two runs of one network, trained at other rates."""
    text = GOOD.replace("    model.patch_size: [8, 4]\n", "    model.base_width: [null, 64]\n")
    text = text.replace("family: DiT-micro", "family: DiT-micro, patch_size: 8")
    study = load_study(write(tmp_path, text))
    assert len(study.runs) == 4 and len({run.label for run in study.runs}) == 4


def test_points_are_the_product_of_the_axes_without_what_is_excluded() -> None:
    written = {
        "axes": {"model.size": ("S", "B"), "train.schedule.warmup": (0, 1)},
        "include": ({"model.size": "L"},),
        "exclude": ({"model.size": "B", "train.schedule.warmup": 1},),
    }
    points, found = matrix.points_of(settings(written), WHERE)
    assert not found
    assert [tuple(p.values()) for p in points] == [("S", 0), ("S", 1), ("B", 0), ("L",)]


def test_without_axes_there_is_one_run_or_those_that_are_included() -> None:
    assert matrix.points_of(settings({}), WHERE) == ([{}], [])
    points, _ = matrix.points_of(settings({"include": ({"seed": 1}, {"seed": 2})}), WHERE)
    assert points == [{"seed": 1}, {"seed": 2}]


def test_true_does_not_exclude_one() -> None:
    written = {"axes": {"data.flip": (True, False)}, "exclude": ({"data.flip": 1},)}
    points, found = matrix.points_of(settings(written), WHERE)
    assert "matches no point" in found[0] and len(points) == 2


def test_an_axis_of_several_fields_is_those_fields() -> None:
    point = {"model": {"size": "S", "patch_size": 2}, "seed": 1, "train.ema": 0.5}
    assert list(matrix.fields_of(point)) == [
        ("model.size", "S"),
        ("model.patch_size", 2),
        ("seed", 1),
        ("train.ema", 0.5),
    ]


def test_seeds_are_runs_of_their_own_and_whole_numbers(tmp_path: Path) -> None:
    text = GOOD.replace("model.size: [S, B]", "model.size: [S]\n    seed: [0, 7]")
    runs = load_study(write(tmp_path, text)).runs
    assert sorted({run.seed for run in runs}) == [0, 7]
    assert [run.label for run in runs[:2]] == ["DiT-micro-S/8 seed 0", "DiT-micro-S/4 seed 0"]
    for bad in ("true", "-1", "1.5", str(2**63)):
        found = problems(tmp_path, text.replace("[0, 7]", f"[0, {bad}]"))
        assert "seed must be a whole number >= 0 of 64 bits, found " in found[0], bad


def test_the_input_is_what_the_autoencoder_makes_of_the_images(tmp_path: Path) -> None:
    (run, *_) = load_study(write(tmp_path, GOOD)).runs
    given = run.given()
    assert (given.side, given.channels, given.num_classes) == (8, 1, 10)
    assert given.out_channels == 2  # DDPM: noise and variance


@pytest.mark.parametrize("range_", ["0..3", "0...3", "0-3", "0 to 3", "0\u20133"])
def test_a_range_as_others_write_it_is_told_as_the_list_that_it_is(
    range_: str, tmp_path: Path
) -> None:
    file = write(tmp_path, GOOD)
    with pytest.raises(BadInput, match=r"it should be a list: write \[0, 1, 2, 3\]"):
        load_study(file, overrides=(f"matrix.axes.seed={range_}",))
