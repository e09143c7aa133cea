"""The scaling laws of a study as a table: parameters, and what each said of its largest model."""

from __future__ import annotations

from collections.abc import Mapping

from harness.analysis.law import ScalingLaw
from harness.report.blocks import Cell, Table, Text, strong, table
from harness.report.findings import Findings
from harness.report.wording import DASH, number, within


def laws_table(found: Findings) -> list[Table]:
    """One row per setting, per setting without models that did not learn, and at the limit of
    infinitely many samples; nothing where no law was fitted."""
    rows = [
        *_rows(found.laws, ""),
        *_rows(found.learned_laws, "that learned"),
        *_rows(found.limit_laws, "extrapolated to infinitely many samples"),
    ]
    if not rows:
        return []
    caption: list[Text] = [
        strong("Scaling laws. "),
        f"{found.heading}, q = E + A·C⁻ᵃ with C in Gflops, 95% intervals. Scatter: of models about "
        "the law beyond their errors, as a share of the value. Largest left out: the law of all "
        "smaller models, its prediction for the largest (the interval is for a new measurement), "
        "and what was measured. ",
    ]
    head: list[str | Cell] = ["Models", "", "a", "A", "E", "AIC prefers", "scatter"]
    head += ["predicted", "measured", "error"]
    top: list[str | Cell] = [Cell("", span=7), Cell("largest left out", span=3)]
    return [table("laws", "lrlllllllr", [top, head], rows, caption, wide=True, size=7.4, gap=3.0)]


def _rows(laws: Mapping[str, ScalingLaw], which: str) -> list[list[str | Cell]]:
    rows: list[list[str | Cell]] = []
    for group, law in laws.items():
        left = law.left_out
        named = ", ".join(w for w in (group, which) if w) or "all"
        told = [DASH] * 3
        if left is not None:
            error = f"{100 * left.error:+.0f}%".replace("-", "−")
            told = [within(*left.predicted), number(left.measured), error]
        offset = "offset" if law.preferred == "offset" else "no offset"
        rows.append(
            [named, str(law.models), within(*law.exponent), within(*law.scale),
             within(*law.offset), offset, f"{100 * law.tau:.0f}%", *told]
        )  # fmt: skip
    return rows
