"""What a study calls its stages, written beside its results."""

from __future__ import annotations

import sys
from pathlib import Path

from planned import plan_of
from tiny_study import TINY

from harness.components import files, registry
from harness.plan.index import claimed, index
from harness.spec.schema import ClaimsSettings
from harness.store import studies

SCHEDULE = '''
from typing import ClassVar

from harness.components import Schedule


class Waning(Schedule):
    """Falls to nothing."""

    name: ClassVar[str] = "waning"
    version: ClassVar[int] = 2

    def factor(self, step, horizon):
        return 1 - step / horizon
'''


def test_every_stage_is_named_by_run_evaluation_and_step(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    found = index(plan)
    assert set(found.stages) == set(plan.stages)
    for m in plan.measurements:
        for key in (m.checkpoint, m.sample, m.evaluate):
            assert m.run in found.stages[key].runs and found.stages[key].step == m.step
        assert found.stages[m.evaluate].evaluations == ("final",)
    by_kind = {stage.kind: found.stages[key] for key, stage in plan.stages.items()}
    assert by_kind["encode"].runs == () and by_kind["floor"].evaluations == ("final",)


def test_each_runs_axes_and_label_are_there(tmp_path: Path) -> None:
    found = index(plan_of(tmp_path))
    assert [point.axes["model.size"] for point in found.runs] == ["S", "B"]
    assert [point.label for point in found.runs] == [
        run.label for run in plan_of(tmp_path).study.runs
    ]


def test_it_comes_back_from_disk_as_it_was(tmp_path: Path) -> None:
    written = index(plan_of(tmp_path))
    path = studies.write(tmp_path / "results", written)
    read = studies.read(path)
    assert (read.stages, read.runs, read.study) == (
        written.stages,
        written.runs,
        written.study,
    )
    assert read.text == TINY


def test_components_that_others_bring_say_where_they_come_from(tmp_path: Path) -> None:
    assert index(plan_of(tmp_path)).components == {}, "ours are left out"
    (tmp_path / "waning.py").write_text(SCHEDULE)
    text = TINY.replace("study: tiny", "study: tiny\ncomponents: [waning.py]")
    text = text.replace("log_every: 2", "log_every: 2, schedule: waning")
    try:
        found = index(plan_of(tmp_path, text=text)).components
    finally:
        registry.forget_files()
        files._loaded.pop("waning")
        sys.modules.pop("waning")
    (origin,) = found.items()
    assert origin[0] == "schedule:waning"
    assert origin[1]["from"] == "file waning.py" and origin[1]["version"] == 2
    assert len(origin[1]["sha256"]) == 64


def test_a_study_that_asks_for_no_claims_has_none() -> None:
    assert claimed(ClaimsSettings(paper=())) == []
    assert len(claimed(ClaimsSettings())) > 10


def test_a_study_whose_file_was_moved_meanwhile_has_no_text(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    (tmp_path / "tiny.yaml").unlink()
    assert index(plan).text == ""
