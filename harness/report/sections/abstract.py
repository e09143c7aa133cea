"""The abstract: what was measured and what is claimed, each claim with its interval."""

from __future__ import annotations

from harness.analysis import selection
from harness.components.section import Section
from harness.report import wording
from harness.report.blocks import Abstract as AbstractBlock
from harness.report.blocks import Block, Text
from harness.report.findings import Findings
from harness.report.phrases import (
    FLOPS,
    apart,
    best_sentence,
    correlation_sentence,
    count_word,
    floor_sentence,
    sampling_sentence,
    seeds,
)
from harness.report.wording import count, listed, number, small_ints

WORDS = {  # of a verdict, and in the abstract
    "supported": "supported",
    "agrees": "in agreement without a published spread",
    "contradicted": "contradicted",
    "disagrees": "in disagreement without a published spread",
    "undecided": "left open",
}


class Abstract(Section):
    """The study in a few sentences, written from claims that its records decide."""

    name = "abstract"
    title = ""

    def blocks(self, findings: Findings) -> list[Block]:
        return [AbstractBlock(sentences(findings))]


def sentences(found: Findings) -> list[Text]:
    """What was done, then what is claimed of it; nothing that the records do not carry."""
    about = " ".join(found.report.about.split())
    spans: list[Text] = []
    if about:
        spans.append(about + ("" if about.endswith((".", "!", "?")) else ".") + " ")
    if not len(found.final):
        n = len({r["model"] for r in found.report.complexity})
        spans.append(
            f"No quality was measured; this report counts {count(n, 'model')}."
            if n
            else "No quality was measured."
            if found.undirected
            else "Nothing has been measured yet."
        )
        return spans + unranked(found)
    spans += measured(found)
    spans += left_out(found)
    if found.references > 1:
        return [*spans, apart(found)]
    groups = found.groups
    if len(groups) == 1:
        spans += correlation_sentence(found, groups[0])
        spans += best_sentence(found, found.final)
        spans += sampling_sentence(found)
    else:
        spans.append(
            f"The study's {small_ints(len(groups))} settings are not pooled: what follows is said "
            "of each alone. "
        )
    spans += claims_sentence(found)
    spans += floor_sentence(found)
    failed = [r["label"] for r in found.final.to_dict("records") if r["learned"] is False]
    if failed:
        spans.append(
            f"{small_ints(len(failed)).capitalize()} of {len(found.final)} did not learn: their "
            f"{found.short} is not told from decoded noise's. "
        )
    return spans + unranked(found)


def left_out(found: Findings) -> list[Text]:
    """The trainings that were sampled in other ways only: they are in no comparison here."""
    protocol, rows = found.protocol, found.report.frames["metrics"]
    if protocol is None or found.metric is None or None in (protocol.sampler, found.step):
        return []
    other = selection.measured(rows, found.metric)
    other = other[~other["label"].isin(found.final["label"]) & (other["step"] == found.step)]
    samplers = sorted({str(s) for s in other["sampler"].dropna()} - {protocol.sampler})
    names = {r["label"] for r in other.to_dict("records") if r["sampler"] in samplers}
    if not names:
        return []
    n = len(names)
    return [
        f"They are those sampled by {protocol.sampler}; {small_ints(n)} "
        f"{'other was' if n == 1 else 'others were'} sampled by {listed(samplers)} alone, and "
        f"{'is' if n == 1 else 'are'} compared where a table names the sampler. "
    ]


def unranked(found: Findings) -> list[Text]:
    """The metrics whose components are not available: their values are ranked nowhere."""
    if not found.undirected:
        return []
    one = len(found.undirected) == 1
    return [
        f" Whether more or less of {listed(list(found.undirected))} is better is not known here: "
        f"{'its component is' if one else 'their components are'} not available, so "
        f"{'it is' if one else 'they are'} in no ranking of this report."
    ]


def claims_sentence(found: Findings) -> list[Text]:
    """How many of the paper's claims these records decide, and how."""
    told = [v for v in found.verdicts if v.decidable]
    if not told:
        return []
    counts = {w: sum(v.verdict.startswith(w) for v in told) for w in WORDS}
    said = [f"{small_ints(n)} {phrase}" for w, phrase in WORDS.items() if (n := counts[w])]
    whose = "The paper's own tables" if found.report.papers_own else "These records"
    n, among = len({v.id for v in told}), len({v.id for v in found.verdicts})
    settings = len({v.setting for v in told})
    each = ""
    if settings > 1:
        each = f", in {small_ints(settings)} settings each by itself ({len(told)} verdicts)"
    return [
        f"{whose} speak of {small_ints(n)} of the paper's {among} claims and numbers{each}: "
        f"{listed(said)}. "
    ]


def measured(found: Findings) -> list[Text]:
    """How many models of which cost were measured how."""
    unit, scale = wording.gflops_unit(float(found.final["gflops"].max()))
    low, high = found.final["gflops"].min() / scale, found.final["gflops"].max() / scale
    n, models = len(found.final), found.final["model"].nunique()
    who = f"{small_ints(n).capitalize()} {'models' if n > 1 else 'model'}"
    if models < n:  # of several recipes, block designs or image sizes
        who = f"{small_ints(n).capitalize()} configurations of {count_word(models, 'model')}"
    cost = f"{number(low)} to {number(high)}" if number(low) != number(high) else number(high)
    how = "" if found.step is None else f" trained for {count(found.step, 'step')}"
    if found.seeds:
        how += f" with {seeds(found)}"
    samples = ""
    if found.protocol is not None and found.protocol.samples is not None:
        samples = f" of {found.protocol.samples:,} samples each"
    return [
        f"{who} of {cost} {unit} per "
        f"forward pass ({FLOPS}){f',{how},' if how else ''} {'are' if n > 1 else 'is'} measured "
        f"by {found.title}"
        f"{samples}; {found.better}. "
    ]
