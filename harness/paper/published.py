"""Claims about other people's models: decided by the paper's own tables alone."""

from __future__ import annotations

import math

from harness import paper
from harness.paper.evidence import AGREES, DISAGREES, Evidence, nothing


def _published_rows(agrees: bool, e: Evidence, words: str) -> tuple[str, str]:
    if not e.published:
        return nothing(f"the study measured none of the models compared; the paper's: {words}")
    return (AGREES if agrees else DISAGREES), words


def _table2() -> dict[str, dict[str, paper.Value]]:
    return {str(r["model"]): r for r in paper.table("table2_imagenet256")}


def said(values: list[float]) -> str:
    """Values with two decimals, as a list in words."""
    return ", ".join(f"{v:.2f}" for v in values)


def sota(e: Evidence) -> tuple[str, str]:
    """Table 2: has DiT-XL/2 with guidance the lowest FID of all at 256 pixels?"""
    fids = sorted((float(r["fid"]), name) for name, r in _table2().items())  # type: ignore[arg-type]
    words = f"{fids[0][0]:.2f} ({fids[0][1]}) against {fids[1][0]:.2f} ({fids[1][1]})"
    return _published_rows(fids[0][1].startswith("DiT"), e, words)


def recall(e: Evidence) -> tuple[str, str]:
    """Table 2: has DiT-XL/2 a higher recall than latent diffusion, with and without guidance?"""
    rows = _table2()
    ours = [float(r["recall"]) for n, r in rows.items() if n.startswith("DiT")]  # type: ignore[arg-type]
    theirs = {n: float(r["recall"]) for n, r in rows.items() if n.startswith("LDM")}  # type: ignore[arg-type]
    plain = [v for n, v in theirs.items() if "-G" not in n]
    guided = [v for n, v in theirs.items() if "-G" in n]
    agrees = ours[0] > max(plain) and min(ours[1:]) > max(guided)
    words = f"{said(ours)} against {said(plain)} without guidance and {said(guided)} with"
    if not agrees:
        matched = ours[0] > max(plain) and ours[1] > theirs["LDM-4-G (cfg=1.25)"] and (
            ours[2] > theirs["LDM-4-G (cfg=1.50)"])  # fmt: skip
        words += "; true at equal guidance" if matched else ""
        agrees = matched
    return _published_rows(agrees, e, words)


def decoder(e: Evidence) -> tuple[str, str]:
    """Table 4: is the FID alike with each decoder, and below LDM's with all?"""
    fids = [float(r["fid"]) for r in paper.table("table4_decoders")]  # type: ignore[arg-type]
    other = float(_table2()["LDM-4-G (cfg=1.50)"]["fid"])  # type: ignore[arg-type]
    words = f"{said(fids)} against {other:.2f} (LDM-4-G)"
    return _published_rows(max(fids) < other and max(fids) / min(fids) < 1.1, e, words)


def at_512(e: Evidence) -> tuple[str, str]:
    """Section 5.2: is DiT-XL/2 ahead at 512 pixels, at fewer Gflops than the U-Nets?"""
    ours, best = paper.claim("xl2-512-3m-cfg1.5"), paper.claim("adm-512-best")
    model = paper.model("DiT-XL/2", image_size=512, train_steps_k=3000)
    gflops = float(model["gflops"]) if model else math.nan  # type: ignore[arg-type]
    unets = {
        str(r["model"]): float(r["total_gflops"])  # type: ignore[arg-type]
        for r in paper.table("table5_unets") if r["image_size"] == 512
    }  # fmt: skip
    others = " and ".join(f"{total:,.0f} ({name})" for name, total in unets.items())
    words = f"{ours} against {best}; {gflops} Gflops against {others}"
    return _published_rows(ours < best and gflops < min(unets.values()), e, words)


def latent(e: Evidence) -> tuple[str, str]:
    """Figure 2: is DiT-XL/2 ahead of ADM and ADM-U at fewer Gflops? LDM-4 stands beside them."""
    fids = _table2()
    unets = {str(r["model"]): float(r["total_gflops"])  # type: ignore[arg-type]
             for r in paper.table("table5_unets") if r["image_size"] == 256}  # fmt: skip
    guided = {"LDM-4": "LDM-4-G (cfg=1.50)", "ADM": "ADM-G", "ADM-U": "ADM-G, ADM-U"}
    fid = float(fids["DiT-XL/2-G (cfg=1.50)"]["fid"])  # type: ignore[arg-type]
    words, dominates = [], True
    for name, row in guided.items():
        theirs = (unets[name], float(fids[row]["fid"]))  # type: ignore[arg-type]
        wins = theirs[0] > 118.64 and theirs[1] > fid
        dominates &= wins or name == "LDM-4"  # of LDM-4 it is only said to be better and costlier
        words.append(f"{name} ({theirs[0]:g} Gflops, FID {theirs[1]}) {'is' if wins else 'is not'} "
                     "dominated")  # fmt: skip
    return _published_rows(dominates, e, f"XL/2 (118.64 Gflops, FID {fid}): {', '.join(words)}")
