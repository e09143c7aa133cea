"""The paper's Tables 1, 3, 4 and 5 in their own shape, from its numbers alone."""

from __future__ import annotations

from harness import paper
from harness.report.blocks import Block, Cell, Text, strong, table
from harness.report.phrases import PAPER
from harness.report.wording import DASH

Line = list[str | Cell]


def sizes() -> Block:
    """Table 1: the four sizes."""
    rows: list[Line] = [
        [str(r["model"]), *(f"{r[c]:,}" for c in ("layers", "hidden_size", "heads")),
         f"{r['gflops_at_latent32_patch4']:.1f}"]
        for r in paper.table("table1_configs")
    ]  # fmt: skip
    head: Line = ["Size", "N", "d", "Heads", "Gflops"]
    said: list[Text] = [
        strong("Model sizes. "),
        f"Blocks N, width d, heads, and Gflops of 32×32 latents at patch size 4. {PAPER}, Table 1.",
    ]
    return table("configs", "lrrrr", [head], rows, said)


def models() -> Block:
    """Table 3: every network and length of training with its FID-50K."""
    rows: list[Line] = []
    rules = []
    every = paper.table("table3_models")
    for i, r in enumerate(every):
        steps = int(r["train_steps_k"])  # type: ignore[arg-type]
        trained = f"{steps // 1000}M" if steps % 1000 == 0 else f"{steps}K"
        patch = str(r["model"]).partition("/")[2]
        before = (every[i - 1]["image_size"], every[i - 1]["block"]) if i else None
        if i and (r["image_size"], r["block"]) != before:
            rules.append(i)
        rows.append([str(r["model"]), f"{r['image_size']}²", patch, str(r["block"]),
                     f"{r['params_m']} M", f"{r['gflops']:.2f}", trained, str(r["batch_size"]),
                     f"{r['fid50k_no_guidance']:.2f}"])  # fmt: skip
    head: Line = ["Model", "Image", "Patch", "Block", "Parameters", "Gflops", "Steps", "Batch"]
    head.append("FID-50K ↓")
    said: list[Text] = [
        strong("All models. "),
        "Without guidance; learning rate 10⁻⁴; no spread is published, so no value is called best. "
        f"{PAPER}, Table 3.",
    ]
    return table("models", "lrrlrrrrr", [head], rows, said, wide=True, rules=rules, size=7.9)


def decoders() -> Block:
    """Table 4: three decoders of one model's latents."""
    columns = ("fid", "sfid", "inception_score", "precision", "recall")
    rows: list[Line] = [
        [str(r["decoder"]), *(f"{float(r[c]):.2f}" for c in columns)]  # type: ignore[arg-type]
        for r in paper.table("table4_decoders")
    ]
    head: Line = ["Decoder", "FID ↓", "sFID ↓", "IS ↑", "Prec. ↑", "Rec. ↑"]
    said: list[Text] = [
        strong("Decoders. "),
        f"DiT-XL/2 at 256×256 with guidance 1.5. {PAPER}, Table 4.",
    ]
    return table("decoders", "lrrrrr", [head], rows, said)


def unets() -> Block:
    """Table 5: Gflops of the U-Nets and of their parts."""
    rows: list[Line] = [
        [str(r["model"]), f"{r['image_size']}²",
         *(DASH if r[c] is None else f"{r[c]:,}"
           for c in ("base_gflops", "upsampler_gflops", "total_gflops"))]
        for r in paper.table("table5_unets")
    ]  # fmt: skip
    head: Line = ["U-Net", "Image", "base", "upsampler", "total"]
    said: list[Text] = [strong("U-Nets, in Gflops. "), f"{PAPER}, Table 5."]
    return table("unets", "lrrrr", [head], rows, said)
