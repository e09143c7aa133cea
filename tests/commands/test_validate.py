from __future__ import annotations

from pathlib import Path

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
