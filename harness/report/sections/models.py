"""Cost and quality of the models beside the paper's (Table 3), and all metrics (Figure 12)."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from harness import paper
from harness.analysis import metrics, selection
from harness.analysis.averaging import errors
from harness.analysis.correlations import correlation
from harness.components.section import Section
from harness.errors import BadInput
from harness.report import (
    at_floor,
    checkpoints,
    figures,
    published_tables,
    reconstructions,
    tables,
    wording,
)
from harness.report.blocks import Block, Cell, Text, em, paragraph, ref, strong, table
from harness.report.counterpart import caption as micro_caption
from harness.report.counterpart import counterpart, is_the_papers
from harness.report.draw import drawn
from harness.report.findings import Findings, floor_of
from harness.report.phrases import FLOPS, PAPER, correlation_text, shared_clause, top
from harness.report.prepared import prepared
from harness.report.tables import (
    ARROW,
    alike,
    class_scores,
    floors,
    half,
    metrics_of,
    on_other_features,
    over,
    whole,
)
from harness.report.wording import DASH, number


class Models(Section):
    """Table 3: every model, its counted cost, its quality, and the paper's numbers beside."""

    name = "models"
    title = "Models"

    def blocks(self, findings: Findings) -> list[Block]:
        found = findings
        if found.report.papers_own:
            return [paragraph(ref("tab-models"), " has every model."), published_tables.models()]
        rows = listed_models(found)
        if not rows:
            return [paragraph(em("No model has been counted or measured yet."))]
        primary = metrics_of(found)
        measured = {m: alike(found, m) for m in [*primary, *on_other_features(found)]}
        measured = {m: frame for m, frame in measured.items() if len(frame)}
        text: list[Text] = [ref("tab-models"), " has cost and quality of each model"]
        theirs = any(_original(r) is not None for r in rows)
        text.append(", and the paper's numbers beside. " if theirs else ". ")
        each = checkpoints.blocks(found, list(measured))
        if each:
            text += [ref("tab-checkpoints"), " has them at every measured step. "]
        blocks: list[Block] = [paragraph(*text), _table(found, rows, measured), *each]
        blocks += at_floor.blocks(found, [str(r["label"]) for r in rows], list(measured))
        return blocks + other_metrics(found, [m for m in primary if m in measured])


def _table(
    found: Findings, rows: list[dict[str, Any]], measured: Mapping[str, pd.DataFrame]
) -> Block:
    unit, scale = wording.gflops_unit(max(r["gflops"] for r in rows if r["gflops"] is not None))
    theirs = [_original(r) for r in rows]
    own = all(is_the_papers(r) for r in rows)
    with_paper = any(t is not None for t in theirs)
    # With many metrics there is no room for the shape, which Table 1 of the complexity has.
    shape = ("depth", "width", "heads") if len(measured) < 6 else ()
    named = [{"depth": "N", "width": "d", "heads": "Heads"}[c] for c in shape]
    head: list[str | Cell] = ["Model", *named, "Tokens", "Params", unit]
    align = "l" + "r" * (len(head) - 1)
    for metric in measured:
        head.append(f"{tables.head(found, metric)} {ARROW[metrics.higher_is_better(metric)]}")
        align += "r"
    top_line: list[str | Cell] = [Cell("", span=len(head))]
    if with_paper:
        group = ["Gflops", "FID-50K"] if own else ["Model", "Gflops", "FID-50K"]
        group += ["differ."] if found.papers_setting else []
        top_line.append(Cell("the paper's" + ("" if own else " counterpart"), span=len(group)))
        head += group
        align += ("" if own else "l") + "r" * (len(group) - (not own))
    costs = wording.apart([over(r["gflops"], scale) for r in rows])
    bold = {m: _bold(found, frame, m) for m, frame in measured.items()}
    body: list[list[str | Cell]] = []
    for r, their, cost in zip(rows, theirs, costs, strict=True):
        failed = " †" if r.get("learned") is False else ""
        line: list[str | Cell] = [f"{r['label']}{failed}"]
        line += [whole(r[c]) for c in (*shape, "tokens")]
        line += [wording.parameters(r["params"]), cost]
        for metric, frame in measured.items():
            text = tables.value_of(frame, r["label"])
            line.append(Cell(text, strong=True) if r["label"] in bold[metric] else text)
        if with_paper:
            theirs_name = [] if own else [str(their["model"]) if their else DASH]
            line += [*theirs_name, *_papers(their)]
            if found.papers_setting:
                line.append(_difference(r, their))
        body.append(line)
    rules = [i for i in range(1, len(rows)) if rows[i]["patch_size"] != rows[i - 1]["patch_size"]]
    bound = reconstructions.values(found.report.frames["metrics"], measured)
    if bound:  # what no model on these latents can be expected to reach
        line = [reconstructions.ROW, *[""] * (len(shape) + 3)]
        line += [number(bound[m]) if m in bound else DASH for m in measured]
        body.append(line + [""] * (len(head) - len(line)))
        rules.append(len(rows))
    caption: list[Text] = [strong("The models. "), f"N blocks of width d; {FLOPS}. "]
    if not shape:
        caption[1] = f"{FLOPS}. "
    if measured:
        assert found.protocol is not None
        extractor = metrics.features(found.metric or "")
        on = f" on {extractor} features" if extractor else ""
        caption.append(f"Quality{on} {wording.at(found.step)} ({found.protocol.sentence()}). ")
        caption += floors(found, list(measured))
        caption.append(class_scores(list(measured)))
        caption.append(half(body, "; bold: best, or not told from it"))
        caption += [shared_clause(pd.concat(measured.values()))]
        if not any(pd.notna(f["low"]).any() for f in measured.values()):
            caption[-1] = "No standard error was recorded, so no value is called best. "
    if any(r.get("learned") is False for r in rows):
        caption.append("† not told from decoded noise. ")
    if found.seeds > 1:
        caption.append(f"Means over {found.seeds} training seeds. ")
    if with_paper:
        steps = sorted({t["train_steps_k"] for t in theirs if t is not None})
        trained = " and ".join(f"{k / 1000:g}M" if k >= 1000 else f"{k}K" for k in steps)
        caption.append(f"The paper's columns: {PAPER}, Table 3 at {trained} steps. ")
        caption.append(micro_caption(rows))
    return table(
        "models",
        align,
        [top_line, head] if with_paper else [head],
        body,
        caption,
        wide=True,
        rules=rules if len(rules) < 8 else (),
        size=7.9 if len(align) <= 11 else 7.0,
        gap=4.0 if len(align) <= 11 else 2.6,
    )


