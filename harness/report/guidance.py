"""The sections on other ways to sample one model: guidance scales, and decoders."""

from __future__ import annotations

from typing import Any

import pandas as pd

from harness import paper
from harness.analysis import metrics, selection
from harness.report import figures, wording
from harness.report.blocks import Block, Cell, Span, em, figure, heading, paragraph, ref, strong
from harness.report.blocks import table as table_of
from harness.report.findings import Findings
from harness.report.tables import ARROW, differences, floors, metrics_of
from harness.report.wording import DASH, number

GUIDANCE = ("guidance_scale", "guidance_channels", "guidance_low", "guidance_high")


def guidance(found: Findings) -> list[Block]:
    """Quality against guidance scale, three or all noise channels guided.

    Values that differ in guidance alone: of several trainings and ways to sample, the one that was
    measured with guidance most often.
    """
    title = heading("Guidance")
    nothing = "No model was measured at more than one guidance scale."
    rows = selection.measured(found.report.frames["metrics"], found.metric or "")
    steps_and_ways = [(step, way) for _, step, way in selection.drawn_by(rows, *GUIDANCE)]
    guided = [p.guided for p in rows["protocol"]]
    points: dict[Any, set[Any]] = {}
    for family, protocol, label, yes in zip(
        steps_and_ways, rows["protocol"], rows["label"], guided, strict=True
    ):
        if yes:
            points.setdefault(family, set()).add((label, protocol.drawn))
    if not points:
        return [title, paragraph(em(nothing))]
    step, way = max(
        points, key=lambda f: (len(points[f]), f[0] or 0, f[1].samples or 0, repr(f[1]))
    )
    rows = selection.where(rows, [f == (step, way) for f in steps_and_ways])
    if rows["guidance_scale"].nunique() < 2:
        return [title, paragraph(em(nothing))]
    ways = [_channels(p) for p in rows["protocol"]]
    parts = []
    for words in dict.fromkeys(_channels(p) for p in rows["protocol"] if p.guided):
        unguided = rows["guidance_scale"] == 1  # scale 1 guides nothing: part of every line
        mine = pd.Series([w == words for w in ways], index=rows.index)
        parts.append(rows[mine | unguided].assign(channels=words))
    every = selection.averaged(pd.concat(parts), ("channels", "guidance_scale"))
    best = every.sort_values("value", ascending=not found.higher, kind="stable").iloc[0]
    how = f"{best['channels']} guided" if best["guidance_scale"] != 1 else "that is, unguided"
    text: list[Span] = [
        ref("fig-guidance"),
        f" varies the scale of classifier-free guidance. The best value, {number(best['value'])}, "
        f"is {best['label']}'s at scale {best['guidance_scale']:g}, {how}. ",
        "The paper's best with XL/2 are ",
        f"{paper.claim('cfg-3ch-1.5')} at scale 1.5 (three channels) and "
        f"{paper.claim('cfg-4ch-1.375'):.2f} at 1.375 (four), in the paper's FID-50K.",
    ]
    caption: list[Span] = [
        strong("Guidance scale. "),
        f"{found.title} {wording.at(step)} ({way.sentence()}); scale 1 is no guidance.",
    ]
    drawn = figures.svg(figures.guidance(every, found.title, found.floor))
    return [title, paragraph(*text), figure("guidance", drawn, caption)]


def _channels(p: selection.Protocol) -> str:
    """How guidance was done, without its scale."""
    words = "all channels" if p.guidance_channels is None else f"{p.guidance_channels} channels"
    if p.guidance_low is not None:
        words += f", timesteps {p.guidance_low} to {p.guidance_high}"
    return words


def decoders(found: Findings) -> list[Block]:
    """Table 4: one model's samples through several decoders."""
    title = heading("Decoders")
    rows = found.report.frames["metrics"]
    primary = selection.measured(rows, found.metric or "")
    used: dict[Any, set[Any]] = {}
    for latents, decoder in zip(
        selection.drawn_by(primary, "decoder"), primary["decoder"], strict=True
    ):
        used.setdefault(latents, set()).add(decoder)
    several = {latents for latents, decoders in used.items() if len(decoders) > 1}
    if not several:
        return [title, paragraph(em("No model was decoded by more than one decoder."))]
    models = list(dict.fromkeys(label for label, _, _ in several))
    steps = {step for _, step, _ in several}
    names = metrics_of(found)
    body: dict[tuple[str, ...], list[Cell]] = {}
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
    head: list[Cell] = ["Decoder"]
    head += [f"{metrics.short_title(m)} {ARROW[metrics.higher_is_better(m)]}" for m in names]
    label = "" if len(models) > 1 else f"{models[0]}. "
    caption: list[Span] = [strong("Decoders. "), label, *floors(found, names)]
    theirs: list[list[Cell]] = [
        [
            str(r["decoder"]),
            *(number(r[c]) for c in ("fid", "sfid", "inception_score")),
            *(number(r[c], 2) for c in ("precision", "recall")),
        ]
        for r in paper.table("table4_decoders")
    ]
    lines: list[list[Cell]] = [[", ".join(words), *values] for words, values in body.items()]
    return [
        title,
        paragraph(ref("tab-decoders"), " decodes the same latents several times."),
        table_of("decoders", f"l{'r' * len(names)}", [head], lines, caption),
        table_of(
            "papers-decoders",
            "lrrrrr",
            [["Decoder", "FID", "sFID", "IS", "Precision", "Recall"]],
            theirs,
            [strong("The paper's decoders "), "(its Table 4, DiT-XL/2 with guidance 1.5)."],
        ),
    ]
