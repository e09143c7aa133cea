"""The sections that are mostly tables: models, guidance, decoders, comparison, provenance."""

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
    own = all(r["family"] == "DiT" for r in rows)
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
        caption.append(f"Quality{on} at step {found.step:,} ({found.protocol.sentence()}). ")
        caption += _floors(found, list(measured))
    if found.seeds > 1:
        caption.append(f"± is the standard deviation over {found.seeds} seeds. ")
    if with_paper:
        caption.append("The paper's columns are its Table 3 at 400K steps.")
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
    """`metric` measured as the primary one is in the comparison, averaged over seeds."""
    one = selection.measured(found.report.frames["metrics"], metric)
    same = pd.Series([p == found.protocol for p in one["protocol"]], index=one.index, dtype=bool)
    return selection.averaged(one[same & (one["step"] == found.step)])


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
    for metric in _metrics_of(found):
        mean = _alike(found, metric)
        if len(mean):
            triples = zip(mean["label"], mean["value"], mean["std"], strict=True)
            out[metric] = {str(k): (v, s) for k, v, s in triples}
    return out


def _floors(found: Findings, names: list[str]) -> list[Span]:
    floors = [(m, selection.floor(found.report.frames["metrics"], m)) for m in names]
    told = [f"{metrics.short_title(m)} {number(f)}" for m, f in floors if f is not None]
    return [f"Real images: {', '.join(told)}. "] if told else []


def guidance(found: Findings) -> list[Block]:
    """Quality against guidance scale, three or all noise channels guided."""
    title = heading("Guidance")
    rows = selection.measured(found.report.frames["metrics"], found.metric or "")
    scales = rows["guidance_scale"].dropna().nunique() if len(rows) else 0
    if scales < 2:
        nothing = "No model was measured at more than one guidance scale."
        return [title, paragraph(em(nothing))]
    rows = rows[rows["guidance_scale"].notna()].copy()
    guided = rows[[p.guided for p in rows["protocol"]]]
    # Only what was measured like the guided samples may stand beside them.
    like = ["step", *(c for c in selection.PROTOCOL if not c.startswith("guidance_"))]
    rows = rows.merge(guided[like].drop_duplicates(), on=like)
    ways = [_way(p) for p in rows["protocol"]]
    parts = []
    for words in dict.fromkeys(_way(p) for p in guided["protocol"]):
        unguided = rows["guidance_scale"] == 1  # scale 1 guides nothing: part of every line
        mine = pd.Series([w == words for w in ways], index=rows.index)
        parts.append(rows[mine | unguided].assign(channels=words))
    every = selection.averaged(pd.concat(parts), ("channels", "guidance_scale"))
    best = every.sort_values("value", ascending=not found.higher, kind="stable").iloc[0]
    text: list[Span] = [
        ref("fig-guidance"),
        f" varies the scale of classifier-free guidance. The best value, {number(best['value'])}, "
        f"is {best['label']}'s at scale {best['guidance_scale']:g}, {best['channels']} guided. ",
        "The paper's best with XL/2 are ",
        f"{paper.claim('cfg-3ch-1.5')} at scale 1.5 (three channels) and "
        f"{paper.claim('cfg-4ch-1.375'):.2f} at 1.375 (four), in the paper's FID-50K.",
    ]
    caption: list[Span] = [strong("Guidance scale. "), f"{found.title}; scale 1 is no guidance."]
    drawn = figures.svg(figures.guidance(every, found.title, found.floor))
    return [title, paragraph(*text), figure("guidance", drawn, caption)]


