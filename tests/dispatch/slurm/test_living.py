"""A stage that was given to SLURM and is not known to be over."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import pytest

from harness.dispatch.ledger import Ledger
from harness.dispatch.slurm.living import Living
from harness.plan.stages import Place, Task

TASK = Task("train", "a" * 64, "{}", {}, {}, "train x", None, Place())


def test_it_is_known_by_its_key_and_lies_at_its_place(tmp_path: Path) -> None:
    one = Living(TASK, Ledger(tmp_path).begin(TASK.key, "train", "train x", "batch", 3))
    assert one.key == TASK.key and one.place == ("batch", 3)
    gone = replace(one, gone=5.0)
    assert one.gone is None and gone.place == one.place
    with pytest.raises(FrozenInstanceError):
        one.spoke = True  # type: ignore[misc]


def test_an_attempt_of_no_batch_has_no_place(tmp_path: Path) -> None:
    one = Living(TASK, Ledger(tmp_path).begin(TASK.key, "train", "train x"))
    with pytest.raises(AssertionError):
        _ = one.place
