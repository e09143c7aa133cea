"""`forget`: it says what would go, and lets it go with --yes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from committed import there

from harness.cli import main
from harness.plan.plan import Plan
from harness.store import records
from harness.store.artifacts import Store


@pytest.mark.slow
def test_it_only_says_so_without_yes(done: Plan, store: Store, capsys: Any) -> None:
    assert main(["forget", "tiny.yaml", "encode"]) == 0
    out = capsys.readouterr().out
    assert "nothing was done: say --yes" in out and "evaluate" in out
    assert there(done, store) == done.stages.keys()
    assert not Path("results/forgotten").exists()


@pytest.mark.slow
def test_what_was_let_go_of_can_be_brought_back(done: Plan, store: Store, capsys: Any) -> None:
    before = set(records.read_frames(store.root)["metrics"]["key"])
    assert len(before) == 4
    assert main(["forget", "tiny.yaml", "train", "--yes"]) == 0
    (away,) = Path("results/forgotten").iterdir()
    assert main(["merge", str(away)]) == 0
    assert there(done, store) == done.stages.keys()
    assert set(records.read_frames(store.root)["metrics"]["key"]) == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "which stages? Give a stage kind"),
        (("nothing-like-it",), "no stage of tiny matches 'nothing-like-it'"),
        (("train", "--results", "elsewhere"), "there is no results folder elsewhere"),
    ],
)
def test_what_it_cannot_do_is_an_error(
    done: Plan, words: tuple[str, ...], said: str, capsys: Any
) -> None:
    assert main(["forget", "tiny.yaml", *words, "--yes"]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.slow
def test_what_was_never_done_is_nothing_to_forget(done: Plan, store: Store, capsys: Any) -> None:
    other = ("--set", "train.learning_rate=0.5", "train")
    assert main(["forget", "tiny.yaml", *other, "--yes"]) == 0
    assert "nothing to forget" in capsys.readouterr().out
    assert there(done, store) == done.stages.keys()
