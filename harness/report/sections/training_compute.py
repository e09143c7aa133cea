"""Training compute and quality (Figure 9): envelope, crossings, and the best model per budget."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from harness.analysis.crossings import at_budgets, crossings
from harness.analysis.intervals import interval
from harness.components.section import Section
from harness.report import figures
from harness.report.blocks import Block, Cell, Table, Text, paragraph, ref, strong, table
from harness.report.draw import drawn
from harness.report.findings import Findings
from harness.report.phrases import (
    ON_THE_WAY,
    floor_clause,
    interval_clause,
    missing,
    settings_clause,
    trained,
)
from harness.report.tables import half
from harness.report.wording import DASH, cell, listed, number

BUDGETS = 6
MOST = 40  # rows of the crossings


class TrainingCompute(Section):
    """Figure 9: training compute against quality, the envelope and the best model per budget."""

    name = "training-compute"
    title = "Training compute and quality"

    def blocks(self, findings: Findings) -> list[Block]:
        found = findings
        if not trained(found.compared):
            return [missing("Quality was not measured at more than one training step", found)]
        if not len(found.frontier):
            return [missing("The compute of the trainings is not known", found)]
        word = "highest" if found.higher else "lowest"
        spans: list[Text] = [
            ref("fig-training-compute"),
            " counts training compute as the paper does: Gflops × batch × steps × 3. The grey band "
            f"is the {word} measured value at each compute",
        ]
        if len(found.groups) == 1 and not found.on_the_way:
            members = list(dict.fromkeys(found.frontier.sort_values("train_gflops")["label"]))
            spans.append(f", of {listed(members)} in this order" if len(members) > 1 else "")
        side = "above" if found.higher else "below"
        spans.append(f". The {word} of several noisy values lies {side} its own true value. ")
        if found.on_the_way:
            spans.append(
                f"{ON_THE_WAY}. So no best model of a budget and no crossing is read here. "
            )
        elif len(found.compared) < len(found.curves):
            spans.append("Only checkpoints at the end of their learning rate are compared here. ")
        met = neighbours(found)
        at = budgets(found)
        best = tops(found, at)
        tables = [*budgets_table(found, at, best), *crossings_table(found, met)]
        for block in tables:
            what = {"tab-budgets": " has the best models at given budgets. ",
                    "tab-crossings": " has the compute from which the larger of two neighbours "
                    "is ahead. "}[block.label]  # fmt: skip
            spans += [ref(block.label), what]
        caption: list[Text] = [
            strong("Training compute against quality. "),
            f"{found.heading}. Each line is a model, each mark a checkpoint. ",
            "Diamonds are the best model of a budget, named where another takes over. "
            if len(best)
            else "",
            *_crosses(met),
            settings_clause(found.compared),
            *floor_clause(found, found.compared_protocol),
            interval_clause(found.compared),
        ]
        drawing = figures.training_compute(
            found.compared, found.title, found.line(found.compared_protocol), found.frontier, met,
            best,
        )  # fmt: skip
        return [paragraph(*spans), drawn("training-compute", drawing, caption), *tables]


def parts(found: Findings) -> list[tuple[str, pd.DataFrame]]:
    """Curves of each setting whose checkpoints compare; settings are not compared here."""
    if found.on_the_way:
        return []
    rows = found.compared
    usable = rows[rows["train_gflops"].notna() & (rows["value"] > 0)]
    return [(str(name), part) for name, part in usable.groupby("group", sort=False)]


def budgets(found: Findings) -> pd.DataFrame:
    """`at_budgets` at some budgets of each setting, with `group`.

    Empty where no two models share one; a budget that one model alone has is left out.
    """
    frames = [pd.DataFrame(columns=["budget", "label", "value", "std", "std_df", "best", "group"])]
    for group, part in parts(found):
        x = part["train_gflops"].astype(float)
        if x.nunique() < 3 or found.metric is None or part["step"].nunique() < 2:
            continue
        chosen = np.geomspace(x.min(), x.max(), BUDGETS + 2)[1:-1]
        at = at_budgets(part, chosen, found.metric).assign(group=group)
        frames.append(at[at.groupby("budget")["label"].transform("size") > 1])
    return pd.concat([f for f in frames if len(f)] or frames, ignore_index=True)


def tops(found: Findings, at: pd.DataFrame) -> pd.DataFrame:
    """The row of the best value for each setting and budget."""
    if not len(at):
        return at
    value = at["value"].astype(float) * (-1 if found.higher else 1)
    return at.loc[value.groupby([at["group"], at["budget"]]).idxmin()]


def budgets_table(found: Findings, at: pd.DataFrame, best: pd.DataFrame) -> list[Table]:
    """The best model at each of some budgets, by interpolation, with all that tie with it."""
    rows: list[list[str | Cell]] = []
    several = len(found.groups) > 1
    for top in best.to_dict("records"):
        one = at[(at["group"] == top["group"]) & (at["budget"] == top["budget"])]
        tied = [str(v) for v in one[one["best"].astype(bool)]["label"] if v != top["label"]]
        ends = (math.nan, math.nan, math.nan)
        if np.isfinite(top["std"]):
            ends = tuple(interval(top["value"], top["std"], top["std_df"]))  # type: ignore[assignment]
        lead: list[str | Cell] = [str(top["group"])] if several else []
        known = bool(np.isfinite(one["std"].astype(float)).all())
        second = (listed(tied) if tied else "none") if known else "no standard errors"
        if known and len(tied) > 4:
            second = f"{len(tied)} others"
        rows.append([*lead, number(top["budget"]), str(top["label"]),
                     cell(top["value"], ends[1], ends[2]), second, str(len(one))])  # fmt: skip
    if not rows:
        return []
    head: list[str | Cell] = ["Setting"] if several else []
    head += ["Budget (Gflops)", "best", found.short, "not told from it", "models"]
    caption: list[Text] = [
        strong("Best model per training budget. "),
        "Each model's curve interpolated in log compute, never beyond its own checkpoints. ",
        half(rows, ", ties by Holm over the models of a budget"),
    ]
    align = ("l" if several else "") + "rlrlr"
    return [table("budgets", align, [head], rows, caption, wide=True, size=7.9)]


def neighbours(found: Findings) -> pd.DataFrame | None:
    """Where neighbours in size, and in patch size, cross, with their `group`; None: no two meet."""
    frames = [
        crossings(part, found.metric or "", along).assign(along=along, group=group)
        for group, part in parts(found)
        for along in ("size", "patch_size")
        if "size" in part and part["size"].notna().any()
    ]
    frames = [f for f in frames if len(f)]
    return pd.concat(frames, ignore_index=True) if frames else None


def _crosses(met: pd.DataFrame | None) -> list[Text]:
    if met is None or not met["compute"].notna().any():
        return []
    return ["Cross: the larger neighbour gets ahead; bar: 95% interval, open without a cap. "]


def crossings_table(found: Findings, met: pd.DataFrame | None) -> list[Table]:
    """From which compute on the next larger model (or smaller patch) is ahead for good."""
    if met is None:
        return []
    rows: list[list[str | Cell]] = []
    for r in met.to_dict("records")[:MOST]:
        low = "below the range" if r["low"] <= 0 else number(r["low"])
        high = "beyond the range" if math.isinf(r["high"]) else number(r["high"])
        ends = f"{low} to {high}"
        if r["low"] <= 0 and math.isinf(r["high"]):
            ends = "open"
        at = DASH if math.isnan(r["compute"]) else number(r["compute"])
        rows.append([str(r["smaller"]), str(r["larger"]), str(r["seen"]), at, ends,
                     f"{number(r['first'])} to {number(r['last'])}"])  # fmt: skip
    head: list[str | Cell] = ["Smaller", "larger", "seen", "crossing (Gflops)", "95% interval"]
    caption: list[Text] = [
        strong("Crossings of the curves of training. "),
        "From which training compute on the larger of two neighbours in size, or in patch size, "
        "is ahead for good; its interval holds every compute at which the difference's own "
        "interval holds 0, and is open where the measured range ends or no error is recorded.",
    ]
    if len(met) > MOST:
        caption.append(f" {len(met) - MOST:,} more pairs of neighbours are in no table.")
    head += ["common range"]
    return [table("crossings", "lllrll", [head], rows, caption, wide=True, size=7.6, gap=3.2)]
