"""The settings of stages, and what is sent to whoever does one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from planned import plan_of
from pydantic import ValidationError

from harness.plan.stages import (
    KIND_OF_ROLE,
    STAGE_SETTINGS,
    WITH_FEATURES,
    EvaluateStage,
    Place,
    Task,
    opened,
)


def tasks(folder: Path) -> list[Task]:
    plan = plan_of(folder)
    return [plan.task(stage) for stage in plan.stages.values()]


def test_every_kind_reads_its_own_text_back(tmp_path: Path) -> None:
    seen = set()
    few = plan_of(tmp_path, "reference.floor_images=20")  # so that there are subsets
    for task in map(few.task, few.stages.values()):
        settings = STAGE_SETTINGS[task.kind].model_validate_json(task.settings)
        told = json.loads(settings.model_dump_json(exclude_unset=True))
        assert told == json.loads(task.settings)
        seen.add(task.kind)
    assert seen == set(STAGE_SETTINGS)


def test_a_setting_that_a_stage_does_not_know_is_refused(tmp_path: Path) -> None:
    for task in tasks(tmp_path):
        text = {**json.loads(task.settings), "colour": "red"}
        with pytest.raises(ValidationError, match="colour"):
            STAGE_SETTINGS[task.kind].model_validate(text)


def test_a_task_survives_being_sent(tmp_path: Path) -> None:
    for task in tasks(tmp_path):
        assert Task.from_json(task.to_json()) == task


def test_a_task_of_before_lacks_what_came_later(tmp_path: Path) -> None:
    task = tasks(tmp_path)[0]
    told = json.loads(task.to_json())
    for name in ("components", "trackers"):
        del told["place"][name]
    assert Task.from_json(json.dumps(told)).place.components == ()


def test_roles_are_stages_that_exist(tmp_path: Path) -> None:
    assert set(KIND_OF_ROLE.values()) <= set(STAGE_SETTINGS)
    by_key = {task.key: task for task in tasks(tmp_path)}
    for task in by_key.values():
        for role, key in {**task.inputs, **task.after}.items():
            assert by_key[key].kind == KIND_OF_ROLE[role]


def test_samples_are_not_opened_where_their_features_were_kept() -> None:
    inputs = {"samples": "a", "reference": "b"}
    assert opened(inputs, {}) == inputs
    assert opened(inputs, {WITH_FEATURES: "c"}) == {"reference": "b"}


def test_a_metric_is_the_same_by_settings_and_version() -> None:
    left = {"k": 3, "split_size": 10, "subsets": 1}
    kid = {"name": "kid", "subset_size": 10}
    one = EvaluateStage(metrics=("fid", kid), **left)
    assert one.same_metric(EvaluateStage(metrics=(kid,), **left), kid)
    other = {"name": "kid", "subset_size": 20}
    assert not one.same_metric(EvaluateStage(metrics=(other,), **left), kid)
    newer = EvaluateStage(metrics=(kid,), components={"metric:kid": 2}, **left)
    assert not one.same_metric(newer, kid) and newer.same_metric(newer, kid)


def test_a_place_has_only_what_is_in_no_key(tmp_path: Path) -> None:
    given = set(Place.__dataclass_fields__) - {"study", "evaluation", "model", "family", "facts"}
    for task in tasks(tmp_path):
        shared = given & set(json.loads(task.settings))
        assert shared <= {"components"}, shared
