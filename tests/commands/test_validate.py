from __future__ import annotations

from pathlib import Path

from tiny_study import TINY, Harness


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
