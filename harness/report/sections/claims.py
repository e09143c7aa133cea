"""What the paper claims, and what these records say of it: each with the test that decides."""

from __future__ import annotations

from harness.components.section import Section
from harness.paper.evidence import CONTRADICTED, SUPPORTED
from harness.report.blocks import Block, Cell, Text, em, paragraph, ref, strong, table
from harness.report.findings import Findings
from harness.report.phrases import PAPER
from harness.report.wording import count, listed

NAMED = 15  # claims that are listed by name where the records say nothing of them


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
        silent = [name for name in order if name not in known]
        spans: list[Text] = []
        if rows:
            spans += [ref("tab-claims"), " has what the paper says and what these records say. "]
        if silent:
            which = f": {listed(silent)}" if len(silent) <= NAMED else ""
            spans.append(f"Of {count(len(silent), 'claim')} these records say nothing{which}. ")
        if not found.report.papers_own and not stored:
            spans.append(
                "These records were begun before claims were stored with a study, so that nothing "
                "but the harness's own list says that they were chosen before the data. "
            )
        caption: list[Text] = [
            strong("Claims. "),
            f"{PAPER}. Intervals are 95%, with Holm's correction within a claim; a claim whose "
            "interval leaves it open is undecided, not refuted.",
        ]
        if several:
            caption.append(" Recipes and references are not pooled: each setting is judged alone.")
        if late & known:
            caption.append(" ‡ chosen after the first run of this study.")
        if found.checkpoints and not found.report.papers_own:
            caption.append(" One training seed: the verdicts are of these checkpoints.")
        head: list[str | Cell] = ["Where", "What is claimed"]
        head += ["setting"] if several else []
        head += ["These records", "By"]
        if not rows:
            return [paragraph(*spans)]
        return [
            paragraph(*spans),
            table("claims", "l" * len(head), [head], rows, caption, wide=True, size=7.6, gap=3.2),
        ]


def typed(numbers: str) -> str:
    """A clause of numbers as a page sets it: true minus signs, no space before a per cent sign."""
    out = []
    before = " "
    for i, letter in enumerate(numbers):
        digit = i + 1 < len(numbers) and (numbers[i + 1].isdigit() or numbers[i + 1] == ".")
        out.append("−" if letter == "-" and digit and before in " ([,;" else letter)
        before = letter
    return "".join(out).replace(" %", "%").replace("R2 ", "R² ")
