"""What the paper claims, and what these records say of it: each with the test that decides."""

from __future__ import annotations

from collections.abc import Sequence

from harness.components.section import Section
from harness.paper.evidence import CONTRADICTED, NOT_DECIDABLE, SUPPORTED, Verdict
from harness.report.blocks import Block, Cell, Text, em, paragraph, ref, strong, table
from harness.report.findings import Findings
from harness.report.phrases import PAPER
from harness.report.wording import count


class Claims(Section):
    """The paper's claims, fixed before the data: supported, contradicted or undecided."""

    name = "claims"
    title = "Claims"

    def blocks(self, findings: Findings) -> list[Block]:
        found, stored = findings, findings.report.claims_since
        verdicts = found.verdicts
        if not verdicts:
            return [paragraph(em(found.no_verdicts or "Nothing was measured yet."))]
        told = [v for v in verdicts if v.decidable]
        late = found.report.claims_after
        several = len({v.setting for v in told}) > 1
        order = list(dict.fromkeys(v.id for v in verdicts))
        rows: list[list[str | Cell]] = []
        for v in sorted(told, key=lambda v: order.index(v.id)):
            bold = v.verdict in (SUPPORTED, CONTRADICTED)
            shown: str | Cell = Cell(v.verdict, strong=True) if bold else v.verdict
            mark = " ‡" if v.id in late else ""
            rows.append(
                [
                    v.where[0].upper() + v.where[1:],
                    f"{v.said[0].upper()}{v.said[1:]}{mark}",
                    *([v.setting or "all"] if several else []),
                    shown,
                    typed(v.numbers),
                ]
            )
        known = {v.id for v in told}
        silent = {v.id: v for v in verdicts if v.id not in known}
        spans: list[Text] = []
        if rows:
            spans += [ref("tab-claims"), " has what the paper says and what these records say. "]
        if silent:
            spans += [
                f"Of {count(len(silent), 'claim')} these records say nothing; ",
                ref("tab-silent"),
                " has what each would need. ",
            ]
        if not found.report.papers_own and not stored:
            spans.append(
                "This study was begun before its claims were stored at its first run: that they "
                "were chosen before the data rests on the harness's own list alone. "
            )
        caption: list[Text] = [
            strong("Claims. "),
            f"{PAPER}. Intervals are 95%, corrected for the number of comparisons within a claim; "
            "a claim whose interval leaves it open is undecided, not refuted.",
        ]
        if several:
            caption.append(" Recipes and references are not pooled: each setting is judged alone.")
            if any(v.where == "this study" for v in told):
                caption.append(" The study's own pairs are corrected over all settings together.")
        if late & known:
            caption.append(" ‡ chosen after the first run of this study.")
        if found.checkpoints and not found.report.papers_own:
            caption.append(" One training seed: the verdicts are of these checkpoints.")
        head: list[str | Cell] = ["Where", "What is claimed"]
        head += ["setting"] if several else []
        head += ["These records", "By"]
        blocks: list[Block] = [paragraph(*spans)]
        if rows:
            blocks.append(table("claims", "l" * len(head), [head], rows, caption, wide=True,
                                size=7.6, gap=3.2))  # fmt: skip
        return [*blocks, *silent_table(list(silent.values()))]


def silent_table(silent: Sequence[Verdict]) -> list[Block]:
    """The claims that no record speaks of, by what they would need; nothing where there are none.

    Of a study's settings the first says what is missing.
    """
    by_need: dict[str, list[str]] = {}
    for v in silent:
        need = v.numbers.removeprefix(NOT_DECIDABLE).partition("; the paper's: ")[0]
        # The report has a Figure 5 and values of its own: whose this one is, is said.
        where = v.where if v.where == "this study" else f"paper, {v.where}"
        by_need.setdefault(need, []).append(f"{v.said} ({where})")
    if not by_need:
        return []
    rows: list[list[str | Cell]] = [
        [f"{need[0].upper()}{need[1:]}", f"{'; '.join(said)}."] for need, said in by_need.items()
    ]
    caption: list[Text] = [
        strong("Claims that these records say nothing of"),
        ", by what stands in the way.",
    ]
    head: list[str | Cell] = ["Why", "What is claimed"]
    return [table("silent", "ll", [head], rows, caption, wide=True, size=7.6, gap=3.2)]


def typed(numbers: str) -> str:
    """A clause of numbers as a page sets it: true minus signs, no space before a per cent sign."""
    out = []
    before = " "
    for i, letter in enumerate(numbers):
        digit = i + 1 < len(numbers) and (numbers[i + 1].isdigit() or numbers[i + 1] == ".")
        out.append("−" if letter == "-" and digit and before in " ([,;" else letter)
        before = letter
    return "".join(out).replace(" %", "%").replace("R2 ", "R² ")
