"""Alternatives at equal compute: the best of each budget, and who is not told from it."""

from __future__ import annotations

from typing import Any

import pandas as pd

from harness.analysis.alternatives import alternatives
from harness.components.section import Section
from harness.report.blocks import Block, Cell, Text, em, paragraph, ref, strong, table
from harness.report.chosen import in_words, on_the_same
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
        alone = rows.groupby("budget")["budget"].transform("size") == 1
        drawn = prepared(rows.assign(alone=alone), ceiling=found.ceiling, higher=found.higher)
        spans: list[Text] = [
            ref("tab-alternatives"),
            " sets every training beside those that cost the same to train and to sample, within "
            "a tenth, each with the sampler named there. ",
            *sentences(rows),
        ]
        shown = drawn.iloc[:MOST]
        named = len(ways(shown)) > 1
        head: list[str | Cell] = ["Training", "steps", "sampler", "Gflops"]
        head += ["to train", "per sample", found.short, "from the best", ""]
        head += ["chosen on; values of"] if named else []
        body: list[list[str | Cell]] = []
        rules = []
        for row in shown.to_dict("records"):
            if body and row["best"]:
                rules.append(len(body))
            body.append(line(row, named))
        basis = set(rows["basis"].dropna())
        caption: list[Text] = [
            strong("Alternatives. "),
            f"{found.heading}; {found.better}. A rule ends a budget; its best comes first. Gflops: "
            "of a forward pass, of the whole training, of one sample. “apart”: the 95% interval of "
            "the difference from the budget's best excludes 0; “tie”: it does not. ",
            *of_choice(shown),
            half(body, ", over training seeds" if basis == {"seeds"} else
                 ", of these checkpoints sampled again: another training would differ by more"),
            *floor_clause(found, found.protocol, figure=False),
            f"{len(drawn) - MOST} more rows are not shown. " if len(drawn) > MOST else "",
        ]  # fmt: skip
        return [
            paragraph(*spans),
            table("alternatives", "lrlrrrrrl" + "l" * named, [head], body, caption,
                  wide=True, size=7.4, rules=rules),
        ]  # fmt: skip


def ways(rows: pd.DataFrame) -> list[tuple[str, str]]:
    """On which samples the bests of budgets were chosen, and of which the values are, each once.

    None of a budget whose best was chosen on what is reported.
    """
    pairs = rows.loc[rows["chosen_on"].notna(), ["chosen_on", "valued_on"]]
    return [(str(on), str(of)) for on, of in pairs.drop_duplicates().itertuples(index=False)]


def of_choice(rows: pd.DataFrame) -> list[Text]:
    """For the caption: where the best of a budget was chosen, and what that makes of its value."""
    several = rows[~rows["alone"].astype(bool)]
    said: list[Text] = []
    if pairs := ways(several):
        on, of = "the samples named first", "the others"
        if len(pairs) == 1:
            on, of = (in_words(samples) for samples in pairs[0])
        said.append(
            f"“best”: chosen on {on}; the budget's values and differences are of {of}, of which "
            "the choice knew nothing, with Holm's correction over the differences. "
        )
    at_once = several["best"] & several["chosen_on"].isna()
    if at_once.any():
        said.append(
            "“best, flattered”: the best of the very values that stand here, with Holm's "
            "correction over all pairs of the budget. "
        )
    if several["ahead"].any():
        said.append("“ahead”: apart, and better than what was chosen. ")
    if (several["apart"].isna() & ~several["best"]).any():
        said.append(
            "“not compared”: it has too few of the seeds that the others share; its value is of "
            "all its samples. "
        )
    return said


