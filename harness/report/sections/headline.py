"""What is missing, and the abstract: the study's own numbers in a few sentences."""

from __future__ import annotations

from typing import Any

from harness.report import wording
from harness.report.blocks import Abstract, Block, Note, Text, strong
from harness.report.findings import Findings
from harness.report.phrases import apart, real_images, sampling_sentence, seeds
from harness.report.sections.base import Section
from harness.report.wording import count, number, signed, small_ints


class Headline(Section):
    """What is missing, and the abstract: the study's own numbers in a few sentences."""

    name = "headline"
    title = ""

    def blocks(self, found: Findings) -> list[Block]:
        blocks: list[Block] = []
        lacking = list(found.report.missing)
        if lacking:
            shown, rest = lacking[:8], len(lacking) - 8
            parts = "part" if len(lacking) == 1 else "parts"
            spans: list[Text] = [f"{small_ints(len(lacking)).capitalize()} {parts} of this study "]
            spans += [
                "is" if len(lacking) == 1 else "are",
                " not done, and nothing below stands in ",
            ]
            spans += [f"for {'it' if len(lacking) == 1 else 'them'}: ", "; ".join(shown)]
            spans.append(f"; and {rest:,} more." if rest > 0 else ".")
            blocks.append(Note("Unfinished.", spans))
        blocks.append(Abstract(_abstract(found)))
        return blocks


def _abstract(found: Findings) -> list[Text]:
    about = " ".join(found.report.about.split())
    spans: list[Text] = [about + ("" if about.endswith((".", "!", "?")) else ".") + " "]
    spans = spans if about else []
    if not len(found.final):
        n = len({r["model"] for r in found.report.complexity})
        spans.append(
            f"No quality was measured; this report counts {count(n, 'model')}."
            if n
            else "Nothing has been measured yet."
        )
        return spans
    unit, scale = wording.gflops_unit(float(found.final["gflops"].max()))
    low, high = found.final["gflops"].min() / scale, found.final["gflops"].max() / scale
    n = len(found.final)
    cost = f"{number(low)} to {number(high)}" if number(low) != number(high) else number(high)
    spans.append(f"{small_ints(n).capitalize()} {'models' if n > 1 else 'model'} of {cost} {unit} ")
    trained = "" if found.step is None else f" trained for {count(found.step, 'step')},"
    if found.seeds > 1:
        trained = f"{trained.rstrip(',')} with {seeds(found)},"
    spans.append(
        f"per forward pass,{trained} {'are' if n > 1 else 'is'} measured by {found.title}, "
        f"of which {found.better}. "
    )
    if found.references > 1:
        spans.append(apart(found))
        return spans
    if found.correlation is not None:
        strength, verdict = wording.trend(found.correlation, found.higher)
        spans += [
            verdict[0].upper() + verdict[1:] + ": the Spearman correlation of model compute and ",
            f"{found.short} is ",
            strong(signed(found.correlation.spearman)),
            {"strong": " (strong)", "moderate": " (moderate)", "weak": " (weak)"}.get(strength, ""),
        ]
        if found.paper_correlation is not None and found.paper_correlation.models >= 3:
            theirs = signed(found.paper_correlation.spearman)
            spans.append(f"; for the same models of the paper it is {theirs}")
        spans.append(". ")
    best = _best(found)
    if n > 1:
        spans += ["The best model, ", f"{best['label']}, reaches ", strong(number(best["value"]))]
    else:
        spans += [f"{best['label']} reaches ", strong(number(best["value"]))]
    if found.floor is not None:
        spans.append(f"; {real_images(found)} give {number(found.floor)}")
    spans.append(". ")
    spans += sampling_sentence(found)
    return spans


def _best(found: Findings) -> dict[str, Any]:
    rows = found.final.sort_values("value", ascending=not found.higher, kind="stable")
    return {str(k): v for k, v in rows.iloc[0].items()}
