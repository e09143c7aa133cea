"""`prune`: it says what would go, and lets it go with --yes."""

from __future__ import annotations

import json

import pytest

from harness.cli import main
from harness.plan.plan import Plan
from harness.store.artifacts import Store
from harness.store.pruned import pruned_keys
from harness.upkeep.usage import usage


@pytest.mark.slow
def test_the_verb(done: Plan, store: Store, commit, capsys: pytest.CaptureFixture[str]) -> None:
    before = usage(store.root).bytes
    assert main(["prune", "tiny.yaml"]) == 0
    assert "nothing was removed: say --yes" in capsys.readouterr().out
    assert usage(store.root).bytes == before and not pruned_keys(store)
    assert main(["prune", "tiny.yaml", "--yes"]) == 0
    assert "are free" in capsys.readouterr().out
    assert len(pruned_keys(store)) > 2 and usage(store.root).bytes < before
    assert main(["prune", "tiny.yaml", "--yes"]) == 0
    assert "nothing to prune" in capsys.readouterr().out
    commit(store, "sample", "a")
    assert main(["prune", "--unreferenced", "--yes"]) == 0
    assert "pruned 1 artifact:" in capsys.readouterr().out
    for wrong in (
        [],
        ["absent.yaml"],
        ["--unreferenced", "--last"],
        ["tiny.yaml", "--results", "x"],
    ):
        assert main(["prune", *wrong]) == 2, wrong


def test_without_any_study_known_everything_would_go(
    store: Store, commit, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(store, "sample", "a")
    monkeypatch.chdir(store.root.parent)
    assert main(["prune", "--unreferenced", "--yes"]) == 2
    assert not pruned_keys(store)
    assert json.loads((store.folder("sample", "a" * 64) / "manifest.json").read_text())