def line(row: dict[Any, Any], named: bool = False) -> list[str | Cell]:
    """One row of the table. named: with the samples on which the best of a budget was chosen."""
    steps = row["sampling_steps"]
    sampler = f"{row['sampler']} {int(steps)}" if pd.notna(steps) else str(row["sampler"])
    value = cell(row["value"], row["low"], row["high"])
    unflattered = isinstance(row["chosen_on"], str)
    said = verdict(row)
    found: list[str | Cell] = [
        str(row["label"]),
        whole(row["step"]),
        sampler,
        number(row["gflops"]),
        number(row["train_gflops"]),
        number(row["sampling_gflops"]),
        Cell(value, strong=True) if row["best"] and unflattered else value,
        difference(row),
        said if row["learned"] is not False else f"{said}, noise",
    ]
    if not named:
        return found
    if not (row["best"] and unflattered):
        return [*found, ""]
    of = str(row["valued_on"]).partition(" ")[2]
    return [*found, f"{in_words(row['chosen_on'])}; {of}"]


def verdict(row: dict[Any, Any]) -> str:
    """What is said of a row in one word or two."""
    if row["best"]:
        chosen = isinstance(row["chosen_on"], str)
        return "alone" if row["alone"] else "best" if chosen else "best, flattered"
    if row["ahead"]:
        return "ahead"
    return "not compared" if row["apart"] is None else "apart" if row["apart"] else "tie"


def difference(row: dict[Any, Any]) -> str:
    """The value less the best's on the same samples, with its sign; "" where there is none."""
    if pd.isna(row["gap"]):
        return ""
    text = cell(row["gap"], row["gap_low"], row["gap_high"])
    return text if text.startswith("−") else f"+{text}"


def sentences(rows: pd.DataFrame) -> list[Text]:
    """Say in how many budgets the best is told from all others of its budget, and whether it was
    chosen on other samples than those of its value."""
    sizes = rows.groupby("budget").size()
    several = sizes[sizes > 1].index
    if not len(several):
        return ["No two trainings cost the same. "]
    clear, open_ = [], 0
    parts = [rows[rows["budget"] == budget] for budget in several]
    for part in parts:
        others = part[~part["best"].astype(bool)]
        if all(v is True for v in others["apart"]) and not others["ahead"].any():
            clear.append(str(part.loc[part["best"].astype(bool), "label"].iloc[0]))
        else:
            open_ += 1
    one = len(several) == 1
    budgets = "the one budget" if one else f"the {small_ints(len(several))} budgets"
    budgets += " with several trainings"
    spans: list[Text] = []
    if not clear:
        no_best = f"In {budgets} is no best" if one else f"In none of {budgets} is the best"
        spans.append(f"{no_best} told from all its others. ")
    else:
        names = list(dict.fromkeys(clear))
        more = [f"{small_ints(len(names) - NAMED)} more"] if len(names) > NAMED else []
        of = "" if one else "each of " if not open_ else f"{small_ints(len(clear))} of "
        rest = f" In the other{'s' if open_ > 1 else ''} it is not." if open_ else ""
        spans.append(
            f"In {of}{budgets} the best is told from all its others: "
            f"{listed([*names[:NAMED], *more])}.{rest} "
        )
    return spans + where_chosen(parts)


def where_chosen(parts: list[pd.DataFrame]) -> list[Text]:
    """In how many budgets of several trainings the best was chosen on other samples."""
    firsts = pd.DataFrame([part.iloc[0] for part in parts])
    divided = int(firsts["chosen_on"].notna().sum())
    same = len(parts) - divided
    spans: list[Text] = []
    if divided:
        on, of = "other trainings or samples", "the rest"
        if len(pairs := ways(firsts)) == 1:
            on, of = (in_words(samples) for samples in pairs[0])
        best = "The best of each" if divided > 1 else "The best"
        if same:
            best = f"In {small_ints(divided)} of them the best"
        spans.append(f"{best} is chosen on {on}; its value and its differences are of {of}. ")
    if same:
        whose = "the other " if divided else "this " if same == 1 else "these "
        number_of = "" if same == 1 or not divided else f"{small_ints(same)} "
        spans.append(on_the_same(f"The trainings of {whose}{number_of}budget{'s' * (same > 1)}"))
    return spans
