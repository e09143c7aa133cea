"""Factors: what each setting that varied does at equal model and seed, and at which scale."""

from __future__ import annotations

import math
from typing import Any

from harness import setting_names as names
from harness.components.section import Section
from harness.report import chosen, figures
from harness.report.blocks import Block, Cell, Text, paragraph, ref, strong, table
from harness.report.draw import drawn
from harness.report.figures.factors import PANELS
from harness.report.findings import Findings
from harness.report.phrases import count_word, drawn_clause
from harness.report.wording import count, listed, number, p_value, ratio, small_ints

MOST = 40  # rows of a table


class Factors(Section):
    """Each factor's paired differences with intervals, and how they change with model compute."""

    name = "factors"
    title = "Factors"

    def blocks(self, findings: Findings) -> list[Block]:
        found = findings.effects
        if not found.factors:
            return []  # nothing varied but compute and seeds
        spans: list[Text] = [
            ref("fig-factors"),
            " compares trainings that differ in one setting alone, model by model and seed by "
            "seed; ",
            ref("tab-factors"),
            " has every pair of levels. ",
            *sentences(findings),
            *chosen.pointer(findings),
        ]
        caption: list[Text] = [
            strong("Factors. "),
            f"{findings.heading} of each level over that of the first, at equal model and seed; "
            "1: no difference. Bars: 95% intervals of each model alone. ",
            drawn_clause(found.points["factor"].nunique(), "factor", PANELS),
        ]
        drawing = figures.effects(found.points, findings.title)
        blocks: list[Block] = [paragraph(*spans), drawn("factors", drawing, caption)]
        blocks += [effects_table(findings), *turns_table(findings)]
        return [*blocks, *chosen.choices_table(findings)]


def better_level(row: dict[Any, Any]) -> Any:
    """The better level of a row of factor_effects, or None for a tie."""
    level = row["better"]
    return None if level is None or level != level else level


def sentences(found: Findings) -> list[Text]:
    """Say of every factor whether one level is better than another."""
    spans: list[Text] = []
    for factor, rows in found.effects.table.groupby("factor", sort=False):
        told = [better_level(r) for r in rows.to_dict("records")]
        won = [v for v in dict.fromkeys(told) if v is not None]
        name = names.setting(str(factor))
        ties = sum(v is None for v in told)
        spans.append(strong(f"{name[0].upper()}{name[1:]}: "))
        if not won:
            spans.append("no level is told from another. ")
            continue
        if len(told) == 1:
            (row,) = rows.to_dict("records")
            other = row["against"] if won[0] == row["level"] else row["level"]
            better, worse = (found.effects.level_in_words(factor, v) for v in (won[0], other))
            spans.append(f"{better} is better than {worse}. ")
            continue
        said = [
            f"{found.effects.level_in_words(factor, level)} is better in {told.count(level)}"
            for level in won
        ]
        total = len(told)
        tied = f", {count(ties, 'is a tie', 'are ties')}" if ties else ""
        spans.append(f"of {small_ints(total)} pairs of levels, {listed(said)}{tied}. ")
    turning = sum(t.slope.low > 0 or t.slope.high < 0 for t in found.effects.turns)
    if found.effects.turns:
        ratios = count_word(len(found.effects.turns), "ratio")
        many = small_ints(turning) if turning else "none"
        spans.append(
            f"Of {ratios}, {many} {'are' if turning > 1 else 'is'} told to change with model "
            "compute. "
        )
    return spans


