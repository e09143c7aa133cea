from __future__ import annotations

from pathlib import Path

import pytest
from tiny_study import TINY, Harness
from verbs import Said


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


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--skip", "nope"), "--skip nope: no stage matches it; "),
        (("--skip", "samplee"), "--skip samplee: no stage matches it (did you mean sample?)"),
        (("--only", "nope"), "no stage is left"),
        (("--only", "train", "--only", "nope"), "--only nope: no stage matches it"),
    ],
)
def test_a_pattern_that_matches_no_stage_is_named(
    words: tuple[str, ...], said: str, verb: Said, study: Path
) -> None:
    code, out = verb("plan", study.name, *words)
    assert code == 2 and said in out


def test_a_stage_kind_that_the_study_has_none_of_may_be_skipped(verb: Said, study: Path) -> None:
    code, out = verb("plan", study.name, "--set", "evaluations.final=null", "--skip", "sample")
    assert code == 0, out
