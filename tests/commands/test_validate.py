from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from tiny_study import TINY, Harness
from verbs import Said


@pytest.mark.slow
def test_a_strangers_study_is_checked_without_running_its_code(
    tmp_path: Path, harness: Harness
) -> None:
    (tmp_path / "mine.py").write_text("raise SystemExit('code was run')\n")
    text = TINY + "components: [mine.py]\n"
    (tmp_path / "tiny.yaml").write_text(text)
    done = harness("validate", "tiny.yaml")
    assert done.returncode == 2 and "code was run" in done.stderr
    done = harness("validate", "tiny.yaml", "--no-components")
    assert done.returncode == 0 and "checked without its component files" in done.stdout
    (tmp_path / "tiny.yaml").write_text(text.replace("batch_size", "batch_sise"))
    done = harness("validate", "tiny.yaml", "--no-components")
    assert done.returncode == 2 and "batch_sise" in done.stderr


def test_validate_checks_every_profile(study: Path, verb: Said) -> None:
    code, said = verb("validate", "tiny.yaml")
    assert code == 0 and "2 runs" in said
    study.write_text(study.read_text() + "  broken: {train: {steps: -1}}\n")
    code, said = verb("validate", "tiny.yaml")
    assert code == 2 and "train.steps is -1" in said


def test_images_that_may_not_be_read_are_said_by_each_that_looks(
    study: Path, tmp_path: Path, verb: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("cats", "dogs"):
        (tmp_path / "images" / name).mkdir(parents=True)
        (tmp_path / "images" / name / "0.png").write_bytes(b"not opened")
    data = "source: image-folder, name: pets, path: images, image_size: 8, num_classes: 2"
    start, end = TINY.index("data: {"), TINY.index("model: {family")
    text = f"{TINY[:start]}data: {{{data}}}\n{TINY[end:]}".replace("glyphs-cnn", "classifier")
    study.write_text(text)
    code, said = verb("validate", "tiny.yaml")
    assert code == 0, said
    scandir = os.scandir

    def refused(path: Any) -> Any:
        if Path(path).name == "dogs":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refused)
    why = "the images of 'pets': images/dogs cannot be read: Permission denied (data.path)"
    code, said = verb("validate", "tiny.yaml")
    assert code == 2 and f"error: tiny.yaml: {why}" in said and said.count(why) == 1
    code, said = verb("plan", "tiny.yaml")
    assert code == 0 and f"missing here: {why}" in said
