"""Sentences that several sections say of the same findings, each with its interval."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from harness.analysis import shared_draws
from harness.analysis.averaging import errors, of_one_spread
from harness.analysis.correlations import Correlations
from harness.analysis.extractor_strength import weak_sentence
from harness.analysis.intervals import Interval
from harness.analysis.protocol import Protocol
from harness.analysis.ranking import best
from harness.analysis.sampling import HeadlinePair
from harness.report.blocks import Block, Text, em, paragraph, strong
from harness.report.figures.marks import PANELS, groups
from harness.report.findings import Findings, Floor
from harness.report.prepared import numbers
from harness.report.wording import count, listed, number, signed, small_ints, within

PAPER = "Peebles and Xie, “Scalable Diffusion Models with Transformers” (2023)"
FLOPS = "1 Gflop is 10⁹ multiply-accumulates here, as in the paper"


def seeds(found: Findings) -> str:
    """Models of a half-finished study may have fewer than others."""
    fewer = bool((found.final["seeds"] < found.seeds).any())
    return f"{'up to ' if fewer else ''}{count_word(found.seeds, 'training seed')}"


def count_word(n: int, one: str) -> str:
    """A count with its noun: "three models"."""
    return f"{small_ints(n)} {one}{'' if n == 1 else 's'}"


def real_images(floor: Floor) -> str:
    """A Frechet distance depends on the number of images, so it is said."""
    return "real images" if floor.images is None else f"{floor.images:,} real images"


def apart(found: Findings) -> str:
    """A sentence on values of several references, which are not compared."""
    return (
        f"They are measured against {small_ints(found.references)} references, each with images or "
        "weights of its own, so that the values of one are not compared with another's. "
    )


def trained(curves: pd.DataFrame) -> bool:
    """Was any one model measured at several steps?"""
    return bool((curves.groupby("label")["step"].nunique() > 1).any())


ON_THE_WAY = (
    "The learning rate falls to the end of training: every checkpoint but a model's last is on the "
    "way there, and a whole training of its length may well have ended better"
)


def missing(what: str, found: Findings) -> Block:
    """A paragraph in place of a figure that cannot be drawn: `what` is missing."""
    more = "; the first page says what is not done" if found.report.missing else ""
    return paragraph(em(f"{what}{more}."))


def weak_clause(found: Findings) -> list[Text]:
    """That the extractor knows too little for its numbers to be trusted; nothing where it does."""
    said = weak_sentence(found.report.frames["metrics"], found.metric)
    return [strong(said.strip()), " "] if said else []


def floor_clause(found: Findings, protocol: Protocol | None, *, figure: bool = True) -> list[Text]:
    """Floor and ceiling (decoded noise) of values that were measured so, for captions of a figure,
    which draws the floor, or of a table.

    Fewer real images than samples are told without a line: they would score another number. And
    whether the features know what they are to tell apart.
    """
    weak = weak_clause(found)
    if found.references > 1:
        return ["Each reference has a floor of its own. ", *weak]
    floor = found.floor(protocol)
    if floor is None:
        return ["No floor was measured. ", *weak]
    real = real_images(floor)
    said = f"{real[0].upper()}{real[1:]} give {number(floor.value)}"
    if not floor.enough:
        said += f" (fewer than the samples{', so no line' if figure else ''})"
    elif figure:
        said += " (dashed where in range)"
    if found.ceiling is not None:
        said += f"; decoded noise gives {number(found.ceiling)}"
    return [said + ". ", *weak]


def settings_clause(rows: pd.DataFrame, most: int = PANELS) -> str:
    """For captions of a panel per setting: how many settings there are, where not all are drawn."""
    return drawn_clause(len(groups(rows)), "setting", most)


def drawn_clause(number: int, what: str, most: int = PANELS) -> str:
    """For captions: how many there are of what has a panel; nothing where all are drawn."""
    if number <= most:
        return ""
    return f"Drawn are the first {small_ints(most)} of {count(number, what)}. "


def interval_clause(rows: pd.DataFrame) -> str:
    """The meaning of bars and bands, for captions."""
    known = np.isfinite(numbers(rows, "low"))
    if not known.any():
        return "No standard error was recorded, so no interval is drawn. "
    some = "" if known.all() else " where one is known"
    return f"Bars and bands: 95% intervals{some}. "


def learned_clause(found: Findings) -> str:
    """A sentence for captions on models that cannot be told from decoded noise; or ""."""
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
    spans.append(measured_clause(c, found.checkpoints))
    spans.append(f"; Spearman's is {correlation_text(c.spearman)}. ")
    without = found.learned_correlations.get(group)
    if without is not None:
        spans.append(
            f"Over the {small_ints(without.models)} that learned they are "
            f"{correlation_text(without.pearson)} and {correlation_text(without.spearman)}. "
        )
    elif group in lacking(found):
        spans.append("Too few learned to say what it is over those. ")
    return spans


def measured_clause(c: Correlations, checkpoints: bool) -> str:
    """Pearson's interval over measurements (and seeds): what these very models would give again.

    The other interval is over models: what others of their kind would. "" without standard errors.
    """
    again = c.measured_pearson
    if again is None or not again.low < again.high:
        return ""
    done = "measured" if checkpoints else "trained and measured"
    return f" (these alone, {done} again: [{signed(again.low)}, {signed(again.high)}])"


def lacking(found: Findings) -> set[str]:
    """Groups with models that did not learn."""
    return {str(r["group"]) for r in found.final.to_dict("records") if r["learned"] is False}


def correlation_text(r: Interval) -> str:
    """ "−0.76 [−0.93, −0.32]"."""
    if math.isnan(r.low) or math.isnan(r.high):
        return signed(r.value)
    return f"{signed(r.value)} [{signed(r.low)}, {signed(r.high)}]"


def top(rows: pd.DataFrame, higher: bool) -> tuple[dict[str, Any], list[str]]:
    """The row of the best value, and the labels of all others that tie with it."""
    tied = best(rows["value"], *errors(rows), shared_draws.covariance(rows),
                one_spread=of_one_spread(rows), higher=higher)  # fmt: skip
    values = rows["value"].to_numpy(float)
    at = int(np.argmax(values if higher else -values))
    row = {str(k): v for k, v in rows.iloc[at].items()}
    others = [str(r) for i, (r, t) in enumerate(zip(rows["label"], tied, strict=True)) if t]
    return row, [label for label in others if label != row["label"]]


def best_sentence(found: Findings, rows: pd.DataFrame) -> list[Text]:
    """The best model, or those that cannot be told from it."""
    if not len(rows):
        return []
    row, tied = top(rows, found.higher)
    value = within(row["value"], row.get("low"), row.get("high"))
    if len(rows) == 1:
        return [f"{row['label']} has {found.short} ", strong(value), ". "]
    word = "highest" if found.higher else "lowest"
    if not np.isfinite(errors(rows)[0]).all():
        return [
            f"The {word} {found.short}, ",
            strong(value),
            f", is that of {row['label']}; not every value has a standard error, so none is called "
            "the best. ",
        ]
    if not tied:
        best_of = "Of these checkpoints the best" if found.checkpoints else "The best"
        return [f"{best_of} is {row['label']} with {found.short} ", strong(value), ". "]
    shown = listed(tied) if len(tied) <= 4 else f"{len(tied)} others"
    spans: list[Text] = [f"The {word} {found.short}, ", strong(value)]
    return [*spans, f", is that of {row['label']}; {shown} cannot be told from it. "]


def floor_sentence(found: Findings) -> list[Text]:
    """The floor as a sentence; a weak extractor is said as well."""
    floor = found.floor(found.protocol)
    if floor is None:
        return weak_clause(found)
    real = real_images(floor)
    fewer = "" if floor.enough else ", fewer than the samples and not to be compared with them"
    return [
        f"{real[0].upper()}{real[1:]} score {number(floor.value)}{fewer}. ",
        *weak_clause(found),
    ]


def law_sentence(found: Findings, group: str = "") -> list[Text]:
    """The law, its intervals, and what it said of the largest model without having seen it."""
    law = found.laws.get(group)
    if law is None:
        why = found.no_law.get(group)
        return [f"No scaling law is fitted: {why.rstrip('.')}. "] if why else []
    spans: list[Text] = [
        "The law q = E + A·C",
        "⁻ᵃ",
        f" in Gflops has a\u00a0=\u00a0{within(*law.exponent)}, A\u00a0=\u00a0{within(*law.scale)} "
        f"and E\u00a0=\u00a0{within(*law.offset)}; the offset E is ",
        "" if law.identifiable else "not ",
        "told from 0",
    ]
    preferred = "with" if law.preferred == "offset" else "without"
    spans.append(f", and corrected AIC prefers the law {preferred} it. ")
    if law.exponent.low <= 0:
        spans.append(
            "The exponent a may be 0: that quality improves with compute at all is not told. "
        )
    spans.append(conditional_sentence(found))
    left = law.left_out
    if left is not None:
        spans.append(
            f"Fitted without the largest model it predicts {within(*left.predicted)} where "
            f"{number(left.measured)} was measured ({100 * left.error:+.0f}%). ".replace("-", "−")
        )
    spans += offset_sentence(found, law)
    without = found.learned_laws.get(group)
    if without is not None:
        spans.append(
            f"Over the {small_ints(without.models)} that learned a = {within(*without.exponent)} "
            f"and E = {within(*without.offset)}. "
        )
    elif group in lacking(found):
        spans.append("No law is fitted to those that learned alone. ")
    limit = found.limit_laws.get(group)
    if limit is not None:
        spans.append(
            "Of the distance extrapolated to infinitely many samples "
            f"a = {within(*limit.exponent)} and E = {within(*limit.offset)}. "
        )
    return spans


def shared_clause(rows: pd.DataFrame) -> str:
    """For captions of single values with their intervals, which compare better than these say."""
    if "influence" not in rows or rows["influence"].notna().sum() < 2:
        return ""
    return (
        "Values of one sampling seed err alike, so that their differences are surer than these "
        "intervals of single values. "
    )


def conditional_sentence(found: Findings) -> str:
    """The errors that all values of a law share, which its intervals therefore do not hold.

    Standard errors are over the samples. The error of the reference is in no record. Samples of one
    sampling seed have the same noise in every model: what their values share is in the intervals
    where influences were recorded.
    """
    rows = found.report.frames["metrics"]
    rows = rows[(rows["metric"] == found.metric) & (rows["of"].fillna("samples") == "samples")]
    images = rows["reference_images"].dropna().unique()
    reference = (
        f"this reference ({int(images[0]):,} images)" if len(images) == 1 else "one reference"
    )
    seeds = rows["sampling_seed"].dropna().nunique() == 1
    if seeds and found.laws and all(law.common_std is not None for law in found.laws.values()):
        return (
            "All values are of one sampling seed; these intervals hold what they therefore have in "
            f"common. They are for {reference}: another would move all values together, and by how "
            "much is in no record. "
        )
    return (
        f"Its intervals are for {reference}{' and one sampling seed' if seeds else ''}, which all "
        "values share: others would move them together, and by how much is in no record. "
    )


def offset_sentence(found: Findings, law: Any) -> list[Text]:
    """E is of the metric at N samples; what of it real images have too."""
    n = None if found.protocol is None else found.protocol.samples
    at = "an unknown number of" if n is None else f"{n:,}"
    said = f"E is of {found.short} at {at} samples"
    floor = found.floor(found.protocol)
    if floor is None:
        return [said + "; no floor was measured beside it. "]
    gap = law.above_floor(floor.value, floor.std or 0.0)
    images = "" if floor.images is None else f" ({floor.images:,} images)"
    return [f"{said}; the floor{images} is {number(floor.value)}, E minus floor {within(*gap)}. "]


def sampling_sentence(found: Findings) -> list[Text]:
    """At equal sampling compute, is the larger of two sizes ahead?"""
    pairs = found.pairs
    if not len(pairs):
        return []
    if pairs["basis"].isna().all():
        return [
            "Without standard errors it is not decided which of two models is ahead at equal "
            "sampling compute. "
        ]
    ahead = pairs["ahead"].value_counts()
    open_ = int(ahead.get("undecided", 0))
    who = "checkpoints" if (pairs["basis"] == "checkpoints").any() else "models"
    spans: list[Text] = [
        f"At equal sampling compute, of {count(len(pairs), 'pair')} of {who} that differ in size "
        "alone, the larger is ahead in ",
        strong(str(int(ahead.get("larger", 0)))),
        f", the smaller in {int(ahead.get('smaller', 0))}, and "
        f"{open_} {'is' if open_ == 1 else 'are'} undecided (95%, Holm over pairs). ",
    ]
    failed = found.failed
    kept = pairs[~(pairs["smaller"].isin(failed) | pairs["larger"].isin(failed))]
    if len(kept) < len(pairs):
        left = int((kept["ahead"] == "larger").sum())
        spans.append(
            f"Among models that learned it is ahead in {left} of {count(len(kept), 'pair')}. "
        )
    p = found.pair
    if p is not None:
        spans += pair_sentence(p, found.higher)
    return spans


def pair_sentence(p: HeadlinePair, higher: bool) -> list[Text]:
    """What is decided of the selected pair, and then its two step counts, which are an example.

    Ahead is who is better over the common range; at two step counts alone the difference need not
    be sure.
    """
    word = "higher" if higher else "lower"
    alone = "" if 0 not in p.difference else ", not sure by itself"
    saving = f"{within(*p.saving)} times less compute"
    if p.saving.low == p.saving.high:  # steps are few: nothing lies between two counts of them
        value = number(p.saving.value)
        saving = f"{value} times less compute (by 95% of what the errors allow, the same steps)"
    return [
        f"Over the sampling compute that both reach, {p.larger} is {within(*p.ratio)} times better "
        f"than {p.smaller}, a pair that was selected among these; with {p.larger_steps} steps "
        f"({number(p.larger_value)}) it scores {word} than that one with {p.smaller_steps} "
        f"({number(p.smaller_value)}; difference {within(*p.difference)}{alone}) at "
        f"{saving}. "
    ]
