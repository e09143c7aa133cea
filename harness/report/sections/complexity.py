"""Tables 1, 3 and 5: counted against published Gflops, and Figure 2 (right)."""

from __future__ import annotations

from typing import Any

from harness import paper
from harness.report import figures, style, wording
from harness.report.blocks import Block, Cell, Text, em, figure, paragraph, ref, strong, table
from harness.report.findings import Findings
from harness.report.sections.base import Section
from harness.report.tables import over, whole
from harness.report.wording import DASH, count, number


class Complexity(Section):
    """Tables 1, 3 and 5: counted against published Gflops, and Figure 2 (right)."""

    name = "complexity"
    title = "Complexity"

    def blocks(self, found: Findings) -> list[Block]:
        rows = [dict(r) for r in found.report.complexity]
        if not rows:
            return [paragraph(em("Nothing has been counted yet."))]
        compared = [r for r in rows if r.get("paper_gflops") is not None]
        text: list[Text] = [
            ref("tab-complexity"),
            f" counts {count(len(rows), 'network')} by tracing one forward pass. ",
        ]
        if compared:
            agree = [r for r in compared if _agrees(r)]
            worst = max(compared, key=lambda r: abs(r["gflops"] / r["paper_gflops"] - 1))
            off = 100 * abs(worst["gflops"] / worst["paper_gflops"] - 1)
            text.append(
                f"{len(agree)} of the {len(compared)} that the paper lists agree with it within 0.1% "
                "or the rounding of its number; the largest difference, rounding included, is "
                f"{number(off, 2)}% ({worst['model']}). "
            )
        unit, scale = wording.gflops_unit(max(r["gflops"] for r in rows))
        head: list[str | Cell] = ["Network", "Image", "Tokens", "Parameters", unit, "+ norms"]
        head += ["the paper's", "difference"]
        ordered = [r for r in rows if r.get("tokens") is not None]
        unets = [r for r in rows if r.get("tokens") is None]
        varied = len({r["block"] for r in ordered}) > 1
        body: list[list[str | Cell]] = []
        for r in [*ordered, *unets]:
            name = str(r["model"])
            if varied and r["block"] not in (None, "adaln-zero"):
                name += f", {r['block']}"
            theirs = r.get("paper_gflops")
            difference = DASH
            if theirs is not None:
                difference = f"{100 * (r['gflops'] / theirs - 1):+.2f}%".replace("-", "−")
            size = whole(r.get("image_size"))
            line: list[str | Cell] = [
                name,
                size if size == DASH else f"{size}²",
                whole(r.get("tokens")),
            ]
            line += [wording.parameters(r["params"]), number(r["gflops"] / scale, 5)]
            line += [number(over(r.get("gflops_paper"), scale), 5)]
            line += [number(over(theirs, scale), 5), difference]
            body.append(line)
        caption: list[Text] = [
            strong("Complexity. "),
            "Multiply-accumulates of convolutions, linear layers and attention products; “+ norms” "
            "adds one operation per normalised element. ",
        ]
        if unets:
            caption.append("Below the line: U-Nets of the paper's Table 5.")
        rules = [len(ordered)] if unets and ordered else []
        blocks: list[Block] = [paragraph(*text)]
        blocks.append(
            table("complexity", "lrrrrrrr", [head], body, caption, wide=True, rules=rules)
        )
        return blocks + _configs(rows) + _bubbles(rows)


def _agrees(row: dict[str, Any]) -> bool:
    """Within 0.1%, or half a unit of the last digit: two decimals for DiTs, none for U-Nets."""
    off = abs(row["gflops"] - row["paper_gflops"])
    rounding = 0.005 if row.get("tokens") is not None else 0.5
    return bool(off <= max(rounding, 1e-3 * row["paper_gflops"]))


def _configs(rows: list[dict[str, Any]]) -> list[Block]:
    """Table 1: depth, width and heads of the sizes counted."""
    seen: dict[str, list[str | Cell]] = {}
    for r in rows:
        if r.get("depth") is not None and r.get("tokens") is not None:
            name = str(r["model"]).partition("/")[0]
            seen.setdefault(name, [name, *(whole(r[c]) for c in ("depth", "width", "heads"))])
    if not seen:
        return []
    caption: list[Text] = [strong("Model sizes. "), "Blocks N, width d, attention heads."]
    head: list[str | Cell] = ["Size", "N", "d", "Heads"]
    return [table("configs", "lrrr", [head], list(seen.values()), caption)]


def _bubbles(rows: list[dict[str, Any]]) -> list[Block]:
    counted = {
        str(r["model"]): r["gflops"]
        for r in rows
        if r.get("image_size") == 256 and r.get("block") in (None, "adaln-zero")
    }
    drawn = [
        {
            "name": s["name"],
            "fid": s["fid"],
            "gflops": counted[s["network"]],
            "transformer": s["network"].startswith("DiT"),
        }
        for s in papers_systems()
        if s["network"] in counted
    ]
    if len(drawn) < 2:
        return []
    caption: list[Text] = [
        strong("Compute and quality of the paper's systems. "),
        "Gflops counted here against the paper's FID-50K with guidance (its Table 2); the area of "
        "a disc is proportional to Gflops, dark is the transformer.",
    ]
    return [figure("systems", style.svg(figures.bubbles(drawn)), caption, "The paper systems")]


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
    short = {"ADM-G, ADM-U": "ADM-G, ADM-U"}
    return [
        {"name": short.get(name, name.split(" ")[0]), "fid": rows[name], "network": network}
        for name, network in networks.items()
    ]