def effects_table(found: Findings) -> Block:
    """The table of each factor's paired effects."""
    effects = found.effects
    several = effects.table["part"].nunique() > 1
    rows: list[list[str | Cell]] = []
    for r in effects.table.to_dict("records")[:MOST]:
        level = better_level(r)
        who = {"seeds": "models", "checkpoints": "these checkpoints"}.get(r["basis"], "no errors")
        name = names.setting(r["factor"]) + (f", {r['part']}" if several else "")
        rows.append(
            [
                name,
                effects.level_in_words(r["factor"], r["level"]),
                effects.level_in_words(r["factor"], r["against"]),
                ratio(r["ratio"], r["ratio_low"], r["ratio_high"]),
                ("no spread" if r["degenerate"] else "tie")
                if level is None
                else Cell(effects.level_in_words(r["factor"], level), strong=True),
                p_value(r["p_holm"]),
                str(r["models"]),
                str(r["seeds"]),
                number(r["gflops_ratio"], 4),
                who,
            ]
        )
    head: list[str | Cell] = ["Factor", "level", "against", f"ratio of {found.short}", "better"]
    head += ["p (Holm)", "cases", "seeds", "ratio of Gflops", "speaks of"]
    caption: list[Text] = [
        strong("Effects of the factors. "),
        f"Geometric mean over models of {found.short} at the level over that against which it "
        f"stands, with 95% intervals, Holm over the pairs of a factor; {found.better}. A tie is a "
        "ratio whose interval holds 1; a case is a model in one setting of all else. ",
    ]
    if effects.table["degenerate"].any():
        caption.append(
            "No spread: all pairs differ by the same, or the recorded errors are 0. Nothing can be "
            "tested then. "
        )
    if effects.ways:
        ways = [f"{name} by {how}" for name, how in effects.ways.items()]
        caption.append(f"Objectives are sampled each by its own sampler: {listed(ways)} of the "
                       "network. ")  # fmt: skip
    caption.append(
        "Only trainings that both levels have are paired, so a ratio here need not be that of two "
        "values of another table. "
    )
    if len(effects.table) > MOST:
        caption.append(f"{len(effects.table) - MOST:,} more pairs are in no table. ")
    if (effects.table["basis"] == "checkpoints").any():
        caption.append("With one training seed the intervals are of these checkpoints. ")
    return table("factors", "lllrlrrrrl", [head], rows, caption, wide=True, size=7.9, gap=3.4)


def turns_table(found: Findings) -> list[Block]:
    """Does the better level change with scale, and where are both equal?"""
    turns = found.effects.turns
    if not turns:
        return []
    rows: list[list[str | Cell]] = []
    for t in turns[:MOST]:
        slope = [math.exp(v) if v < 700 else math.inf for v in t.slope]
        changes = t.slope.low > 0 or t.slope.high < 0
        rows.append(
            [
                names.setting(t.factor),
                found.effects.level_in_words(t.factor, t.first),
                found.effects.level_in_words(t.factor, t.second),
                ratio(*slope),
                Cell("changes", strong=True) if changes else "not told",
                crossing(t.crossing),
                str(t.models),
            ]
        )
    head: list[str | Cell] = ["Factor", "level", "against", "ratio's change per tenfold compute"]
    head += ["with scale", "equal at (Gflops)", "cases"]
    caption: list[Text] = [
        strong("Effects and scale. "),
        "By which factor the ratio of the two levels grows with tenfold model compute (1: it does "
        "not), and the model compute at which both are equal (Fieller's interval; open where no "
        f"crossing is excluded); intervals are 95% for all {len(turns)} together.",
    ]
    if len(turns) > MOST:
        caption.append(f" {len(turns) - MOST:,} more comparisons are in no table.")
    return [table("interactions", "lllrllr", [head], rows, caption, wide=True, size=7.9)]


def crossing(at: Any) -> str:
    """Where two levels are equal, and the end of its interval on the side that is not open."""
    if at is None:
        return "not located"
    low, high = (math.isfinite(v) and v > 0 for v in (at.low, at.high))
    if low and high:
        return f"{number(at.value)} [{number(at.low)}, {number(at.high)}]"
    if low or high:
        end = f"above {number(at.low)}" if low else f"below {number(at.high)}"
        return f"{number(at.value)}, {end}"
    return "not located"
