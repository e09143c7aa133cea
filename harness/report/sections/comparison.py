"""The state of the art (Table 2): this study's largest model beside the paper's systems."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from harness import paper
from harness.analysis import metrics, selection
from harness.analysis.averaging import averaged
from harness.analysis.protocol import PROTOCOL
from harness.components.section import Section
from harness.report import papers_setting
from harness.report.blocks import Block, Cell, Text, em, paragraph, ref, strong, table
from harness.report.findings import Findings
from harness.report.papers_setting import STEPS
from harness.report.phrases import PAPER
from harness.report.prepared import prepared
from harness.report.tables import ARROW, class_scores, differences, floors, half, less, metrics_of
from harness.report.wording import DASH, cell

KINDS = ("fd", "sfd", "is", "precision", "recall")  # the metrics of the papers' tables
HIGHER = ("is", "precision", "recall")
PAPERS_HEAD = ("FID ↓", "sFID ↓", "IS ↑", "Prec. ↑", "Rec. ↑")
COLUMNS = ("fid", "sfid", "inception_score", "precision", "recall")
GUIDED = "guided, where it was, in three channels"
DECODER = "ft-ema"  # of Table 2: its values are those that Table 4 has with it


class Comparison(Section):
    """Table 2: every measurement of the largest model, with the paper's 256 and 512 blocks."""

    name = "comparison"
    title = "Comparison"

    def blocks(self, findings: Findings) -> list[Block]:
        found = findings
        rows = selection.measured(found.report.frames["metrics"], found.metric or "")
        if not len(rows):
            return [paragraph(em("No model has a measured quality yet."))]
        own = found.report.papers_own
        imagenet = found.metric == "fid" and bool(rows["image_size"].isin([256, 512]).all())
        note = (
            " Values compare where data, reference and number of samples are the paper's."
            if imagenet
            else " This study's rows do not compare with the paper's: data and features differ."
        )
        ours = largest(found, rows)
        names = dict(zip(KINDS, ours.pop("head"), strict=True))
        body: list[list[str | Cell]] = []
        rules = []
        for size in (256, 512):
            mine = ours["rows"].get(size, []) if imagenet and not own else []
            body.append([Cell(f"ImageNet {size}×{size}", span=6)])
            rules.append(len(body) - 1)
            body += [*papers_rows(size), *mine]
        if not imagenet:
            own_head = [f"{names[k]} {ARROW[k in HIGHER]}" for k in KINDS]
            other = "This study, other data and features"
            body.append([other, *(Cell(text, strong=True) for text in own_head)])
            rules.append(len(body) - 1)
            body += [line for lines in ours["rows"].values() for line in lines]
        head: list[str | Cell] = ["Model" if imagenet else "The paper's model", *PAPERS_HEAD]
        caption: list[Text] = [
            strong("Comparison. "),
            f"Rows without a mark: {PAPER}, Table 2; of its 512×512 block, what its text and Table "
            "3 state. * this study. ",
            half(body),
            *([] if own or ours["every"] else [papers_setting.in_words(GUIDED, DECODER)]),
            *floors(found, [m for m in metrics_of(found) if metrics.kind(m) in KINDS]),
            class_scores([] if own else metrics_of(found)),
        ]
        if own:
            note = ""
            caption[1] = f"{PAPER}, Table 2; of its 512×512 block, what its text and Table 3 state."
        return [
            paragraph(ref("tab-comparison"), " has the paper's systems",
                      "." if own else " and this study's largest model.", note),
            table("comparison", "lrrrrr", [head], body, caption, wide=True, rules=rules, size=7.9),
        ]  # fmt: skip


