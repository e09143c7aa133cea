"""A tracker or a command that will hear nothing is named before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_study import TINY

from harness.components.tracker import Tracker
from harness.dispatch import unheard
from harness.spec import load_study


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("dispatch.trackers=[wandb]", ["wandb is not installed on this machine"]),
        ("dispatch.trackers=[{name: mlflow}]", ["mlflow is not installed on this machine"]),
        ("dispatch.notify=[no-such-command-anywhere]", ["no-such-command-anywhere is not found"]),
        ("dispatch.notify=[sh]", []),
    ],
)
def test_who_hears_nothing_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str, said: list[str]
) -> None:
    monkeypatch.setattr(unheard, "_installed", lambda package: False)
    study = tmp_path / "tiny.yaml"
    study.write_text(TINY)
    found = unheard.sentences(load_study(study, overrides=[setting]))
    assert len(found) == len(said) and all(s in f for s, f in zip(said, found, strict=True))


def test_a_tracker_whose_package_is_here_or_that_needs_none_is_not_named(tmp_path: Path) -> None:
    assert unheard._installed("numpy") and not unheard._installed("no-such-package-anywhere")
    assert Tracker.package is None
    study = tmp_path / "tiny.yaml"
    study.write_text(TINY)
    assert unheard.sentences(load_study(study)) == []
