"""What a stage is given and gives back."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.stages.work import Outcome, Work


def test_a_stage_sees_its_own_place_and_is_alone_unless_told(prepared: Any) -> None:
    task = prepared.task("train")
    work = Work(task, Path(), Path(), {}, {}, torch.device("cpu"), lambda **_: None, lambda: False)
    assert work.place is task.place
    assert work.world.size == 1 and work.world.main
    with pytest.raises(FrozenInstanceError):
        work.folder = Path("elsewhere")  # type: ignore[misc]


def test_an_outcome_has_rows_of_its_own() -> None:
    one, other = Outcome(None), Outcome(None)
    assert one.rows == {} and one.rows is not other.rows
