"""Counted against published Gflops (Tables 1, 3 and 5), and compute against quality (Figure 2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from harness import paper
from harness.analysis import selection
from harness.components.section import Section
from harness.report import figures, published_tables, wording
from harness.report.blocks import Block, Cell, Text, em, paragraph, ref, strong, table
from harness.report.draw import drawn
from harness.report.findings import Findings
from harness.report.papers_setting import SAMPLES
from harness.report.phrases import FLOPS, PAPER
from harness.report.tables import over, whole
from harness.report.wording import DASH, count, number


class Complexity(Section):
    """Tables 1, 3 and 5: every network's counted Gflops beside the paper's, and Figure 2."""

    name = "complexity"
    title = "Complexity"
    needs = ()

    def blocks(self, findings: Findings) -> list[Block]:
        found = findings
        rows = [dict(r) for r in found.report.complexity]
        if found.report.papers_own:
            text: list[Text] = [ref("tab-configs"), " and ", ref("tab-unets")]
            text.append(f" have the Gflops; {FLOPS}. ")
            tables = [published_tables.sizes(), published_tables.unets()]
            return [paragraph(*text), *tables, *discs(found), *systems(rows, "as published")]
        if not rows:
            return [paragraph(em("Nothing has been counted yet.")), *discs(found)]
        compared = [r for r in rows if r.get("paper_gflops") is not None]
        text = [
            ref("tab-complexity"),
            f" counts the operations of one forward pass by tracing it; {FLOPS}. ",
        ]
        if compared:
            agree = [r for r in compared if _agrees(r)]
            worst = max(compared, key=lambda r: abs(r["gflops"] / r["paper_gflops"] - 1))
            off = 100 * abs(worst["gflops"] / worst["paper_gflops"] - 1)
            text.append(
                f"{len(agree)} of the {len(compared)} that the paper lists agree with it within "
                "0.1% or the rounding of its number; the largest difference, rounding included, "
                f"is {number(off, 2)}% ({worst['model']}). "
            )
        blocks: list[Block] = [paragraph(*text), _table(rows), *_configs(rows), *_unets(rows)]
        return blocks + systems(rows, ours=measured_alike(found)) + discs(found)


def _table(rows: list[dict[str, Any]]) -> Block:
    unit, scale = wording.gflops_unit(max(r["gflops"] for r in rows))
    head: list[str | Cell] = ["Network", "Image", "Tokens", "Parameters", unit, "+ norms"]
    head += ["the paper's", "difference"]
    ordered = [r for r in rows if r.get("tokens") is not None]
    unets = [r for r in rows if r.get("tokens") is None]
    varied = len({r["block"] for r in ordered}) > 1
    channels: dict[tuple[Any, ...], set[Any]] = {}
    for r in ordered:
        channels.setdefault(_named(r), set()).add(r.get("channels"))
    counted = wording.apart([r["gflops"] / scale for r in [*ordered, *unets]])
    body: list[list[str | Cell]] = []
    for r, gflops in zip([*ordered, *unets], counted, strict=True):
        name = str(r["model"])
        if varied and r["block"] not in (None, "adaln-zero"):
            name += f", {r['block']}"
        if len(channels.get(_named(r), ())) > 1:
            name += f", {count(r['channels'], 'channel')}"
        theirs = r.get("paper_gflops")
        size = whole(r.get("image_size"))
        line: list[str | Cell] = [name, size if size == DASH else f"{size}²"]
        line += [whole(r.get("tokens")), wording.parameters(r["params"]), gflops]
        line += [number(over(r.get("gflops_paper"), scale), 5)]
        line += [number(over(theirs, scale), 5), difference(r["gflops"], theirs)]
        body.append(line)
    caption: list[Text] = [
        strong("Complexity. "),
        "Multiply-accumulates of convolutions, linear layers and attention products; “+ norms” "
        f"adds one operation per normalised element. The paper's: {PAPER}, Tables 3 and 5. ",
    ]
    rules = [len(ordered)] if unets and ordered else []
    return table("complexity", "lrrrrrrr", [head], body, caption, wide=True, rules=rules)


def _named(row: dict[str, Any]) -> tuple[Any, ...]:
    """What a line says beside its numbers."""
    return row["model"], row["block"], row.get("image_size"), row.get("tokens")


def difference(ours: float, theirs: float | None) -> str:
    """The difference of two counts in per cent of theirs; a dash without theirs."""
    return DASH if theirs is None else f"{100 * (ours / theirs - 1):+.2f}%".replace("-", "−")


def _agrees(row: dict[str, Any]) -> bool:
    """Within 0.1%, or half a unit of the last digit: two decimals for DiTs, none for U-Nets."""
    off = abs(row["gflops"] - row["paper_gflops"])
    rounding = 0.005 if row.get("tokens") is not None else 0.5
    return bool(off <= max(rounding, 1e-3 * row["paper_gflops"]))


def _configs(rows: list[dict[str, Any]]) -> list[Block]:
    """Table 1: depth, width, heads, and Gflops of 32 x 32 latents at patch size 4."""
    published = {str(r["model"]): r for r in paper.table("table1_configs")}
    seen: dict[str, list[str | Cell]] = {}
    for r in rows:
        if r.get("depth") is None or r.get("tokens") is None:
            continue
        name = str(r["model"]).partition("/")[0]
        theirs = published.get(name, {}).get("gflops_at_latent32_patch4")
        line = [name, *(whole(r[c]) for c in ("depth", "width", "heads"))]
        line += [DASH, DASH if theirs is None else f"{theirs:.1f}", DASH]
        seen.setdefault(name, [*line])
        at_four = str(r["model"]).endswith("/4") and r.get("image_size") == 256
        if at_four and r.get("block") in (None, "adaln-zero"):
            seen[name][4] = f"{r['gflops']:.2f}"
            seen[name][6] = difference(r["gflops"], theirs)  # type: ignore[arg-type]
    if not set(seen) & set(published):  # depth, width and heads stand with the models
        return []
    caption: list[Text] = [
        strong("Model sizes. "),
        f"Blocks N, width d, heads, Gflops of 32×32 latents at patch size 4, and {PAPER}, Table 1.",
    ]
    head: list[str | Cell] = ["Size", "N", "d", "Heads", "Gflops", "the paper's", "differ."]
    return [table("configs", "lrrrrrr", [head], list(seen.values()), caption, wide=True)]


def _unets(rows: list[dict[str, Any]]) -> list[Block]:
    """Table 5: the U-Nets' base model, upsampler and total."""
    counted = {str(r["model"]): float(r["gflops"]) for r in rows if r.get("tokens") is None}
    body: list[list[str | Cell]] = []
    for r in paper.table("table5_unets"):
        name, size = str(r["model"]), int(r["image_size"])  # type: ignore[arg-type]
        total = counted.get(name if name.startswith("LDM") else f"{name}-{size}")
        if total is None:
            continue
        base: float | None = total
        above: float | None = None
        if name == "ADM-U":
            base = counted.get("ADM-64" if size == 256 else "ADM-128")
            above = counted.get(f"ADM-upsampler-{size}", None if base is None else total - base)
        line: list[str | Cell] = [name, f"{size}²"]
        for mine, theirs in (
            (base, r["base_gflops"]),
            (above, r["upsampler_gflops"]),
            (total, r["total_gflops"]),
        ):
            line += [number(mine, 5), DASH if theirs is None else f"{theirs:,}"]
        body.append([*line, difference(total, float(r["total_gflops"]))])  # type: ignore[arg-type]
    if not body:
        return []
    top: list[str | Cell] = [Cell("", span=2)]
    top += [Cell(part, span=2) for part in ("base", "upsampler", "total")] + [Cell("", span=1)]
    head: list[str | Cell] = ["U-Net", "Image", *["counted", "the paper's"] * 3, "differ."]
    caption: list[Text] = [strong("U-Nets, in Gflops. "), f"{PAPER}, Table 5."]
    return [table("unets", "lrrrrrrrr", [top, head], body, caption, wide=True, size=7.9)]


