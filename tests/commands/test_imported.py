"""The file that says what an imported checkpoint is called: damaged, its artifact says the same."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from foreign_study import STUDY
from verbs import Said

from harness.commands.imported import imported_checkpoints

THEIRS = ("import", "theirs.pt", "--name", "theirs", "--heads", "2")


@pytest.fixture
def named(official: Path, verb: Said) -> Path:
    """The file, beside a study of the checkpoint."""
    (official.parent / "foreign.yaml").write_text(STUDY)
    assert verb(*THEIRS)[0] == 0
    return official.parent / "results" / "checkpoints" / "theirs.json"


def damage(path: Path, how: str) -> None:
    text = path.read_text()
    said = json.loads(text)
    if how == "truncated to 0":
        path.write_text("")
    elif how == "truncated by half":
        path.write_text(text[: len(text) // 2])
    elif how == "no text":
        path.write_bytes(b"\xff\xfe" + text.encode())
    elif how == "a list":
        path.write_text("[1]")
    elif how == "another key":
        path.write_text(json.dumps({**said, "key": "f" + said["key"][1:]}))
    elif how == "other settings":
        path.write_text(json.dumps({**said, "settings": {**said["settings"], "step": 7}}))
    elif how == "another architecture":
        path.write_text(json.dumps({**said, "architecture": {**said["architecture"], "heads": 4}}))
    elif how == "other steps":
        path.write_text(json.dumps({**said, "steps": 5}))
    elif how == "another name":
        path.write_text(json.dumps({**said, "name": "ours"}))
    elif how == "a folder":
        path.unlink()
        path.mkdir()
    else:
        path.unlink()
        path.symlink_to(path.name)  # whoever opens it is refused, root too


DAMAGES = ("truncated to 0", "truncated by half", "no text", "a list", "another key")
DAMAGES += ("other settings", "another architecture", "other steps", "another name", "a folder")
DAMAGES += ("a loop",)


def test_a_damaged_name_takes_no_checkpoint_with_it(named: Path, verb: Said) -> None:
    root = named.parents[1]
    before = imported_checkpoints(root)
    content = named.read_bytes()
    assert list(before) == ["theirs"]
    for how in DAMAGES:
        damage(named, how)
        assert imported_checkpoints(root) == before, how
        shutil.rmtree(named) if how == "a folder" else named.unlink()
        named.write_bytes(content)
    damage(named, "truncated by half")
    code, said = verb("plan", "foreign.yaml", "--json")
    states = {s["kind"]: s["state"] for s in json.loads(said)["stages"]}
    assert code == 0 and states["train"] == "done"
    assert "already there" in verb(*THEIRS)[1]  # and the file is whole again
    assert named.read_bytes() == content


def test_a_damaged_name_without_its_artifact_is_named_with_the_remedy(
    named: Path, verb: Said
) -> None:
    damage(named, "another key")
    (artifact,) = (named.parents[1] / "artifacts" / "train").iterdir()
    shutil.rmtree(artifact)
    for words in (("plan",), ("status",), ("run", "--no-report"), ("results",)):
        code, said = verb(words[0], "foreign.yaml", *words[1:])
        assert code == 2 and str(Path("results") / "checkpoints" / "theirs.json") in said, words
        assert "import FILE --name theirs" in said and "was not imported" not in said
    assert verb(*THEIRS)[0] == 0 and verb("plan", "foreign.yaml")[0] == 0
