"""Alternatives at equal compute: the best of each budget, and who is not told from it."""

from __future__ import annotations

from typing import Any

import pandas as pd

from harness.analysis.alternatives import alternatives
from harness.components.section import Section
from harness.report.blocks import Block, Cell, Text, em, paragraph, ref, strong, table
from harness.report.findings import Findings
from harness.report.phrases import floor_clause
from harness.report.prepared import prepared
from harness.report.tables import half, whole
from harness.report.wording import cell, listed, number, small_ints

MOST = 60  # rows of the table
NAMED = 6  # best trainings in the text


class Alternatives(Section):
    """Every training beside those that cost the same: objectives, families, schedules, rates."""

    name = "alternatives"
    title = "Alternatives at equal compute"

    def blocks(self, findings: Findings) -> list[Block]:
        found = findings
        rows = alternatives(found.report.frames["metrics"], found.metric or "")
        if not len(rows):
            return [paragraph(em("No training has a measured quality yet."))]
        drawn = prepared(rows, ceiling=found.ceiling, higher=found.higher)
        spans: list[Text] = [
            ref("tab-alternatives"),
            " sets every training beside those that cost the same to train and to sample, within "
            "a tenth, each with the sampler named there. ",
            *sentences(rows),
        ]
        shown = drawn.iloc[:MOST]
        head: list[str | Cell] = ["Training", "steps", "sampler", "Gflops"]
        head += ["to train", "per sample", found.short, "from the best"]
        body: list[list[str | Cell]] = []
        rules = []
        for row in shown.to_dict("records"):
            if body and row["apart"] is None:
                rules.append(len(body))
            body.append(line(row))
        basis = set(rows["basis"].dropna())
        caption: list[Text] = [
            strong("Alternatives. "),
            f"{found.heading}; {found.better}. A rule ends a budget; its best comes first. Gflops: "
            "of a forward pass, of the whole training, of one sample. “apart”: the 95% interval of "
            "the difference from the budget's best excludes 0, with Holm's correction over all "
            "pairs of the budget; “tie”: it does not. The best of several is flattered. ",
            half(body, ", over training seeds" if basis == {"seeds"} else
                 ", of these checkpoints sampled again: another training would differ by more"),
            *floor_clause(found, found.protocol, figure=False),
            f"{len(drawn) - MOST} more rows are not shown. " if len(drawn) > MOST else "",
        ]  # fmt: skip
        return [
            paragraph(*spans),
            table("alternatives", "lrlrrrrl", [head], body, caption,
                  wide=True, size=7.4, rules=rules),
        ]  # fmt: skip


def line(row: dict[Any, Any]) -> list[str | Cell]:
    """One row of the table."""
    steps = row["sampling_steps"]
    sampler = f"{row['sampler']} {int(steps)}" if pd.notna(steps) else str(row["sampler"])
    best = row["apart"] is None
    value = cell(row["value"], row["low"], row["high"])
    verdict = "best" if best else "apart" if row["apart"] else "tie"
    return [
        str(row["label"]),
        whole(row["step"]),
        sampler,
        number(row["gflops"]),
        number(row["train_gflops"]),
        number(row["sampling_gflops"]),
        Cell(value, strong=True) if best else value,
        verdict if row["learned"] is not False else f"{verdict}, noise",
    ]


def sentences(rows: pd.DataFrame) -> list[Text]:
    """Say in how many budgets the best is told from all others of its budget."""
    sizes = rows.groupby("budget").size()
    several = sizes[sizes > 1].index
    if not len(several):
        return ["No two trainings cost the same. "]
    clear, open_ = [], 0
    for budget in several:
        part = rows[rows["budget"] == budget]
        if all(bool(v) for v in part["apart"].iloc[1:]):
            clear.append(str(part["label"].iloc[0]))
        else:
            open_ += 1
    one = len(several) == 1
    budgets = "the one budget" if one else f"the {small_ints(len(several))} budgets"
    budgets += " with several trainings"
    if not clear:
        no_best = f"In {budgets} is no best" if one else f"In none of {budgets} is the best"
        return [f"{no_best} told from all its others. "]
    names = list(dict.fromkeys(clear))
    more = [f"{small_ints(len(names) - NAMED)} more"] if len(names) > NAMED else []
    of = "" if one else "each of " if not open_ else f"{small_ints(len(clear))} of "
    rest = f" In the other{'s' if open_ > 1 else ''} it is not." if open_ else ""
    return [
        f"In {of}{budgets} the best is told from all its others: "
        f"{listed([*names[:NAMED], *more])}.{rest} "
    ]
