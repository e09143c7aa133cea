"""`export`: a checkpoint goes out as it came in; what cannot be written is said."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from committed import all_done
from verbs import Said

from harness.models import load_checkpoint
from harness.store import Store
from harness.store.pruned import prune


@pytest.fixture
def imported(official: Path, verb: Said) -> Path:
    """The official checkpoint, imported as `theirs`."""
    code, said = verb("import", "theirs.pt", "--name", "theirs", "--heads", "2")
    assert code == 0, said
    return official


@pytest.mark.slow
def test_an_exported_checkpoint_is_the_imported_one(imported: Path, verb: Said) -> None:
    code, said = verb("export", "theirs", "back.pt")
    assert code == 0, said
    assert "model card: back.md" in said and Path("back.md").read_text().startswith("---")
    theirs = torch.load(imported, weights_only=True)["ema"]
    back = load_checkpoint("back.pt", heads=2).state_dict()
    assert set(theirs) == set(back)
    assert all(torch.equal(theirs[k], back[k]) for k in theirs)
    Path("back.pt").unlink()
    code, said = verb("export", "theirs", "back.pt")  # whose card somebody may have written on
    assert code == 2 and "back.md is there already, and was left as it is" in said
    (key,) = Store("results").committed(["train"])
    assert verb("export", key[:9], "again.pt")[0] == 0


@pytest.mark.slow
def test_the_diffusers_export_prints_the_difference_it_measured(imported: Path, verb: Said) -> None:
    before = os.umask(0o002)
    try:
        code, said = verb("export", "theirs", "folder", "--to", "diffusers")
    finally:
        os.umask(before)
    assert code == 0, said
    assert "differ" in said and "exact" not in said.replace("not exact", "")
    assert {path.stat().st_mode & 0o777 for path in Path("folder").iterdir()} == {0o664}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "what should be exported? Give KEY, or --study STUDY"),
        (("feed",), "no checkpoint 'feed' in results"),
        (("tiny.yaml",), "not the key of a checkpoint: a study is --study tiny.yaml"),
        (("theirs", "--light"), "are about a study: give --study STUDY"),
        (("a", "b.tar", "--study", "tiny.yaml"), "with --study give one path: a or b.tar?"),
        (("aa",), "'aa' begins 2 keys: aaaaaaaaaaaaaaaa, aaaaaaaaaaaaaaaa"),
    ],
)
def test_what_cannot_be_exported_says_why(
    words: tuple[str, ...], said: str, verb: Said, store: Store, commit: Callable[..., str]
) -> None:
    for last in "ab":
        commit(store, "train", "", key="a" * 63 + last)
    code, told = verb("export", *words)
    assert code == 2 and said in told


def test_a_pruned_checkpoint_is_told_from_a_damaged_one(
    verb: Said, store: Store, commit: Callable[..., str]
) -> None:
    commit(store, "train", "", key="a" * 64)
    prune(store, "train", "a" * 64)
    code, said = verb("export", "aaaa")
    assert code == 2 and "the weights of aaaaaaaaaaaa were removed (`prune` does that)" in said


@pytest.mark.slow
def test_a_study_goes_out_as_one_file(verb: Said, tmp_path: Path) -> None:
    all_done(tmp_path)
    code, said = verb("export", "--study", "tiny.yaml")
    assert code == 0 and "tiny-laptop.tar: 18 of 18 stages" in said
    code, said = verb("export", "--study", "tiny.yaml", "--light", "--set", "train.ema=0.5")
    assert code == 0 and "tiny-laptop-light.tar.gz: 6 of 18 stages" in said