def largest(found: Findings, rows: pd.DataFrame) -> dict[str, Any]:
    """The measurements of the model of most Gflops: {"head": titles, "rows": by image size,
    "every": does every one stand beside the paper's of its setting}."""
    frame = found.report.frames["metrics"]
    names = {metrics.kind(m): m for m in metrics_of(found)}
    tops = rows[rows["gflops"] == rows["gflops"].max()]
    tops = tops[(tops["samples"] == tops["samples"].max()) | tops["samples"].isna()]
    tops = tops[(tops["step"] == tops["step"].max()) | tops["step"].isna()]
    chosen = set(selection.drawn_by(tops))
    lines: dict[tuple[int, str], list[str]] = {}
    apart: dict[tuple[int, str], list[str]] = {}  # the same, less the paper's row of that setting
    beside: dict[tuple[int, str], str] = {}
    for place, kind in enumerate(KINDS):
        if kind not in names:
            continue
        one = selection.measured(frame, names[kind])
        one = selection.where(one, [way in chosen for way in selection.drawn_by(one)])
        made = prepared(averaged(one, ("step", *PROTOCOL))).to_dict("records")
        for r in papers_setting.with_recipes(made, one):
            words = [str(r["label"])]
            words += [] if pd.isna(r["step"]) else [f"{int(r['step']):,} steps"]
            if pd.notna(r["guidance_scale"]) and r["guidance_scale"] != 1:
                words.append(f"guidance {r['guidance_scale']:g}")
            words += differences(r, one, but=("guidance_scale",))
            size = 512 if r["image_size"] == 512 else 256
            line = lines.setdefault((size, ", ".join(words)), [DASH] * len(KINDS))
            line[place] = cell(r["value"], r["low"], r["high"])
            theirs = papers_row(r) if found.metric == "fid" else None
            if theirs is not None:
                at = (size, ", ".join(words))
                name, known = theirs
                beside[at] = f"less the paper's {name}, {STEPS[size] // 10**6}M steps *"
                line = apart.setdefault(at, [DASH] * len(KINDS))
                line[place] = less(r["value"], r["low"], r["high"], known.get(COLUMNS[place]))
    out: dict[int, list[list[str | Cell]]] = {}
    for (size, label), values in lines.items():
        out.setdefault(size, []).append([f"{label} *", *values])
        if (size, label) in beside:
            out[size].append([beside[size, label], *apart[size, label]])
    every = len(apart) == len(lines)
    return {"head": [metrics.short_title(names.get(k, k)) for k in KINDS], "rows": out,
            "every": every}  # fmt: skip


def papers_row(row: Mapping[Any, Any]) -> tuple[str, dict[str, Any]] | None:
    """(name, values by column) of the paper's row that was measured as this one; None without.

    row: as of `papers_setting.is_of_the_tables`.
    """
    scale, channels = (row.get(c) for c in ("guidance_scale", "guidance_channels"))
    guided = pd.notna(scale) and scale != 1
    decoder = row.get("decoder")
    if not papers_setting.is_of_the_tables(row) or (pd.notna(decoder) and decoder != DECODER):
        return None
    if guided and (pd.isna(channels) or channels != 3):
        return None
    name = f"DiT-XL/2-G (cfg={scale:.2f})" if guided else "DiT-XL/2"
    if row["image_size"] == 512:
        known: dict[str, dict[str, Any]] = {n: {"fid": v} for n, v in at_512().items()}
    else:
        known = {str(r["model"]): {**r} for r in paper.table("table2_imagenet256")}
    return (name, known[name]) if name in known else None


def papers_rows(size: int) -> list[list[str | Cell]]:
    """The paper's Table 2 at 256; at 512 what its text and Table 3 state."""
    if size == 256:
        return [
            [str(r["model"]), *(published(r[c]) for c in COLUMNS)]
            for r in paper.table("table2_imagenet256")
        ]
    return [[name, f"{value:.2f}", *[DASH] * 4] for name, value in at_512().items()]


def at_512() -> dict[str, float]:
    """FID of the paper's systems at 512, by name."""
    theirs = paper.model("DiT-XL/2", image_size=512, train_steps_k=3000)
    assert theirs is not None
    return {
        "ADM-G, ADM-U": paper.claim("adm-512-best"),
        "DiT-XL/2": float(theirs["fid50k_no_guidance"]),  # type: ignore[arg-type]
        "DiT-XL/2-G (cfg=1.50)": paper.claim("xl2-512-3m-cfg1.5"),
    }


def published(value: Any) -> str:
    """A published value with two decimals; a dash for none."""
    return DASH if value is None else f"{float(value):.2f}"
