"""The contract of executors: where stages run is in no key, and what is not said is nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

from harness.components import Executor, get
from harness.components.executor import Share


class Bare(Executor):
    """Somebody's cluster."""

    name: ClassVar[str] = "bare"
    policy: ClassVar[Literal["pool", "queue"]] = "queue"

    def open(self, root: Path, study: Any) -> Any:
        return ("opened", root)


def test_one_that_says_nothing_more_stands_in_nobodys_way(tmp_path: Path) -> None:
    mine = Bare()
    assert mine.check(None) == [] and mine.describe(None) is None
    assert mine.processes(None, "train") == 1 and mine.share(None, "train") is None
    assert mine.reachable() and mine.printed(tmp_path, "batch", 0) is None
    assert mine.watch(tmp_path, None) == mine.open(tmp_path, None)


def test_it_is_called_by_its_title_where_it_has_one() -> None:
    assert Bare.called() == "bare"
    assert get("executor", "slurm").called() == "SLURM"  # type: ignore[attr-defined]


def test_a_share_without_more_words_is_one_process_of_an_hour() -> None:
    assert Share(devices=8) == Share(8, processes=1, stages=1, minutes=60.0)
