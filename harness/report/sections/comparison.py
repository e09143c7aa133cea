"""Table 2: every measurement of the best model beside the paper's state of the art."""

from __future__ import annotations

import pandas as pd

from harness import paper
from harness.analysis import metrics, selection
from harness.report import wording
from harness.report.blocks import Block, Cell, em, paragraph, ref, strong, table
from harness.report.findings import Findings
from harness.report.sections.base import Section
from harness.report.tables import ARROW, ORDER, differences, floors, metrics_of
from harness.report.wording import DASH, number


class Comparison(Section):
    """Table 2: every measurement of the best model beside the paper's state of the art."""

    name = "comparison"
    title = "Comparison"

    def blocks(self, found: Findings) -> list[Block]:
        names = [m for m in metrics_of(found) if metrics.kind(m) in ORDER[:5]]
        rows = selection.measured(found.report.frames["metrics"], found.metric or "")
        if not len(rows):
            return [paragraph(em("No model has a measured quality yet."))]
        tops = rows[rows["gflops"] == rows["gflops"].max()]
        tops = tops[(tops["samples"] == tops["samples"].max()) | tops["samples"].isna()]
        tops = tops[(tops["step"] == tops["step"].max()) | tops["step"].isna()]
        chosen = set(selection.drawn_by(tops))
        values: dict[tuple[str, ...], list[str | Cell]] = {}
        for metric in names:
            one = selection.measured(found.report.frames["metrics"], metric)
            one = selection.where(one, [way in chosen for way in selection.drawn_by(one)])
            for r in selection.averaged(one, ("step", *selection.PROTOCOL)).to_dict("records"):
                words = [str(r["label"])]
                words += [] if pd.isna(r["step"]) else [f"{int(r['step']):,} steps"]
                if pd.notna(r["guidance_scale"]) and r["guidance_scale"] != 1:
                    words.append(f"guidance {r['guidance_scale']:g}")
                words += differences(r, one, but=("guidance_scale",))
                line = values.setdefault(tuple(words), [DASH] * len(names))
                line[names.index(metric)] = wording.spread(r["value"], r["std"])
        head: list[str | Cell] = ["Model"]
        head += [f"{metrics.short_title(m)} {ARROW[metrics.higher_is_better(m)]}" for m in names]
        ours: list[list[str | Cell]] = [
            [", ".join(words), *cells] for words, cells in values.items()
        ]
        theirs: list[list[str | Cell]] = [
            [
                str(r["model"]),
                *(number(r[c]) for c in ("fid", "sfid", "inception_score")),
                *(number(r[c], 2) for c in ("precision", "recall")),
            ]
            for r in paper.table("table2_imagenet256")
        ]
        imagenet = found.metric == "fid" and bool((rows["image_size"] == 256).all())
        note = (
            "The two compare only if data, reference and number of samples are the paper's."
            if imagenet
            else "The two tables do not compare: data and features differ."
        )
        return [
            paragraph(
                ref("tab-comparison"),
                " has this study's largest model, ",
                ref("tab-papers-comparison"),
                f" the paper's comparison. {note}",
            ),
            table(
                "comparison",
                f"l{'r' * len(names)}",
                [head],
                ours,
                [strong("This study's largest model. "), *floors(found, names)],
                wide=True,
            ),
            table(
                "papers-comparison",
                "lrrrrr",
                [["Model", "FID ↓", "sFID ↓", "IS ↑", "Prec. ↑", "Rec. ↑"]],
                theirs,
                [strong("The paper's comparison "), "(its Table 2, ImageNet 256×256)."],
                size=7.6,
                gap=3.2,
            ),
        ]
