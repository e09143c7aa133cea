"""Training loss (Figure 13)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from harness.analysis.labels import labelled
from harness.components import registry
from harness.components.objective import Objective
from harness.components.section import Section
from harness.components.stored import UNNAMED
from harness.errors import HarnessError
from harness.report import figures
from harness.report.blocks import Block, Text, em, paragraph, ref, strong
from harness.report.draw import drawn
from harness.report.findings import Findings
from harness.report.phrases import settings_clause
from harness.report.prepared import prepared
from harness.report.wording import listed


class Loss(Section):
    """Figure 13: the training loss of each model."""

    name = "loss"
    title = "Training loss"
    needs = ("training", "runs")

    def blocks(self, findings: Findings) -> list[Block]:
        rows = curves(findings.report.frames["training"], findings.report.frames["runs"])
        if not len(rows):
            return [paragraph(em("No training loss was recorded."))]
        caption: list[Text] = [
            strong("Training loss. "),
            f"Mean of {minimised(findings.report.frames['runs'])} over each log interval, without "
            "smoothing",
            "; means over training seeds. " if rows["seeds"].max() > 1 else ". ",
            settings_clause(rows),
        ]
        text: list[Text] = [
            ref("fig-loss"),
            " shows the loss that training minimised; it is not sample quality.",
        ]
        return [paragraph(*text), drawn("loss", figures.loss(rows), caption)]


def minimised(runs: pd.DataFrame) -> str:
    """What the recorded loss is, in words, by the objectives of the runs."""
    named = runs["objective"] if "objective" in runs else pd.Series([None] * len(runs))
    objectives = list(dict.fromkeys(named.fillna(UNNAMED["objective"])))  # of old records: none
    if len(objectives) > 1:
        return f"each objective's own loss ({listed(objectives)})"
    (objective,) = objectives
    return _words(objective) or f"the objective's loss ({objective})"


def _words(objective: str) -> str | None:
    """What an objective itself calls its loss; None where it does not, or is not available."""
    try:
        cls = registry.get("objective", objective)
    except HarnessError:
        return None
    assert issubclass(cls, Objective)
    return cls.minimises


def curves(training: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """A row per model and log interval: label, group, size, patch_size, step, value, seeds.

    `value` is the mean loss over training seeds.
    """
    training = training[np.isfinite(training["loss"].to_numpy(float, na_value=np.nan))]
    training = training[training["step"].notna()]
    if not len(training) or not len(runs):
        return pd.DataFrame()
    facts = prepared(labelled(runs).assign(value=np.nan)).drop_duplicates("run")
    columns = ["run", "label", "group", "model", "size", "patch_size", "block", "gflops"]
    rows = training[["run", "step", "loss"]].merge(facts[columns], on="run", how="inner")
    # A log interval that two stages of one run recorded counts once.
    rows = rows.groupby([*columns, "step"], dropna=False, sort=False)["loss"].mean().reset_index()
    by = [*columns[1:], "step"]
    out = rows.groupby(by, dropna=False, sort=False)["loss"].agg(["mean", "count"]).reset_index()
    return out.rename(columns={"mean": "value", "count": "seeds"}).sort_values(["gflops", "step"])
