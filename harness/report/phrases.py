"""Sentences that several sections say of the same findings, each with its interval."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from harness.analysis.intervals import Interval
from harness.analysis.ranking import best
from harness.analysis.selection import Protocol, errors
from harness.report.blocks import Block, Text, em, paragraph, strong
from harness.report.findings import Findings, Floor
from harness.report.prepared import numbers
from harness.report.wording import count, listed, number, small_ints, within

PAPER = "Peebles and Xie, “Scalable Diffusion Models with Transformers” (2023)"
FLOPS = "1 Gflop is 10⁹ multiply-accumulates here, as in the paper"


def seeds(found: Findings) -> str:
    """Models of a half-finished study may have fewer than others."""
    fewer = bool((found.final["seeds"] < found.seeds).any())
    return f"{'up to ' if fewer else ''}{count_word(found.seeds, 'training seed')}"


def count_word(n: int, one: str) -> str:
    return f"{small_ints(n)} {one}{'' if n == 1 else 's'}"


def real_images(floor: Floor) -> str:
    """A Frechet distance depends on the number of images, so it is said."""
    return "real images" if floor.images is None else f"{floor.images:,} real images"


def apart(found: Findings) -> str:
    return (
        f"They are measured against {small_ints(found.references)} references, each with images or "
        "weights of its own, so that the values of one are not compared with another's. "
    )


def trained(found: Findings) -> bool:
    """Was any one model measured at several steps?"""
    return bool((found.curves.groupby("label")["step"].nunique() > 1).any())


def missing(what: str, found: Findings) -> Block:
    more = "; the first page says what is not done" if found.report.missing else ""
    return paragraph(em(f"{what}{more}."))


def floor_clause(found: Findings, protocol: Protocol | None) -> list[Text]:
    """What real images score beside values that were measured so, and decoded noise, for captions.

    Fewer real images than samples are told without a line: they would score another number.
    """
    if found.references > 1:
        return ["Each reference has a floor of its own. "]
    floor = found.floor(protocol)
    if floor is None:
        return ["No floor was measured. "]
    real = real_images(floor)
    how = "dashed where in range" if floor.enough else "fewer than the samples, so no line"
    said = f"{real[0].upper()}{real[1:]} give {number(floor.value)} ({how})"
    if found.ceiling is not None:
        said += f"; decoded noise gives {number(found.ceiling)}"
    return [said + ". "]


def interval_clause(rows: pd.DataFrame) -> str:
    """What bars and bands are, for captions."""
    known = np.isfinite(numbers(rows, "low"))
    if not known.any():
        return "No standard error was recorded, so no interval is drawn. "
    some = "" if known.all() else " where one is known"
    return f"Bars and bands: 95% intervals{some}. "


def learned_clause(found: Findings) -> str:
    names = [r["label"] for r in found.final.to_dict("records") if r["learned"] is False]
    if not names:
        return ""
    return f"Hollow with a cross: not told from decoded noise ({listed(names)}). "


def direction(r: Interval, higher: bool) -> str:
    """ "better", "worse" or "undecided": what the correlation says of more compute."""
    if not (math.isfinite(r.low) and math.isfinite(r.high)) or r.low <= 0 <= r.high:
        return "undecided"
    return "better" if (r.value > 0) == higher else "worse"


def correlation_sentence(found: Findings, group: str = "") -> list[Text]:
    """Does quality follow model compute? By Pearson's correlation, fixed before the data."""
    c = found.correlations.get(group)
    if c is None:
        return []
    who = "checkpoints" if found.checkpoints else "models"
    verdict = {
        "better": f"Of these {who}, those of more compute score better: ",
        "worse": f"Of these {who}, those of more compute score worse: ",
        "undecided": f"Whether quality follows compute is undecided for these {who}: ",
    }[direction(c.pearson, found.higher)]
    spans: list[Text] = [verdict, "Pearson's correlation of log Gflops with "]
    spans += [f"{found.short} is ", strong(correlation_text(c.pearson))]
    spans.append(f" over {count(c.models, who.rstrip('s'))}")
    if math.isnan(c.pearson.low):
        spans.append(", too few for an interval")
    spans.append(f"; Spearman's is {correlation_text(c.spearman)}. ")
    return spans


