"""The entry point that torchrun starts; here with one process."""

from __future__ import annotations

from typing import Any

import pytest

from harness.stages import ranks

Laboratory = Any  # conftest.py's; pytest gives it without an import


@pytest.mark.slow
def test_the_selected_stages_are_done_in_order_and_not_again(
    laboratory: Laboratory, capsys: pytest.CaptureFixture[str]
) -> None:
    study, results = str(laboratory.root / "study.yaml"), str(laboratory.store.root)
    given = [study, "--results", results, "--only", "train"]
    assert ranks.main(given) == 0
    assert laboratory.store.manifest("train", laboratory.task("train").key) is not None
    assert laboratory.store.committed(["sample"]) == set()
    capsys.readouterr()
    assert ranks.main(given) == 0
    assert "step 12" not in capsys.readouterr().out


def test_a_bad_setting_is_an_error_with_exit_code_2(
    laboratory: Laboratory, capsys: pytest.CaptureFixture[str]
) -> None:
    study, results = str(laboratory.root / "study.yaml"), str(laboratory.store.root)
    given = [study, "--results", results, "--only", "train", "--set", "train.batch_per_device=3"]
    assert ranks.main(given) == 2
    assert "these do: 1, 2, 4, 8" in capsys.readouterr().err


def test_an_option_is_written_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        ranks.main(["study.yaml", "--resul", "elsewhere"])
    assert "unrecognized arguments: --resul elsewhere" in capsys.readouterr().err
