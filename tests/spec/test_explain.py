"""What is wrong, in sentences: place, field, what was found, what is allowed."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError
from small_study import GOOD, problems, write

from harness.errors import BadInput
from harness.nearest import did_you_mean
from harness.spec import explain, load_study
from harness.spec.source import Line, Source


def test_every_error_is_told_at_once_with_file_line_field_and_allowed_values(
    tmp_path: Path,
) -> None:
    text = (
        GOOD.replace("batch_size: 8", "batch_sise: 8")
        .replace("title: A tiny study", "title: 7")
        .replace("sampling_steps: 4", "sampler: anzestral")
        .replace("channels: 1", "channels: 2")
    )
    found = problems(tmp_path, text)
    assert len(found) == 4
    assert (
        found[0]
        == "study.yaml:2: title is 7 (a whole number); it should be text: put it in quotes "
        "[Title of the report; where it is empty, the study's name.]"
    )
    assert "study.yaml:3: data.channels is 2; allowed: 1 or 3 [1 (gray) or 3 (RGB).]" in found
    assert any(
        line.startswith(
            "study.yaml:8: unknown field 'train.batch_sise' (did you mean 'batch_size'?); allowed: "
        )
        and "milestones" in line
        for line in found
    )
    assert any(
        line.startswith("study.yaml:11: evaluations.final.sampler is 'anzestral'")
        and "did you mean 'ancestral'?" in line
        for line in found
    )


def test_long_values_are_cut_and_lists_are_shown_as_written(tmp_path: Path) -> None:
    found = problems(tmp_path, GOOD.replace("steps: 20", f"steps: [[null, true], {'x' * 200}]"))
    assert '[[null, true], "xxx' in found[0] and "..." in found[0] and len(found[0]) < 200


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    steps: int = 1
    share: float = 0.5
    on: bool = True
    name: str = "x"
    either: Literal["end", "start"] | tuple[int, ...] = "end"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"steps": 3.0}, "s.steps is 3.0 (a number); it should be a whole number: write 3"),
        ({"steps": "1e3"}, "s.steps is '1e3' (text); it should be a whole number"),
        ({"on": "yes"}, "s.on is 'yes' (text); it should be true or false: write true"),
        ({"name": 3}, "s.name is 3 (a whole number); it should be text: put it in quotes"),
        ({"either": "ned"}, "s.either is 'ned' (did you mean 'end'?); allowed: 'end' or 'start', "
         "or a list"),
        ({"stpes": 3}, "unknown field 's.stpes' (did you mean 'steps'?); allowed: steps, share"),
        ({"name": None}, "s.name is null; it should be text"),
    ],
)  # fmt: skip
def test_a_sentence_says_what_was_found_and_what_is_meant(given: dict[str, Any], said: str) -> None:
    where = Source({}, {(): Line("f.yaml", 1), ("s", next(iter(given))): Line("f.yaml", 9)})
    with pytest.raises(ValidationError) as caught:
        Inner.model_validate(given)
    (line,) = explain.explain(caught.value, where, ("s",), own=list(Inner.model_fields))
    assert line.startswith(f"f.yaml:9: {said}"), line
    (line, *_) = explain.explain(caught.value, where, ("s",), {"a.b": 1}, list(Inner.model_fields))
    assert line.endswith("(in the run a.b=1)")


def test_a_field_that_an_axis_set_is_found_where_the_axis_stands() -> None:
    axis = ("matrix", "axes", "train.steps")
    where = Source({}, {(): Line("f", 1), ("train", "steps"): Line("f", 2), axis: Line("f", 8)})
    assert str(explain.place_of(where, ("train", "steps"))) == "f:2"
    assert str(explain.place_of(where, ("train", "steps"), {"train.steps": 3})) == "f:8"
    assert str(explain.place_of(where, ("train", "steps"), {"seed": 3})) == "f:2"


@pytest.mark.parametrize(
    ("dotted", "some"),
    [
        ("", {"study", "train", "profiles"}),
        ("train", {"steps", "batch_size"}),
        ("evaluations.anything.guidance", {"scale", "interval"}),
        ("train.steps.deeper", set()),
    ],
)
def test_the_fields_below_a_path_are_the_schemas(dotted: str, some: set[str]) -> None:
    found = set(explain.fields_of(dotted))
    assert some <= found and (bool(some) or not found)


def test_only_what_is_near_is_suggested() -> None:
    assert did_you_mean("stpes", ["steps", "seed"]) == " (did you mean 'steps'?)"
    assert did_you_mean("quite else", ["steps", "seed"]) == ""


@pytest.mark.parametrize(
    ("dotted", "meaning"),
    [
        ("train.steps", "Training steps."),
        ("train.milestones.2", "Steps whose EMA weights are kept for evaluation."),
        (
            "evaluations.any.guidance.scale",
            "The paper's s: 1 is no guidance",
        ),
        ("dispatch.slurm.minutes", "Time limit of one task"),
        ("evaluations.any", "Measurements by name"),
        ("nothing.at.all", ""),
        ("the study", ""),
    ],
)
def test_an_error_says_what_the_field_means_in_the_schemas_words(dotted: str, meaning: str) -> None:
    said = explain.meaning_of(dotted)
    assert said.startswith(meaning) and bool(said) == bool(meaning)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("0.9, 0.99", "write [0.9, 0.99]"),
        ("9e-1,99e-2", "write [9e-1, 99e-2]"),
        ("a, b", 'write ["a, b"]'),
        ("0.9", "it should be a list of 2, as [0.9, 0.999]"),
        ("[0.9]", "train.betas is a list of 2, and 1 are given"),
        ("[]", "train.betas is a list of 2, and 0 are given"),
        ("null", "leave it out for its default, which is [0.9, 0.999]"),
    ],
)
def test_numbers_with_commas_are_told_as_a_list(given: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(GOOD)
    with pytest.raises(BadInput) as caught:
        load_study(tmp_path / "study.yaml", overrides=(f"train.betas={given}",))
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("axis", "values", "said"),
    [
        ("train.betas", "[0.9, 0.99]", "write [[0.9, 0.99]] for one run of it"),
        ("train.milestones", "[5, 10]", "write [[5, 10]] for one run of it"),
    ],
)
def test_a_list_that_an_axis_takes_for_several_values_is_told_once(
    axis: str, values: str, said: str, tmp_path: Path
) -> None:
    (found,) = problems(tmp_path, GOOD, overrides=(f"matrix.axes.{axis}={values}",))
    assert f"matrix.axes.{axis} is {values}" in found and said in found
    load_study(write(tmp_path, GOOD), overrides=(f"matrix.axes.{axis}=[{values}]",))


# As --set gives it: the field, and what is said of null.
NULLS = {
    "matrix": "as --set matrix.axes.AXIS=null, and its points, with --set 'matrix.include=[]'",
    "matrix.axes": "as --set matrix.axes.AXIS=null",
    "matrix.include": "write [] for none",
    "matrix.exclude": "write [] for none",
    "evaluations": "as --set evaluations.NAME=null",
    "seed": "leave it out for its default, which is 0",
    "report": "leave it out for its default",
    "components": "write [] for none",
    "data.flip": "leave it out for its default, which is false",
    "train.milestones": "write [] for none",
    "train.optimizer": "leave it out for its default, which is adamw",
    "evaluations.final.guidance": "a mapping, or a list: leave it out for its default",
    "evaluations.final.metrics": "which is [fd, sfd, is, precision, recall]",
}


@pytest.mark.parametrize(("field", "said"), NULLS.items())
def test_null_where_it_is_no_value_is_told_what_to_write(
    field: str, said: str, tmp_path: Path
) -> None:
    found = problems(tmp_path, GOOD, overrides=(f"{field}=null",))
    assert any(f"{field} is null; it should be" in line and said in line for line in found), found
