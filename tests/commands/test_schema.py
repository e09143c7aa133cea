"""`schema`: where each study tells editors to look."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from harness.cli import main
from harness.commands.schema import FILE
from harness.components import registry
from harness.spec import shipped


@pytest.mark.slow
def test_it_is_written_where_each_study_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["schema"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert main(["schema", "--write", str(tmp_path)]) == 0
    assert json.loads((tmp_path / FILE).read_text()) == printed
    for study in shipped.folder().glob("*.yaml"):
        first = study.read_text().splitlines()[0]
        assert first == f"# yaml-language-server: $schema={FILE}", study


@pytest.mark.slow
def test_a_folder_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "--write", str(tmp_path / "absent")]) == 2
    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.slow
def test_a_full_disk_leaves_the_schema_of_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "study.schema.json").write_text("before")

    def full(self: Path, text: str) -> None:
        self.touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_text", full)
        assert main(["schema", "--write", str(tmp_path)]) == 2
    assert "cannot be written: No space left on device" in capsys.readouterr().err
    assert (tmp_path / "study.schema.json").read_text() == "before"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.slow
def test_the_schema_accepts_the_repositorys_studies_and_knows_every_field(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert schema["additionalProperties"] is False
    assert {"study", "title", "matrix", "evaluations", "profiles"} <= set(schema["properties"])
    assert "patch_size" in schema["properties"]["model"]["properties"]


OWN = '''
from typing import ClassVar
from harness.components import Family, Objective


class Strangers(Family):
    """A network of somebody's."""

    name: ClassVar[str] = "strangers"

    wings: int = 2
    "How many."

    @property
    def label(self):
        return "strangers"

    def check(self, given):
        pass

    def build(self, given, *, checkpointing=False):
        pass
'''


@pytest.mark.slow
def test_a_studys_own_components_stand_in_it_under_their_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "own_family.py").write_text(OWN)
    (tmp_path / "s.yaml").write_text("study: s\ncomponents: [own_family.py]\n")
    try:
        assert main(["schema", "--study", str(tmp_path / "s.yaml")]) == 0
    finally:
        registry.forget_files()
    model = json.loads(capsys.readouterr().out)["properties"]["model"]["properties"]
    assert model["wings"]["description"] == "How many."
    assert "strangers" in model["family"]["enum"]
    by_family = model["by_family"]
    assert set(by_family["properties"]["strangers"]["properties"]) == {"wings"}
    assert "block" not in by_family["properties"]["U-ViT"]["properties"]
    assert "block" in by_family["properties"]["DiT"]["properties"]
    assert by_family["additionalProperties"] is False
