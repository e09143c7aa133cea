"""Failures and gaps: what is not in the numbers, and why."""

from __future__ import annotations

import pandas as pd

from harness.components.section import Section
from harness.report.blocks import Block, Cell, Text, em, paragraph, ref, strong, table
from harness.report.findings import Findings
from harness.report.wording import at, count, number

MOST = 40  # rows of the table


class Failures(Section):
    """What is not done or failed, and which recorded values are not finite."""

    name = "failures"
    title = "Failures and gaps"
    needs = ()

    def blocks(self, findings: Findings) -> list[Block]:
        report = findings.report
        lost, uncounted = _not_finite(findings), _uncounted(findings)
        if not report.missing and not report.failures and not lost and not uncounted:
            return [paragraph(em("Everything that the study asks for is done and finite."))]
        reasons = dict(report.failures)
        names = list(dict.fromkeys([*report.missing, *reasons]))
        rows: list[list[str | Cell]] = [
            [what.rpartition(": ")[0] or what, reasons.get(what) or _why(what)]
            for what in names[:MOST]
        ]
        rows += [[label, f"{metric} is {value}"] for label, metric, value in lost[:MOST]]
        rows += [[model, f"Gflops per forward pass: {said}"] for model, said in uncounted[:MOST]]
        text: list[Text] = [
            ref("tab-failures"),
            " has ",
            count(len(names), "stage that is", "stages that are"),
        ]
        text.append(" not done")
        if lost:
            text += [" and ", count(len(lost), "value that is", "values that are"), " not finite"]
        if uncounted:
            text += ["; of ", count(len(uncounted), "model"), " no Gflops were counted"]
            text.append(", so that they are compared nowhere")
        more = len(names) - MOST
        text.append(f"; {more:,} more stages are not shown." if more > 0 else ".")
        if len(lost) > MOST:
            text.append(f" {len(lost) - MOST:,} more values are not shown.")
        caption: list[Text] = [
            strong("Failures and gaps. "),
            "No number stands in for any of them.",
        ]
        return [
            paragraph(*text),
            table("failures", "ll", [["What", "Why"]], rows, caption, wide=True),
        ]


def _why(what: str) -> str:
    """What a phrase of `missing` says behind its colon."""
    return what.rpartition(": ")[2] if ": " in what else "not done"


def _uncounted(found: Findings) -> list[tuple[str, str]]:
    """(model, what is there) of models whose Gflops are no positive number: they are compared
    nowhere."""
    rows = found.report.frames["metrics"]
    rows = rows[rows["of"].fillna("samples") == "samples"]
    models = rows.drop_duplicates(["model", "gflops"])
    bad = models[~(models["gflops"] > 0).fillna(False).astype(bool)]
    return [
        (str(r["model"]), "not recorded" if pd.isna(r["gflops"]) else number(r["gflops"]))
        for r in bad.to_dict("records")
    ]


def _not_finite(found: Findings) -> list[tuple[str, str, str]]:
    """(label, metric, value) of recorded values of samples that are infinite or NaN."""
    rows = found.report.frames["metrics"]
    rows = rows[rows["of"].fillna("samples") == "samples"]
    told = []
    for r in rows.to_dict("records"):
        value = r["value"]
        if value is None or value != value or abs(float(value)) == float("inf"):
            said = "infinite" if value is not None and value == value else "not a number"
            step = None if pd.isna(r["step"]) else int(r["step"])
            told.append((f"{r['model']} {at(step)}", str(r["metric"]), said))
    return told
