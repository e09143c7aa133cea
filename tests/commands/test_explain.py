"""`explain`: every setting of the schema can be asked for, and the words are those of its types."""

from __future__ import annotations

import json
from typing import Annotated, Literal

import pytest
from pydantic import Field

from harness.cli import main
from harness.commands.explain import every_setting, settings_of, type_in_words
from harness.errors import BadInput
from harness.spec.schema import StudySettings


@pytest.mark.slow
def test_every_setting_can_be_explained() -> None:
    settings = list(every_setting())
    assert {s.path for s in settings} >= set(StudySettings.model_fields)
    assert len({s.path for s in settings}) == len(settings)
    for setting in settings:
        first, *below = settings_of(setting.path)
        assert first == setting
        assert all(b.path.startswith(setting.path) for b in below)
        assert setting.about, f"{setting.path} has no description"
        free = setting.path.startswith(("matrix.", "profiles", "model.by_family"))
        assert free or "anything" not in setting.allowed, f"{setting.path}: {setting.allowed}"


@pytest.mark.parametrize(
    ("annotation", "said"),
    [
        (Annotated[int, Field(gt=0, le=2**63 - 1)], "a whole number above 0"),
        (Annotated[float, Field(ge=0, le=1)], "a number from 0 to 1"),
        (Annotated[float, Field(ge=0, lt=1)], "a number of at least 0 and below 1"),
        (str | None, "text, or null"),
        (Literal["cpu", "cuda"], "one of cpu, cuda"),
        (tuple[int, ...], "a list of whole numbers"),
        (tuple[float, float], "a list of 2: a number; a number"),
        (dict[str, bool], "a mapping of text to true or false"),
    ],
)
def test_types_are_said_in_words(annotation: object, said: str) -> None:
    assert type_in_words(annotation) == said


def test_it_says_what_moves_keys() -> None:
    assert settings_of("train.steps")[0].in_key
    assert not settings_of("train.batch_per_device")[0].in_key  # NotInKey
    assert not settings_of("dispatch.slurm.minutes")[0].in_key


@pytest.mark.slow
def test_components_are_explained_where_they_are_named() -> None:
    sampler, *named = settings_of("evaluations.final.sampler")
    assert {"ancestral", "ddim"} <= {s.name for s in named}
    assert "ancestral, ddim" in sampler.allowed
    betas = settings_of("train.optimizer.adamw.betas")[0]
    assert betas.default == "[0.9, 0.999]" and betas.about
    block = settings_of("model.block")[0]
    assert block.default == "adaln-zero" and "section 3.2" in block.about


@pytest.mark.slow
def test_names_of_the_users_are_passed_over() -> None:
    by_name = settings_of("evaluations.final.samples")[0]
    assert by_name == settings_of("evaluations.NAME.samples")[0]
    assert settings_of("profiles.mine.train.steps") == settings_of("train.steps")
    assert settings_of("dispatch.slurm_by_kind.train.minutes")[0].default == "1440"
    assert settings_of("model.patch_size")[0].allowed == "a whole number above 0, or null"


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("data.pth", "did you mean 'path'"),
        ("dta", "did you mean 'data'"),
        ("data.path.more", "data.path has no fields"),
        ("data.path.name.more", "data.path has no fields"),
        ("evaluations.final.sampler.ddin", "did you mean 'ddim'"),
        ("evaluations.a.b.c", "no setting 'b' below evaluations.NAME"),
        ("", "names no setting"),
        ("...", "names no setting"),
    ],
)
def test_a_setting_that_there_is_not(field: str, said: str) -> None:
    with pytest.raises(BadInput) as error:
        settings_of(field)
    assert said in str(error.value)


def test_the_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "train.ema"]) == 0
    shown = capsys.readouterr().out
    assert "train.ema" in shown and "default 0.9999" in shown and "part of the keys" in shown
    assert main(["explain", "data", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert rows[0]["field"] == "data" and "data.image_size" in {r["field"] for r in rows}
    assert main(["explain", "dat"]) == 2
    assert main(["explain"]) == 0
    assert "evaluations" in capsys.readouterr().out
