"""A site's preset for `dispatch.slurm` lies below every study."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import BadInput
from harness.plan import make_plan
from harness.spec import load_study

STUDY = "studies/scaling.yaml"


@pytest.fixture
def preset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "site.yaml"
    file.write_text("partition: gpu\naccount: vision\nminutes: 77\nextra: {reservation: paper}\n")
    monkeypatch.setenv("HARNESS_SITE", str(file))
    return file


@pytest.mark.slow
def test_the_study_and_its_overrides_count_before_the_site(
    preset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = load_study(STUDY, "smoke").settings.dispatch.slurm
    assert (said.partition, said.account, said.minutes) == ("gpu", "vision", 77)
    assert said.extra == {"reservation": "paper"}
    study = load_study(STUDY, "smoke", ["dispatch.slurm.partition=cpu", "dispatch.slurm.minutes=5"])
    said = study.settings.dispatch.slurm
    assert (said.partition, said.account, said.minutes) == ("cpu", "vision", 5)
    keys = list(make_plan(load_study(STUDY, "smoke")).stages)
    monkeypatch.delenv("HARNESS_SITE")
    assert load_study(STUDY, "smoke").settings.dispatch.slurm.partition is None
    assert list(make_plan(load_study(STUDY, "smoke")).stages) == keys


def test_what_is_wrong_in_the_preset_is_told_with_its_file_and_line(preset: Path) -> None:
    preset.write_text("partition: gpu\nacount: vision\n")
    with pytest.raises(BadInput, match=rf"{preset}:2: .*acount"):
        load_study(STUDY, "smoke")
    preset.write_text("- partition\n")
    with pytest.raises(BadInput, match=str(preset)):
        load_study(STUDY, "smoke")


def test_a_preset_that_is_not_there_is_an_error_not_a_default(
    preset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_SITE", str(preset.with_name("none.yaml")))
    with pytest.raises(BadInput, match=r"none\.yaml"):
        load_study(STUDY, "smoke")
