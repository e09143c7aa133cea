"""The tiny study, with changes, as a study and as a plan."""

from __future__ import annotations

from pathlib import Path

from tiny_study import TINY

from harness.plan import make_plan
from harness.plan.plan import Plan
from harness.spec import load_study
from harness.spec.study import Study


def study_of(folder: Path, *overrides: str, text: str = TINY) -> Study:
    """The study in `folder`/tiny.yaml under --set of each override."""
    path = folder / "tiny.yaml"
    path.write_text(text)
    return load_study(path, None, list(overrides))


def plan_of(folder: Path, *overrides: str, text: str = TINY) -> Plan:
    return make_plan(study_of(folder, *overrides, text=text))
