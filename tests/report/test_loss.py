"""What the caption of the training loss says was minimised."""

from __future__ import annotations

import pandas as pd
import pytest

from harness.report.sections.loss import minimised


@pytest.mark.parametrize(
    ("objectives", "said"),
    [
        (["ddpm", "ddpm"], "mse and variational bound"),
        ([None, "ddpm"], "mse and variational bound"),  # records of before there were others
        (["flow", "flow"], "the objective's loss (flow)"),
        (["ddpm", "flow"], "each objective's own loss (ddpm and flow)"),
    ],
)
def test_the_loss_is_named_for_what_was_minimised(objectives: list[str | None], said: str) -> None:
    assert minimised(pd.DataFrame({"objective": objectives})) == said


def test_records_without_the_column_are_of_ddpm() -> None:
    assert minimised(pd.DataFrame({"run": ["a"]})) == "mse and variational bound"