def correlation_text(r: Interval) -> str:
    """ "−0.76 [−0.93, −0.32]"."""
    from harness.report.wording import signed

    if math.isnan(r.low) or math.isnan(r.high):
        return signed(r.value)
    return f"{signed(r.value)} [{signed(r.low)}, {signed(r.high)}]"


def top(rows: pd.DataFrame, higher: bool) -> tuple[dict[str, Any], list[str]]:
    """The row of the best value, and the labels of all others that tie with it."""
    tied = best(rows["value"], *errors(rows), higher=higher)
    values = rows["value"].to_numpy(float)
    at = int(np.argmax(values if higher else -values))
    row = {str(k): v for k, v in rows.iloc[at].items()}
    others = [str(r) for i, (r, t) in enumerate(zip(rows["label"], tied, strict=True)) if t]
    return row, [label for label in others if label != row["label"]]


def best_sentence(found: Findings, rows: pd.DataFrame) -> list[Text]:
    """Who is best, or who cannot be told from it."""
    if not len(rows):
        return []
    row, tied = top(rows, found.higher)
    value = within(row["value"], row.get("low"), row.get("high"))
    if len(rows) == 1:
        return [f"{row['label']} has {found.short} ", strong(value), ". "]
    word = "highest" if found.higher else "lowest"
    if not np.isfinite(errors(rows)[0]).all():
        return [
            f"The {word} {found.short} is {row['label']}'s, ",
            strong(value),
            "; not every value has a standard error, so none is called the best. ",
        ]
    if not tied:
        return ["The best is ", f"{row['label']} with {found.short} ", strong(value), ". "]
    shown = listed(tied) if len(tied) <= 4 else f"{len(tied)} others"
    spans: list[Text] = [f"The {word} {found.short} is {row['label']}'s, ", strong(value)]
    return [*spans, f"; {shown} cannot be told from it. "]


def floor_sentence(found: Findings) -> list[Text]:
    floor = found.floor(found.protocol)
    if floor is None:
        return []
    real = real_images(floor)
    fewer = "" if floor.enough else ", fewer than the samples and not to be compared with them"
    return [f"{real[0].upper()}{real[1:]} score {number(floor.value)}{fewer}. "]


def law_sentence(found: Findings, group: str = "") -> list[Text]:
    """The law, its intervals, and what it said of the largest model without having seen it."""
    law = found.laws.get(group)
    if law is None:
        why = found.no_law.get(group)
        return [f"No scaling law is fitted: {why.rstrip('.')}. "] if why else []
    spans: list[Text] = [
        "The law q = E + A·C",
        "⁻ᵃ",
        f" in Gflops has a = {within(*law.exponent)}, A = {within(*law.scale)} and "
        f"E = {within(*law.offset)}; the offset E is ",
        "" if law.identifiable else "not ",
        "told from 0",
    ]
    preferred = "with" if law.preferred == "offset" else "without"
    spans.append(f", and corrected AIC prefers the law {preferred} it. ")
    left = law.left_out
    if left is not None:
        spans.append(
            f"Fitted without the largest model it predicts {within(*left.predicted)} where "
            f"{number(left.measured)} was measured ({100 * left.error:+.0f}%). ".replace("-", "−")
        )
    return spans


def sampling_sentence(found: Findings) -> list[Text]:
    """At equal sampling compute, is the larger of two neighbours in size ahead?"""
    pairs = found.pairs
    if not len(pairs):
        return []
    if pairs["basis"].isna().all():
        return [
            "Without standard errors it is not decided which of two models is ahead at equal "
            "sampling compute. "
        ]
    ahead = pairs["ahead"].value_counts()
    who = "checkpoints" if (pairs["basis"] == "checkpoints").any() else "models"
    spans: list[Text] = [
        f"At equal sampling compute, of {count(len(pairs), 'pair')} of {who} that are neighbours "
        "in size, the larger is ahead in ",
        strong(str(int(ahead.get("larger", 0)))),
        f", the smaller in {int(ahead.get('smaller', 0))}, and "
        f"{int(ahead.get('undecided', 0))} are undecided (95%, Holm over pairs). ",
    ]
    p = found.pair
    if p is not None:
        spans.append(
            f"{p.larger} with {p.larger_steps} steps ({number(p.larger_value)}) is ahead of "
            f"{p.smaller} with {p.smaller_steps} ({number(p.smaller_value)}) at "
            f"{within(*p.saving)} times less compute, a pair that was selected among these. "
        )
    return spans