def _way(p: selection.Protocol) -> str:
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
    same = ["label", "step", *(c for c in selection.DRAWN if c != "decoder")]
    widths = primary.groupby(same, dropna=False)["decoder"].nunique()
    if not len(widths) or widths.max() < 2:
        return [title, paragraph(em("No model was decoded by more than one decoder."))]
    names = list(_metrics_of(found))
    chosen = widths[widths > 1].index.to_frame(index=False)
    body: list[list[Cell]] = []
    several = chosen["label"].nunique() > 1
    table_rows: dict[tuple[str, str], list[Cell]] = {}
    for metric in names:
        one = selection.measured(rows, metric).merge(chosen, on=same)
        for r in selection.averaged(one, ("step", *selection.PROTOCOL)).to_dict("records"):
            words = [str(r["decoder"]), *_differences(r, one, but=("decoder",))]
            key = (str(r["label"]), ", ".join(words))
            table_rows.setdefault(key, [DASH] * len(names))
            table_rows[key][names.index(metric)] = wording.spread(r["value"], r["std"])
    for (label, decoder), values in table_rows.items():
        body.append([f"{label}, {decoder}" if several else decoder, *values])
    head: list[Cell] = ["Decoder"]
    head += [f"{metrics.short_title(m)} {ARROW[metrics.higher_is_better(m)]}" for m in names]
    label = "" if several else f"{chosen['label'].iloc[0]}. "
    caption: list[Span] = [strong("Decoders. "), label, *_floors(found, names)]
    theirs: list[list[Cell]] = [
        [
            str(r["decoder"]),
            *(number(r[c]) for c in ("fid", "sfid", "inception_score")),
            *(number(r[c], 2) for c in ("precision", "recall")),
        ]
        for r in paper.table("table4_decoders")
    ]
    return [
        title,
        paragraph(ref("tab-decoders"), " decodes the same latents several times."),
        table("decoders", f"l{'r' * len(names)}", [head], body, caption),
        table(
            "papers-decoders",
            "lrrrrr",
            [["Decoder", "FID", "sFID", "IS", "Precision", "Recall"]],
            theirs,
            [strong("The paper's decoders "), "(its Table 4, DiT-XL/2 with guidance 1.5)."],
        ),
    ]


def _metrics_of(found: Findings) -> list[str]:
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
    "eta": "eta {}",
    "clip": "clip {}",
    "sampling_precision": "{}",
    "decoder": "decoder {}",
    "k": "k {}",
    "split_size": "chunks of {}",
}


def _differences(row: Mapping[Any, Any], among: pd.DataFrame, but: tuple[str, ...]) -> list[str]:
    """How `row` was measured, as far as the rows `among` which it stands were not measured so."""
    return [
        words.format(_said(row[c]) if isinstance(row[c], float) else row[c])
        for c, words in _PROTOCOL_WORDS.items()
        if c not in but and among[c].nunique(dropna=False) > 1 and pd.notna(row[c])
    ]


def comparison(found: Findings) -> list[Block]:
    """Table 2: every measurement of the best model beside the paper's state of the art."""
    title = heading("Comparison")
    names = [m for m in _metrics_of(found) if metrics.kind(m) in ORDER[:5]]
    rows = selection.measured(found.report.frames["metrics"], found.metric or "")
    if not len(rows):
        return [title, paragraph(em("No model has a measured quality yet."))]
    largest = rows["gflops"].max()
    ways = ["label", "step", *selection.DRAWN]
    tops = rows[rows["gflops"] == largest]
    tops = tops[(tops["samples"] == tops["samples"].max()) | tops["samples"].isna()]
    tops = tops[tops["step"] == tops["step"].max()][ways].drop_duplicates()
    values: dict[tuple[str, ...], list[Cell]] = {}
    for metric in names:
        one = selection.measured(found.report.frames["metrics"], metric).merge(tops, on=ways)
        for r in selection.averaged(one, ("step", *selection.PROTOCOL)).to_dict("records"):
            words = [f"{r['label']}, {int(r['step']):,} steps"]
            if r["guidance_scale"] not in (None, 1.0):
                words.append(f"guidance {r['guidance_scale']:g}")
            words += _differences(r, one, but=("guidance_scale",))
            values.setdefault(tuple(words), [DASH] * len(names))
            values[tuple(words)][names.index(metric)] = wording.spread(r["value"], r["std"])
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
            [strong("This study's largest model. "), *_floors(found, names)],
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
