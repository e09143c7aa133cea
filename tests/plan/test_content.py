"""What enters a stage's key, and what does not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import pytest
from planned import plan_of, study_of
from pydantic import BaseModel

from harness.plan import content, keys
from harness.plan.stages import STAGE_SETTINGS
from harness.spec.schema import NotInKey
from harness.spec.study import Study


def all_of(given: Study) -> dict[str, Any]:
    """Each function's content, of the study's first run, as the JSON that a key has."""
    run, reference = given.runs[0], given.settings.reference
    (evaluation,) = given.evaluations.values()
    assert reference is not None and run.train is not None
    guidance = evaluation.guidance
    sampler: Any = evaluation.sampler or run.objective.sampler()
    found = {
        "encode": content.encode(run),
        "recipe": content.recipe(run.train, horizon=True),
        "reference": content.reference(reference, run),
        "measured": content.measured(evaluation),
        "floor": content.floor(evaluation, 40),
        "ceiling": content.ceiling(evaluation, run),
        "sample": content.sample(evaluation, sampler, 2, guidance, run),  # type: ignore[arg-type]
    }
    return json.loads(json.dumps(found))  # type: ignore[no-any-return]


def test_a_gray_reference_of_files_says_so_and_no_other(tmp_path: Path) -> None:
    """Its colours stayed, in earlier versions; what is made gray is gray."""
    files = (
        "{name: own, source: image-folder, path: x, image_size: 8, num_classes: 10, channels: %d}"
    )
    for data, gray in ((files % 1, True), (files % 3, None), (None, None)):
        of_files = ("reference.extractor=random-conv", "evaluations.final.metrics=[fd]")
        said = (f"data={data}", *of_files) if data else ()
        given = study_of(tmp_path, *said)
        reference = given.settings.reference
        assert reference is not None
        assert content.reference(reference, given.runs[0]).get("gray") is gray


SAMPLER = ("evaluations.final.sampler=ddim",)


@pytest.mark.parametrize(
    "override",
    [
        "train.batch_per_device=4",
        "train.log_every=1",
        "train.checkpoint_minutes=1",
        "evaluations.final.batch_size=10",
        "dispatch.workers=1",
        "title=another",
    ],
)
def test_how_fast_and_where_is_in_no_key(override: str, tmp_path: Path) -> None:
    assert all_of(study_of(tmp_path, *SAMPLER, override)) == all_of(study_of(tmp_path, *SAMPLER))


@pytest.mark.parametrize(
    ("override", "changes"),
    [
        ("data.seed=7", {"encode", "reference"}),
        ("data.fingerprint=abc", {"encode", "reference"}),
        ("train.learning_rate=2e-3", {"recipe"}),
        ("train.grad_clip=1.0", {"recipe"}),
        ("reference.images=50", {"reference"}),
        ("evaluations.final.k=2", {"measured", "floor", "ceiling"}),
        ("evaluations.final.seed=5", {"sample", "ceiling"}),
        ("evaluations.final.samples=20", {"sample", "ceiling"}),
        ("evaluations.final.precision=bf16", {"sample"}),
    ],
)
def test_what_changes_an_output_changes_its_content_and_no_other(
    override: str, changes: set[str], tmp_path: Path
) -> None:
    more = ("evaluations.final.split_size=20",)
    before = all_of(study_of(tmp_path, *SAMPLER, *more))
    after = all_of(study_of(tmp_path, *SAMPLER, *more, override))
    assert {name for name in before if before[name] != after[name]} == changes


def test_the_stages_read_what_keys_hold(tmp_path: Path) -> None:
    found = all_of(study_of(tmp_path, *SAMPLER))
    for kind, name in (("encode", "encode"), ("reference", "reference"), ("sample", "sample")):
        STAGE_SETTINGS[kind].model_validate(found[name])
    STAGE_SETTINGS["evaluate"].model_validate(found["measured"])
    STAGE_SETTINGS["floor"].model_validate(found["floor"])
    STAGE_SETTINGS["ceiling"].model_validate(found["ceiling"])


def test_a_floor_is_of_as_many_images_as_there_are_samples(tmp_path: Path) -> None:
    def images(*overrides: str) -> int:
        given = study_of(tmp_path, "evaluations.final.split_size=10", *overrides)
        assert given.settings.reference is not None
        return content.floor_images(given.evaluations["final"], given.settings.reference)

    assert images() == 40
    assert images("evaluations.final.samples=30") == 30
    assert images("reference.floor_images=25") == 25
    assert images("evaluations.final.floor_images=35") == 35


def test_a_settings_content_is_sorted_and_leaves_places_out_at_every_depth() -> None:
    class Inner(BaseModel):
        width: int = 1
        path: Annotated[str, NotInKey()] = "/here"

    class Outer(BaseModel):
        inner: Inner = Inner()
        about: int = 2

    assert list(keys.content(Outer())) == ["about", "inner"]
    assert keys.content(Outer()) == {"about": 2, "inner": {"width": 1}}
    assert keys.content(Outer(), ("about",)) == {"inner": {"width": 1}}
    with pytest.raises(ValueError, match="not JSON compliant"):
        keys.canonical({"rate": float("nan")})


def test_a_key_is_made_of_as_many_inputs_as_there_are_roles() -> None:
    maker = keys.KeyMaker("evaluate", "{}", ("reference", "samples"))
    for given_ in ((), ("a",), ("a", "b", "c")):
        with pytest.raises(ValueError):
            maker(*given_)


def test_a_train_stages_run_and_step_are_read_from_its_settings(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    found = {
        keys.trajectory(s.settings, s.inputs) for s in plan.stages.values() if s.kind == "train"
    }
    assert found == {(id, step) for id in plan.run_ids for step in (3, 6)}
    with pytest.raises(KeyError):
        keys.trajectory('{"imported":"x","step":5}', {})
