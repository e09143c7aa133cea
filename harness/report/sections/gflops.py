"""Model compute and quality (Figure 8)."""

from __future__ import annotations

import pandas as pd

from harness.components.section import Section
from harness.report import figures
from harness.report.against import differences, in_panels
from harness.report.blocks import Block, Cell, Text, paragraph, ref, strong, table
from harness.report.draw import drawn
from harness.report.figures.marks import OTHER, PANELS
from harness.report.findings import Findings
from harness.report.laws import laws_table
from harness.report.phrases import (
    PAPER,
    apart,
    best_sentence,
    correlation_sentence,
    floor_clause,
    interval_clause,
    law_sentence,
    learned_clause,
    missing,
    seeds,
    settings_clause,
)
from harness.report.prepared import prepared
from harness.report.tables import half
from harness.report.wording import at, cell, count, small_ints, within

SAID = 6  # settings of which the text speaks


class Gflops(Section):
    """Figure 8: model compute against quality, with the scaling law and the paper's models."""

    name = "gflops"
    title = "Model compute and quality"

    def blocks(self, findings: Findings) -> list[Block]:
        found = findings
        if not len(found.final):
            return [missing("No model has a measured quality yet", found)]
        spans: list[Text] = [ref("fig-gflops"), " sets model compute against quality. "]
        if found.references > 1:
            spans.append(apart(found))
        elif len(found.groups) == 1:
            spans += correlation_sentence(found, found.groups[0])
            spans += law_sentence(found, found.groups[0])
        else:
            spans += each_group(found)
        if found.without_value:
            lost = count(found.without_value, "recorded row has", "recorded rows have")
            verb = "is" if found.without_value == 1 else "are"
            spans.append(f"{lost} no finite value and {verb} left out. ")
        figure = drawn("gflops", drawing(found), caption(found))
        tables = laws_table(found)
        if tables:
            spans += [ref("tab-laws"), " has the law's numbers. "]
        others = against_table(found)
        if others:
            spans += [ref("tab-against"), " has the differences from "
                      f"{found.report.against_label}. {without_panel(found)}"]  # fmt: skip
        return [paragraph(*spans), figure, *tables, *others]


def placed(found: Findings) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """(rows of the main panels, the paper's rows where these stand beside in a panel of their own).

    Somebody else's rows are among ours of the same setting.
    """
    rows, beside = found.final, None
    if len(found.paper) >= 3 and len(found.groups) == 1:
        if found.papers_setting:
            rows = pd.concat([rows, found.paper], ignore_index=True)
        else:
            beside = found.paper
    theirs = anothers(found)
    if theirs["group"].notna().any():
        rows = pd.concat([rows, theirs[theirs["group"].notna()]], ignore_index=True)
    return rows, beside


def anothers(found: Findings) -> pd.DataFrame:
    """Somebody else's rows (none: empty), `group` null where no panel is of their setting."""
    theirs = found.report.against
    if theirs is None:
        return found.final.iloc[:0].assign(recorded=False)
    groups = in_panels(theirs, found.final)["group"]
    groups = groups.where(groups.isin(found.groups[:PANELS]), None)
    drawn = prepared(theirs, higher=found.higher).assign(group=groups)
    return drawn.assign(**{OTHER: found.report.against_label})


def without_panel(found: Findings) -> str:
    """A sentence that counts somebody else's values that are in no panel; "" where all are."""
    theirs = anothers(found)
    lost = int(theirs["group"].isna().sum())
    if not lost:
        return ""
    is_ = "is" if lost == 1 else "are"
    setting = "a setting that has" if lost == 1 else "settings that have"
    why = f"{is_} of {setting} no panel here"
    if not recorded(theirs):
        why = f"{'names' if lost == 1 else 'name'} no setting that has a panel here"
    return f"Of its {count(len(theirs), 'value')} {lost} {why} and {is_} not drawn. "


def recorded(theirs: pd.DataFrame) -> bool:
    """Are the settings of somebody else's values recorded? Those of a CSV are not."""
    return "recorded" in theirs and bool(theirs["recorded"].eq(True).all())


