"""Table 3: every model, its counted cost, its quality, and the paper's numbers beside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from harness import paper
from harness.analysis import fits, metrics, selection
from harness.report import figures, wording
from harness.report.blocks import Block, Cell, Text, em, figure, paragraph, ref, strong, table
from harness.report.findings import Findings, original
from harness.report.sections.base import Section
from harness.report.tables import ARROW, alike, floors, metrics_of, over, whole
from harness.report.wording import DASH, count, number


class Models(Section):
    """Table 3: every model, its counted cost, its quality, and the paper's numbers beside."""

    name = "models"
    title = "Models"

    def blocks(self, found: Findings) -> list[Block]:
        rows = _models(found)
        if not rows:
            return [paragraph(em("No model has been counted or measured yet."))]
        unit, scale = wording.gflops_unit(max(r["gflops"] for r in rows if r["gflops"] is not None))
        measured = _metrics_at(found)
        theirs = [_original(r) for r in rows]
        own = all(_is_the_papers(r) for r in rows)
        with_paper = any(t is not None for t in theirs)
        head: list[str | Cell] = ["Model", "N", "d", "Heads", "Tokens", "Params", unit]
        align = "lrrrrrr"
        for metric in measured:
            head.append(f"{metrics.short_title(metric)} {ARROW[metrics.higher_is_better(metric)]}")
            align += "r"
        top: list[str | Cell] = [Cell("", span=len(head))]
        if with_paper:
            group = ["Gflops", "FID-50K"] if own else ["Model", "Gflops", "FID-50K"]
            top.append(Cell("the paper's" + ("" if own else " counterpart"), span=len(group)))
            head += group
            align += "r" * len(group) if own else "lrr"
        body: list[list[str | Cell]] = []
        for r, their in zip(rows, theirs, strict=True):
            line: list[str | Cell] = [str(r["label"])]
            line += [whole(r[c]) for c in ("depth", "width", "heads", "tokens")]
            line += [wording.parameters(r["params"]), number(over(r["gflops"], scale))]
            for values in measured.values():
                value, std = values.get(r["label"], (None, None))
                line.append(wording.spread(value, std))
            if with_paper:
                named = [] if own else [str(their["model"]) if their else DASH]
                line += [*named, *_papers(their)]
            body.append(line)
        rules = [
            i for i in range(1, len(rows)) if rows[i]["patch_size"] != rows[i - 1]["patch_size"]
        ]
        caption: list[Text] = [
            strong("The models. "),
            "N blocks of width d; counted multiply-accumulates of one forward pass. ",
        ]
        if measured:
            assert found.protocol is not None
            extractor = metrics.features(found.metric or "")
            on = f" on {extractor} features" if extractor else ""
            caption.append(f"Quality{on} {wording.at(found.step)} ({found.protocol.sentence()}). ")
            caption += floors(found, list(measured))
        if found.seeds > 1:
            caption.append(f"± is the standard deviation over {found.seeds} seeds. ")
        if with_paper:
            steps = sorted({t["train_steps_k"] for t in theirs if t is not None})
            trained = " and ".join(f"{k / 1000:g}M" if k >= 1000 else f"{k}K" for k in steps)
            caption.append(f"The paper's columns are its Table 3 at {trained} steps.")
        blocks = table(
            "models",
            align,
            [top, head] if with_paper else [head],
            body,
            caption,
            wide=True,
            rules=rules if len(rules) < 8 else (),
            size=7.9 if len(align) <= 13 else 7.2,
            gap=4.0 if len(align) <= 13 else 3.0,
        )
        text: list[Text] = [ref("tab-models"), f" lists {count(len(rows), 'model')}"]
        text.append(" with the paper's numbers beside." if with_paper else ".")
        return [paragraph(*text), blocks, *_other_metrics(found, list(measured))]


def _other_metrics(found: Findings, names: list[str]) -> list[Block]:
    """Figure 12: does the trend hold for the other metrics."""
    rows = found.report.frames["metrics"]
    panels = []
    told = []
    for metric in names[:5]:
        if metric == found.metric or found.protocol is None:
            continue
        one = alike(found, metric)
        if len(one) < 3:
            continue
        higher = metrics.higher_is_better(metric)
        title = f"{metrics.short_title(metric)} {ARROW[higher]}"
        panels.append((title, one, selection.floor(rows, metric)))
        c = fits.correlation(one)
        if c is not None:
            told.append(f"{metrics.short_title(metric)} {wording.signed(c.spearman)}")
    if not told:
        return []
    caption: list[Text] = [
        strong("The other metrics "),
        "of the same samples. Spearman correlation with Gflops: ",
        ", ".join(told) + ". Dashed: real images, where in range.",
    ]
    return [
        figure(
            "metrics",
            figures.svg(figures.other_metrics(found, panels)),
            caption,
            "Other metrics against model compute",
            wide=True,
        )
    ]


def _models(found: Findings) -> list[dict[str, Any]]:
    """Measured models, then those that were only counted; by patch size and Gflops."""
    rows = [{str(k): v for k, v in r.items()} for r in found.final.to_dict("records")]
    known = {(r["model"], r["block"], r["image_size"]) for r in rows}
    names = {r["model"] for r in rows}
    for r in found.report.complexity:
        if r.get("tokens") is None or (r["model"], r["block"], r["image_size"]) in known:
            continue
        family, _, rest = str(r["model"]).rpartition("-")
        size, _, patch = rest.partition("/")
        label = f"{r['model']} {r['block']}" if r["model"] in names else str(r["model"])
        facts = {
            "label": label,
            "family": family,
            "size": size if not size[:1].isdigit() else None,
            "patch_size": int(patch) if patch.isdigit() else None,
            **{c: r.get(c) for c in ("depth", "width", "heads")},
        }
        rows.append({**facts, **{k: r[k] for k in r if k not in facts}})
    return sorted(rows, key=lambda r: (-(r["patch_size"] or 0), r["gflops"] or 0))


def _is_the_papers(row: Mapping[str, Any]) -> bool:
    """Is it the paper's network itself, on latents of one of its image sizes?"""
    size, patch, tokens = (row[c] for c in ("image_size", "patch_size", "tokens"))
    if row["family"] != "DiT" or any(pd.isna(n) for n in (size, patch, tokens)):
        return False
    return bool(size in (256, 512) and tokens == (size // 8 // patch) ** 2)


def _original(row: Mapping[str, Any]) -> dict[str, Any] | None:
    name = original(row["family"], row["size"], row["patch_size"])
    size = 512 if row["family"] == "DiT" and row["image_size"] == 512 else 256
    steps = 3000 if size == 512 else 400
    block = str(row["block"])
    return paper.model(name, image_size=size, block=block, train_steps_k=steps) if name else None


def _papers(row: Mapping[str, Any] | None) -> list[str | Cell]:
    if row is None:
        return [DASH, DASH]
    return [f"{row['gflops']:.2f}", f"{row['fid50k_no_guidance']:.2f}"]


def _metrics_at(found: Findings) -> dict[str, dict[str, tuple[float, float]]]:
    """Recorded name -> label -> (mean, std), for every metric of the compared measurement."""
    out: dict[str, dict[str, tuple[float, float]]] = {}
    for metric in metrics_of(found):
        mean = alike(found, metric)
        if len(mean):
            triples = zip(mean["label"], mean["value"], mean["std"], strict=True)
            out[metric] = {str(k): (v, s) for k, v, s in triples}
    return out
