"""One model's samples through several decoders (Table 4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from harness import paper
from harness.analysis import metrics, selection
from harness.analysis.averaging import averaged
from harness.analysis.protocol import PROTOCOL
from harness.components.section import Section
from harness.report import papers_setting, published_tables
from harness.report.blocks import Block, Cell, Text, em, paragraph, ref, strong, table
from harness.report.findings import Findings
from harness.report.phrases import PAPER
from harness.report.prepared import prepared
from harness.report.sections.comparison import COLUMNS, KINDS, PAPERS_HEAD, published
from harness.report.tables import ARROW, differences, floors, half, less, metrics_of
from harness.report.wording import DASH, cell


class Decoders(Section):
    """Table 4: the same latents decoded several times, with the paper's decoders."""

    name = "decoders"
    title = "Decoders"

    def blocks(self, findings: Findings) -> list[Block]:
        found = findings
        if found.report.papers_own:
            words = " has three decoders of the same latents."
            return [paragraph(ref("tab-decoders"), words), published_tables.decoders()]
        rows = found.report.frames["metrics"]
        primary = selection.measured(rows, found.metric or "")
        used: dict[Any, set[Any]] = {}
        for latents, decoder in zip(
            selection.drawn_by(primary, "decoder"), primary["decoder"], strict=True
        ):
            used.setdefault(latents, set()).add(decoder)
        several = {latents for latents, decoders in used.items() if len(decoders) > 1}
        if not several:
            return [paragraph(em("No model was decoded by more than one decoder."))]
        names = {metrics.kind(m): m for m in metrics_of(found)}
        kinds = [k for k in names if k not in KINDS]
        shown = [*KINDS, *kinds]
        ours, every = measured(found, several, {k: names[k] for k in shown if k in names})
        head: list[str | Cell] = ["Decoder"]
        for k in shown:
            metric = names.get(k, k)
            head.append(f"{metrics.short_title(metric)} {ARROW[metrics.higher_is_better(metric)]}")
        theirs: list[list[str | Cell]] = [
            [str(r["decoder"]), *(published(r[c]) for c in COLUMNS), *[DASH] * len(kinds)]
            for r in paper.table("table4_decoders")
        ]
        body: list[list[str | Cell]] = [
            *ours,
            [
                "the paper's, guidance 1.5",
                *(Cell(t, strong=True) for t in PAPERS_HEAD),
                *[""] * len(kinds),
            ],
            *theirs,
        ]
        models = list(dict.fromkeys(label for label, _, _ in several))
        caption: list[Text] = [
            strong("Decoders. "),
            "" if len(models) > 1 else f"{models[0]}. ",
            *floors(found, list(names.values())),
            half(
                ours,
                "; the samples of one row are those of the others, so that their errors are shared",
            ),
            f"Below: {PAPER}, Table 4. ",
            "" if every else papers_setting.in_words("guided at 1.5 in three channels"),
        ]
        return [
            paragraph(ref("tab-decoders"), " decodes the same latents several times."),
            table(
                "decoders",
                "l" + "r" * len(shown),
                [head],
                body,
                caption,
                wide=len(shown) > 5,
                rules=[len(ours)],
                size=7.9,
                gap=3.2,
            ),
        ]


def measured(
    found: Findings, several: set[Any], names: dict[str, str]
) -> tuple[list[list[str | Cell]], bool]:
    """A row per decoder (and step, and whatever else differs), a column per metric.

    And whether every one stands beside the paper's of its setting.
    """
    rows = found.report.frames["metrics"]
    models = list(dict.fromkeys(label for label, _, _ in several))
    steps = {step for _, step, _ in several}
    places = [*KINDS, *(k for k in names if k not in KINDS)]
    body: dict[tuple[str, ...], list[str]] = {}
    apart: dict[tuple[str, ...], list[str]] = {}  # the same, less the paper's
    known = {str(r["decoder"]).lower(): r for r in paper.table("table4_decoders")}
    for kind, metric in names.items():
        one = selection.measured(rows, metric)
        one = selection.where(one, [w in several for w in selection.drawn_by(one, "decoder")])
        made = prepared(averaged(one, ("step", *PROTOCOL))).to_dict("records")
        for r in papers_setting.with_recipes(made, one):
            words = [str(r["label"])] if len(models) > 1 else []
            words.append(str(r["decoder"]))
            words += [f"{int(r['step']):,} steps"] if len(steps) > 1 else []
            words += differences(r, one, but=("decoder",))
            line = body.setdefault(tuple(words), [DASH] * len(places))
            line[places.index(kind)] = cell(r["value"], r["low"], r["high"])
            theirs = known.get(str(r["decoder"]).lower()) if is_the_papers(found, r) else None
            if theirs is not None and kind in KINDS:
                line = apart.setdefault(tuple(words), [DASH] * len(places))
                published = theirs[COLUMNS[KINDS.index(kind)]]
                line[places.index(kind)] = less(r["value"], r["low"], r["high"], published)
    lines: list[list[str | Cell]] = []
    for name, values in body.items():
        lines.append([", ".join(name), *values])
        if name in apart:
            lines.append(["less the paper's", *apart[name]])
    return lines, len(apart) == len(body)


def is_the_papers(found: Findings, row: Mapping[Any, Any]) -> bool:
    """Was it measured as Table 4: DiT-XL/2 at 256 x 256, guidance 1.5 of three channels?"""
    how = {"image_size": 256, "guidance_scale": 1.5, "guidance_channels": 3}
    alike = all(pd.notna(row[c]) and row[c] == v for c, v in how.items())
    return found.metric == "fid" and alike and papers_setting.is_of_the_tables(row)
