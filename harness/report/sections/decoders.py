"""Table 4: one model's samples through several decoders."""

from __future__ import annotations

from typing import Any

from harness import paper
from harness.analysis import metrics, selection
from harness.report import wording
from harness.report.blocks import Block, Cell, Text, em, paragraph, ref, strong, table
from harness.report.findings import Findings
from harness.report.sections.base import Section
from harness.report.tables import ARROW, differences, floors, metrics_of
from harness.report.wording import DASH, number


class Decoders(Section):
    """Table 4: one model's samples through several decoders."""

    name = "decoders"
    title = "Decoders"

    def blocks(self, found: Findings) -> list[Block]:
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
        models = list(dict.fromkeys(label for label, _, _ in several))
        steps = {step for _, step, _ in several}
        names = metrics_of(found)
        body: dict[tuple[str, ...], list[str | Cell]] = {}
        for metric in names:
            one = selection.measured(rows, metric)
            one = selection.where(one, [w in several for w in selection.drawn_by(one, "decoder")])
            for r in selection.averaged(one, ("step", *selection.PROTOCOL)).to_dict("records"):
                words = [str(r["label"])] if len(models) > 1 else []
                words.append(str(r["decoder"]))
                words += [f"{int(r['step']):,} steps"] if len(steps) > 1 else []
                words += differences(r, one, but=("decoder",))
                line = body.setdefault(tuple(words), [DASH] * len(names))
                line[names.index(metric)] = wording.spread(r["value"], r["std"])
        head: list[str | Cell] = ["Decoder"]
        head += [f"{metrics.short_title(m)} {ARROW[metrics.higher_is_better(m)]}" for m in names]
        label = "" if len(models) > 1 else f"{models[0]}. "
        caption: list[Text] = [strong("Decoders. "), label, *floors(found, names)]
        theirs: list[list[str | Cell]] = [
            [
                str(r["decoder"]),
                *(number(r[c]) for c in ("fid", "sfid", "inception_score")),
                *(number(r[c], 2) for c in ("precision", "recall")),
            ]
            for r in paper.table("table4_decoders")
        ]
        lines: list[list[str | Cell]] = [
            [", ".join(words), *values] for words, values in body.items()
        ]
        return [
            paragraph(ref("tab-decoders"), " decodes the same latents several times."),
            table("decoders", f"l{'r' * len(names)}", [head], lines, caption),
            table(
                "papers-decoders",
                "lrrrrr",
                [["Decoder", "FID", "sFID", "IS", "Precision", "Recall"]],
                theirs,
                [strong("The paper's decoders "), "(its Table 4, DiT-XL/2 with guidance 1.5)."],
            ),
        ]