def systems(
    rows: list[dict[str, Any]],
    how: str = "counted here",
    ours: Sequence[dict[str, Any]] = (),
) -> list[Block]:
    """Figure 2, right: the paper's systems by the Gflops counted here, and `ours` beside them."""
    counted = {
        str(r["model"]): r["gflops"]
        for r in rows
        if r.get("image_size") == 256 and r.get("block") in (None, "adaln-zero")
    }
    found = [
        {
            "name": s["name"],
            "value": s["fid"],
            "gflops": counted[s["network"]],
            "transformer": s["network"].startswith("DiT"),
            "ours": False,
        }
        for s in papers_systems()
        if s["network"] in counted
    ]
    found += ours
    if len(found) < 2:
        return []
    caption: list[Text] = [
        strong("Compute and quality of the paper's systems. "),
        f"Gflops {how} against the FID-50K with guidance of {PAPER}, Table 2; the area of a "
        "disc is proportional to Gflops, hatched are U-Nets.",
    ]
    title = "FID-50K with guidance"
    if ours:
        caption.append(" Filled: this study's, with guidance 1.5 of three channels.")
    else:
        title += ", as published"
    return [drawn("systems", figures.systems(pd.DataFrame(found), how, title), caption)]


def measured_alike(found: Findings) -> list[dict[str, Any]]:
    """This study's models whose FID was measured as the paper's systems' was, for Figure 2, right.

    50,000 samples of 256 x 256 pixels, guidance 1.5 of three channels as the paper's best has it.
    """
    rows = found.report.frames["metrics"]
    if found.metric != "fid" or found.references > 1:
        return []
    alike = (rows["samples"] == SAMPLES) & (rows["image_size"] == 256)
    alike &= (rows["guidance_scale"] == 1.5) & (rows["guidance_channels"] == 3)
    alike &= rows["guidance_low"].isna()
    final = selection.final_quality(rows[alike.fillna(False).astype(bool)], "fid")
    return [
        {
            "name": f"{r['label']}, this study",
            "value": r["value"],
            "gflops": r["gflops"],
            "transformer": pd.notna(r["tokens"]),  # a U-Net has none
            "ours": True,
        }
        for r in final.to_dict("records")
    ]


def discs(found: Findings) -> list[Block]:
    """Figure 2, left: this study's models, discs of their Gflops."""
    rows = found.final
    if len(rows) < 3 or len(found.groups) != 1 or rows["size"].isna().any():
        return []
    caption: list[Text] = [
        strong("Compute and quality of the models. "),
        f"{found.heading} {wording.at(found.step)}; the area of a disc is proportional to Gflops, "
        "down to the smallest that can be seen.",
    ]
    return [drawn("discs", figures.bubbles(rows, found.title), caption)]


def papers_systems() -> list[dict[str, Any]]:
    """Name, FID-50K and the name of the network counted, of the paper's diffusion models."""
    networks = {
        "ADM-G": "ADM-256",
        "ADM-G, ADM-U": "ADM-U-256",
        "LDM-8-G": "LDM-8",
        "LDM-4-G (cfg=1.50)": "LDM-4",
        "DiT-XL/2-G (cfg=1.50)": "DiT-XL/2",
    }
    rows = {str(r["model"]): r["fid"] for r in paper.table("table2_imagenet256")}
    return [
        {"name": name.partition(" (")[0], "fid": rows[name], "network": network}
        for name, network in networks.items()
    ]
