"""What may have changed since a stage failed."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.dispatch import circumstances as module
from harness.dispatch.circumstances import changed, circumstances
from harness.dispatch.ledger import Ledger
from harness.plan import Plan, make_plan
from harness.spec import load_study


def planned(*overrides: str) -> Plan:
    return make_plan(load_study("studies/scaling.yaml", "smoke", overrides))


def digests(plan: Plan) -> dict[str, str]:
    stage = next(s for s in plan.stages.values() if s.kind == "train")
    return circumstances(plan, plan.task(stage))


def test_the_same_study_has_the_same_circumstances() -> None:
    assert digests(planned()) == digests(planned())


def test_a_setting_outside_the_key_changes_them_and_no_other() -> None:
    before, now = digests(planned()), digests(planned("train.batch_per_device=2"))
    assert {name for name in now if now[name] != before[name]} == {"settings"}


@pytest.mark.filterwarnings("error")
def test_trackers_and_executors_of_whatever_class_are_digested_without_a_warning() -> None:
    tracked = [
        digests(planned(f"dispatch.trackers={said}", "dispatch.executor=slurm"))
        for said in ("[tensorboard]", "[mlflow]", "[{name: mlflow, experiment: mine}]")
    ]
    assert len({found["settings"] for found in tracked}) == 3
    assert digests(planned("dispatch.trackers=[mlflow]", "dispatch.executor=slurm")) == tracked[1]


def test_a_file_that_came_or_changed_below_the_datas_folder_changes_them(tmp_path: Path) -> None:
    folder = tmp_path / "images" / "class"
    folder.mkdir(parents=True)
    before = module._files([str(tmp_path / "images")])
    assert module._files([str(tmp_path / "images")]) == before
    (folder / "one.png").write_bytes(b"x")
    assert module._files([str(tmp_path / "images")]) != before
    assert module._files([str(tmp_path / "nothing")]) != before


def test_the_code_is_told_by_its_contents(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = []
    for text in ("a = 1\n", "a = 2\n", "a = 1\n"):
        (tmp_path / "__init__.py").write_text(text)
        monkeypatch.setattr(module.harness, "__file__", str(tmp_path / "__init__.py"))
        module.code.cache_clear()
        found.append(module.code())
    module.code.cache_clear()
    assert found[0] == found[2] != found[1]


def test_what_changed_is_said_in_words_and_an_attempt_of_before_may_be_anything(
    tmp_path: Path,
) -> None:
    now = digests(planned())
    ledger = Ledger(tmp_path)
    same = ledger.begin("f" * 64, "train", "x", circumstances=now)
    assert changed(same, now) == []
    assert ledger.last("f" * 64) == same
    assert changed(same, {**now, "data": "other"}) == ["the files it reads"]
    assert len(changed(ledger.begin("e" * 64, "train", "x"), now)) == 4