def divided(found: Findings) -> pd.DataFrame:
    """Ours over somebody else's values of the same models, where both stand in the same panels."""
    rows, beside = placed(found)
    return figures.ratios(rows) if beside is None and len(found.groups) == 1 else rows.iloc[:0]


def drawing(found: Findings) -> figures.Drawing:
    """Figure 8 of these findings."""
    rows, beside = placed(found)
    title = "the paper, 400K steps"
    return figures.gflops(
        rows, found.title, found.line(found.protocol), dict(found.laws), beside, title,
        over=divided(found),
    )  # fmt: skip


def caption(found: Findings) -> list[Text]:
    """The caption of Gflops against quality."""
    assert found.protocol is not None
    spans: list[Text] = [
        strong("Gflops against quality. "),
        f"{found.heading} {at(found.step)} ({found.protocol.sentence()}; {found.better}). ",
    ]
    if found.laws:
        spans.append("Line: scaling law; its band: 95% interval of the mean. ")
        if any(law.left_out for law in found.laws.values()):
            spans.append(
                "Grey diamond and bar: what the law of all others predicts for the largest model. "
            )
    spans.append(settings_clause(found.final))
    spans += floor_clause(found, found.protocol)
    spans.append(interval_clause(found.final))
    spans.append(learned_clause(found))
    if found.seeds > 1:
        spans.append(f"Means of {seeds(found)}. ")
    spans += open_markers(found)
    if len(found.paper) >= 3 and len(found.groups) == 1:
        where = "Open markers" if found.papers_setting else "Last panel, open markers"
        spans.append(f"{where}: {PAPER}, Table 3. ")
    over = divided(found)
    if len(over):
        spans.append(
            f"Last panel: ours over {over[OTHER].iloc[0]}'s, with our error alone; equal at the "
            "line. "
        )
    return spans


def open_markers(found: Findings) -> list[Text]:
    """For the caption: whose the open markers are, and what is known of their settings."""
    theirs = anothers(found)
    theirs = theirs[theirs["group"].notna()]
    if not len(theirs):
        return []
    spans: list[Text] = [f"Open markers: {found.report.against_label}. "]
    if len(found.groups) > 1:
        spans.append(
            "Each stands in the panel of its own setting. "
            if recorded(theirs)
            else "Each stands in the panel that its label names; no more is known of its setting. "
        )
    elif not recorded(theirs):
        spans.append("Their settings are not recorded. ")
    return spans


def against_table(found: Findings) -> list[Block]:
    """Ours and somebody else's values of the same models, with the difference and its interval."""
    if found.report.against is None:
        return []
    name = found.report.against_label
    gaps = differences(found.final, found.report.against)
    rows: list[list[str | Cell]] = [
        [
            r["label"],
            *(
                cell(v, v - half, v + half)
                for v, half in ((r["ours"], r["ours_half"]), (r["theirs"], r["theirs_half"]))
            ),
            within(r["value"], r["low"], r["high"]),
            "not told apart" if r["tie"] else "differ",
        ]
        for r in gaps.to_dict("records")
    ]
    head: list[str | Cell] = ["Model", "this study", name, "difference", ""]
    said: list[Text] = [
        strong("Differences. "),
        f"{found.heading}: this study less {name}, with 95% intervals, Holm over all rows; a value "
        "without a standard error cannot be told apart from any. ",
        half([row[1:3] for row in rows], " of the value alone"),
    ]
    return [table("against", "lrrrl", [head], rows, said, wide=True)]


def each_group(found: Findings) -> list[Text]:
    """One setting after the other: recipes, blocks and image sizes are never pooled."""
    spans: list[Text] = []
    for group in found.groups[:SAID]:
        said = correlation_sentence(found, group)
        said = said or best_sentence(found, found.final[found.final["group"] == group])
        if said:
            spans += [strong(f"{group or 'otherwise'}: "), *said]
    rest = len(found.groups) - SAID
    if rest > 0:
        spans.append(f"Of {small_ints(rest)} more settings nothing is said here. ")
    return spans
