"""The sections that are mostly tables: models, comparison, provenance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from harness import paper
from harness.analysis import fits, metrics, selection
from harness.report import figures, wording
from harness.report.blocks import (
    Block,
    Cell,
    Span,
    em,
    figure,
    heading,
    pairs,
    paragraph,
    ref,
    strong,
    table,
)
from harness.report.findings import Findings, original
from harness.report.wording import DASH, count, number

ORDER = ("fd", "sfd", "is", "precision", "recall", "density", "coverage", "kid", "fd_infinity")
ARROW = {True: "↑", False: "↓"}


def models(found: Findings) -> list[Block]:
    """Table 3: every model, its counted cost, its quality, and the paper's numbers beside."""
    title = heading("Models")
    rows = _models(found)
    if not rows:
        return [title, paragraph(em("No model has been counted or measured yet."))]
    unit, scale = wording.gflops_unit(max(r["gflops"] for r in rows if r["gflops"] is not None))
    measured = _metrics_at(found)
    theirs = [_original(r) for r in rows]
    own = all(_is_the_papers(r) for r in rows)
    with_paper = any(t is not None for t in theirs)
    head: list[Cell] = ["Model", "N", "d", "Heads", "Tokens", "Params", unit]
    align = "lrrrrrr"
    for metric in measured:
        head.append(f"{metrics.short_title(metric)} {ARROW[metrics.higher_is_better(metric)]}")
        align += "r"
    top: list[Cell] = [{"span": len(head), "text": ""}]
    if with_paper:
        group = ["Gflops", "FID-50K"] if own else ["Model", "Gflops", "FID-50K"]
        top.append({"span": len(group), "text": "the paper's" + ("" if own else " counterpart")})
        head += group
        align += "r" * len(group) if own else "lrr"
    body: list[list[Cell]] = []
    for r, their in zip(rows, theirs, strict=True):
        line: list[Cell] = [str(r["label"])]
        line += [whole(r[c]) for c in ("depth", "width", "heads", "tokens")]
        line += [wording.parameters(r["params"]), number(over(r["gflops"], scale))]
        for values in measured.values():
            value, std = values.get(r["label"], (None, None))
            line.append(wording.spread(value, std))
        if with_paper:
            named = [] if own else [str(their["model"]) if their else DASH]
            line += [*named, *_papers(their)]
        body.append(line)
    rules = [i for i in range(1, len(rows)) if rows[i]["patch_size"] != rows[i - 1]["patch_size"]]
    caption: list[Span] = [
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
    text: list[Span] = [ref("tab-models"), f" lists {count(len(rows), 'model')}"]
    text.append(" with the paper's numbers beside." if with_paper else ".")
    return [title, paragraph(*text), blocks, *_other_metrics(found, list(measured))]


def _other_metrics(found: Findings, names: list[str]) -> list[Block]:
    """Figure 12: does the trend hold for the other metrics."""
    rows = found.report.frames["metrics"]
    panels = []
    told = []
    for metric in names[:5]:
        if metric == found.metric or found.protocol is None:
            continue
        one = _alike(found, metric)
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
    caption: list[Span] = [
        strong("The other metrics "),
        "of the same samples. Spearman correlation with Gflops: ",
        ", ".join(told) + ". Dashed: real images, where in range.",
    ]
    return [figure("metrics", figures.svg(figures.other_metrics(found, panels)), caption, True)]


def _alike(found: Findings, metric: str) -> pd.DataFrame:
    """`metric` of the samples whose primary metric is compared, averaged over seeds."""
    if found.protocol is None:
        return found.final
    frame = found.report.frames["metrics"]
    return selection.of_the_same_samples(frame, metric, found.protocol, found.step)


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


def _papers(row: Mapping[str, Any] | None) -> list[Cell]:
    if row is None:
        return [DASH, DASH]
    return [f"{row['gflops']:.2f}", f"{row['fid50k_no_guidance']:.2f}"]


def _metrics_at(found: Findings) -> dict[str, dict[str, tuple[float, float]]]:
    """Recorded name -> label -> (mean, std), for every metric of the compared measurement."""
    out: dict[str, dict[str, tuple[float, float]]] = {}
    for metric in metrics_of(found):
        mean = _alike(found, metric)
        if len(mean):
            triples = zip(mean["label"], mean["value"], mean["std"], strict=True)
            out[metric] = {str(k): (v, s) for k, v, s in triples}
    return out


def floors(found: Findings, names: list[str]) -> list[Span]:
    floors = [(m, selection.floor(found.report.frames["metrics"], m)) for m in names]
    told = [f"{metrics.short_title(m)} {number(f)}" for m, f in floors if f is not None]
    return [f"Real images: {', '.join(told)}. "] if told else []


def metrics_of(found: Findings) -> list[str]:
    rows = found.report.frames["metrics"]
    extractor = metrics.features(found.metric or "")
    names = [str(m) for m in rows["metric"].dropna().unique()]
    names = [m for m in names if metrics.features(m) == extractor and metrics.kind(m) in ORDER]
    return sorted(names, key=lambda m: ORDER.index(metrics.kind(m)))


_PROTOCOL_WORDS = {  # said where they differ
    "guidance_scale": "guidance {}",
    "guidance_channels": "{} channels",
    "guidance_low": "from timestep {}",
    "guidance_high": "to {}",
    "sampler": "{}",
    "sampling_steps": "{} sampling steps",
    "samples": "{} samples",
    "eta": "eta {}",
    "clip": "clip {}",
    "sampling_precision": "{}",
    "decoder": "decoder {}",
    "k": "k {}",
    "split_size": "chunks of {}",
}


def differences(row: Mapping[Any, Any], among: pd.DataFrame, but: tuple[str, ...]) -> list[str]:
    """How `row` was measured, as far as the rows `among` which it stands were not measured so."""
    return [
        words.format(_said(row[c]) if isinstance(row[c], float) else row[c])
        for c, words in _PROTOCOL_WORDS.items()
        if c not in but and among[c].nunique(dropna=False) > 1 and pd.notna(row[c])
    ]


def comparison(found: Findings) -> list[Block]:
    """Table 2: every measurement of the best model beside the paper's state of the art."""
    title = heading("Comparison")
    names = [m for m in metrics_of(found) if metrics.kind(m) in ORDER[:5]]
    rows = selection.measured(found.report.frames["metrics"], found.metric or "")
    if not len(rows):
        return [title, paragraph(em("No model has a measured quality yet."))]
    tops = rows[rows["gflops"] == rows["gflops"].max()]
    tops = tops[(tops["samples"] == tops["samples"].max()) | tops["samples"].isna()]
    tops = tops[(tops["step"] == tops["step"].max()) | tops["step"].isna()]
    chosen = set(selection.drawn_by(tops))
    values: dict[tuple[str, ...], list[Cell]] = {}
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
    head: list[Cell] = ["Model"]
    head += [f"{metrics.short_title(m)} {ARROW[metrics.higher_is_better(m)]}" for m in names]
    ours: list[list[Cell]] = [[", ".join(words), *cells] for words, cells in values.items()]
    theirs: list[list[Cell]] = [
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
        title,
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


def provenance(found: Findings) -> list[Block]:
    """What made the numbers: versions, devices, extractor, reference, seeds, the command."""
    rows = [
        (name, text, any(len(word) >= 40 for word in text.split()) or name == "command")
        for name, text in _flat(found.report.provenance)
    ]
    if not rows:
        return [heading("Provenance"), paragraph(em("No provenance was recorded."))]
    return [heading("Provenance"), pairs(rows)]


def _flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    out: list[tuple[str, str]] = []
    for key, value in values.items():
        name = f"{prefix}{key}".replace("_", " ")
        if isinstance(value, Mapping):
            out += _flat(value, f"{name} ")
        elif isinstance(value, (list, tuple)):
            out.append((name, ", ".join(map(_said, value)) or DASH))
        elif value is None or value == "":
            out.append((name, "not recorded"))
        else:
            out.append((name, _said(value)))
    return out


def _said(value: Any) -> str:
    """As text; whole numbers without the ".0" of a column that has nulls."""
    whole_float = isinstance(value, float) and value.is_integer()
    return str(int(value)) if whole_float else str(value)


def whole(value: Any) -> str:
    return DASH if value is None or pd.isna(value) else f"{int(value):,}"


def over(value: Any, scale: float) -> float | None:
    return None if value is None or pd.isna(value) else float(value) / scale