def _bold(found: Findings, frame: pd.DataFrame, metric: str) -> set[str]:
    """Labels that are best or tie with it; none without standard errors, or of several settings."""
    known = np.isfinite(errors(frame)[0]).all()
    if not known or len(frame) < 2 or found.references > 1 or frame["group"].nunique() > 1:
        return set()
    row, tied = top(frame, metrics.higher_is_better(metric))
    chosen = {str(row["label"]), *tied}
    return chosen if len(chosen) < len(frame) else set()


def other_metrics(found: Findings, names: list[str]) -> list[Block]:
    """Figure 12: does the trend hold for the other metrics of the same samples?"""
    if found.references > 1 or len(found.groups) != 1 or found.protocol is None:
        return []
    rows = found.report.frames["metrics"]
    panels, of_all, of_learned = [], list[str](), list[str]()
    for metric in names[:5]:
        one = alike(found, metric)
        if len(one) < 3:
            continue
        higher = metrics.higher_is_better(metric)
        short = metrics.short_title(metric)
        curves, _ = selection.over_training(rows, metric)
        curves = prepared(curves, higher=higher)
        own: Any = [_learned(found, name) for name in one["label"]]
        one = one.assign(learned=pd.Series(own, index=one.index, dtype=object))
        both = [one.assign(over="end"), curves.assign(over="training")]
        floor = floor_of(rows, metric, found.protocol)
        line = floor.value if floor is not None and floor.enough else None
        panels.append((f"{short} {ARROW[higher]}", pd.concat(both), line))
        kept = one[~one["label"].isin(found.failed)]
        for rows_of, told in ((one, of_all), (kept, of_learned)):
            with contextlib.suppress(BadInput):
                c = correlation(rows_of["gflops"], rows_of["value"])
                told.append(f"{short} {correlation_text(c.pearson)}")
    if len(panels) < 2:
        return []
    caption: list[Text] = [
        strong("All metrics "),
        "of the same samples, against model compute (above) and training compute (below). ",
    ]
    if of_all:
        caption.append("Pearson's correlation with log Gflops: " + ", ".join(of_all) + ". ")
    if found.failed:
        caption.append("Hollow with a cross: not told from decoded noise by "
                       f"{found.short}; ")  # fmt: skip
        caption.append(
            f"without these the correlations are {', '.join(of_learned)}. "
            if of_learned
            else "too few are left for correlations without these. "
        )
    caption.append("Dashed: real images, where in range.")
    return [drawn("metrics", figures.metrics(panels), caption)]


def _learned(found: Findings, label: str) -> bool | None:
    """Whether a model learned, by the primary metric: one answer for all of its metrics."""
    return False if label in found.failed else None


def listed_models(found: Findings) -> list[dict[str, Any]]:
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


def _original(row: Mapping[str, Any]) -> dict[str, Any] | None:
    name = counterpart(row)
    size = 512 if row["family"] == "DiT" and row["image_size"] == 512 else 256
    steps = 3000 if size == 512 else 400
    block = str(row["block"])
    return paper.model(name, image_size=size, block=block, train_steps_k=steps) if name else None


def _papers(row: Mapping[str, Any] | None) -> list[str]:
    if row is None:
        return [DASH, DASH]
    return [f"{row['gflops']:.2f}", f"{row['fid50k_no_guidance']:.2f}"]


def _difference(row: Mapping[str, Any], theirs: Mapping[str, Any] | None) -> str:
    """Ours less the paper's FID-50K, where the setting is the paper's; its interval is ours."""
    published = None if theirs is None else theirs["fid50k_no_guidance"]
    return tables.less(row.get("value"), row.get("low"), row.get("high"), published)
