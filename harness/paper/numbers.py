"""The single numbers of the paper's text (`claims`), each beside what the records give.

A number is of one measurement: model, samples, steps, guidance. It is supported where our 95 %
interval lies within 5 % of it, contradicted where all of the interval is farther away, and
undecided otherwise; the 5 % were fixed before any records were seen. Counts (Gflops) have no
spread: they agree to the last digit that the paper prints, or they do not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from harness import paper
from harness.analysis import selection
from harness.analysis.averaging import averaged
from harness.analysis.intervals import degrees, interval
from harness.analysis.recorded_settings import recorded_settings
from harness.paper.claims import decide
from harness.paper.evidence import (
    AGREES,
    CONTRADICTED,
    DISAGREES,
    SUPPORTED,
    UNDECIDED,
    Evidence,
    Verdict,
    nothing,
)

NEAR = 0.05  # share of the paper's number


@dataclass(frozen=True)
class Setting:
    """The measurement that a number is of; None: the paper does not say."""

    model: str
    samples: int
    guidance_scale: float = 1.0
    guidance_channels: int | None = None  # None: not guided, or all
    sampling_steps: int | None = None
    step: int | None = None
    image_size: int = 256


MEASURED = {
    "sampling-xl2-128-fid10k": Setting("DiT-XL/2", 10_000, sampling_steps=128, step=400_000),
    "sampling-l2-1000-fid10k": Setting("DiT-L/2", 10_000, sampling_steps=1000, step=400_000),
    "cfg-3ch-1.5": Setting("DiT-XL/2", 50_000, 1.5, 3, step=7_000_000),
    "cfg-4ch-1.375": Setting("DiT-XL/2", 50_000, 1.375, None, step=7_000_000),
    "xl2-2.35m-cfg1.5": Setting("DiT-XL/2", 50_000, 1.5, 3, step=2_350_000),
    "xl2-512-3m-cfg1.5": Setting("DiT-XL/2", 50_000, 1.5, 3, step=3_000_000, image_size=512),
}
# Of all of these; a value that was not recorded (an imported checkpoint's) speaks against nothing.
PAPERS: dict[str, Any] = {"objective": "ddpm", "sampler": "ancestral", "batch_size": 256,
                          "learning_rate": 1e-4, "ema": 0.9999}  # fmt: skip
NEVER = ("guidance_low", "guidance_high", "ema_length", "labels")  # the paper has no such thing
RECIPE = {"ema": 0.9999, "label_dropout": 0.1, "weight_decay": 0.0, "grad_clip": None,
          "schedule": None, "flip": True}  # fmt: skip
# Of the records' column `recipe`.
COUNTED = {"sampling-l2-1000-tflops": ("DiT-L/2", 1000),
           "sampling-xl2-128-tflops": ("DiT-XL/2", 128)}  # fmt: skip


def is_by_the_papers_recipe(row: Mapping[Any, Any]) -> bool:
    """Was the model of this row trained and sampled as the paper's, as far as is recorded?

    row: columns of the records. Model, steps, samples, guidance and decoder are not asked for.
    """
    recipe = recorded_settings(row.get("recipe"), "recipe")
    return (
        all(pd.isna(row.get(c)) or row[c] == v for c, v in PAPERS.items())
        and all(pd.isna(row.get(c)) for c in NEVER)
        and all(recipe.get(c, v) == v for c, v in RECIPE.items())
    )


def decide_numbers(evidence: Evidence, metrics: pd.DataFrame | None = None) -> list[Verdict]:
    """All numbers in the paper's order. `metrics`: the records' table, for measured ones."""
    out = []
    for row in paper.table("claims"):
        name, value = str(row["id"]), float(row["value"])  # type: ignore[arg-type]
        said = in_words(str(row["claim"]), value, str(row["unit"]))
        if name in COUNTED:
            verdict = _counted(evidence, value, *COUNTED[name])
        elif name == "compute-factor":
            verdict = _factor(evidence, value)
        elif evidence.published:
            verdict = _tables(name, value)
        elif name == "xl4-vs-xl2":  # the same number as a sentence of the text
            crossing = decide("xl4-xl2-crossing", evidence)
            verdict = crossing.verdict, crossing.numbers
        elif name in MEASURED:
            verdict = _measured(metrics, value, MEASURED[name])
        else:
            verdict = nothing("these records have no such measurement")
        out.append(Verdict(name, str(row["where"]), said, *verdict))
    return out


def in_words(claim: str, value: float, unit: str) -> str:
    """A claim of one number: "training compute = Gflops × batch × steps × 3"."""
    if unit == "ratio":  # the last of the factors
        return f"{claim.replace(' x ', ' × ').removesuffix('factor')}{value:g}"
    if value == 1e10:
        return f"{claim}: 10¹⁰ {unit}"
    return f"{claim}: {value:g} {unit}"


def _counted(e: Evidence, value: float, model: str, steps: int) -> tuple[str, str]:
    rows = e.final
    if "model" not in rows:
        rows = rows.iloc[:0]
    if len(rows):
        rows = rows[(rows["model"] == model) & (rows["block"] == "adaln-zero")]
        rows = rows[rows["image_size"] == 256] if "image_size" in rows else rows
    if not len(rows):
        return nothing(f"{model} was not counted here")
    tflops = float(rows["gflops"].iloc[0]) * steps / 1000
    words = f"{float(rows['gflops'].iloc[0]):.2f} Gflops × {steps} steps = {tflops:.1f} Tflops"
    alike = abs(tflops - value) <= 0.05 + 1e-9
    if e.published:
        return (AGREES if alike else DISAGREES), words
    return (SUPPORTED if alike else CONTRADICTED), words


def _factor(e: Evidence, value: float) -> tuple[str, str]:
    needed = ("train_gflops", "gflops", "batch_size", "step")
    if not len(e.curves) or any(c not in e.curves for c in needed):
        return nothing("no compute of training was counted")
    rows = e.curves.dropna(subset=list(needed))
    rows = rows[(rows[list(needed)] > 0).all(axis=1)]
    if not len(rows):
        return nothing("no compute of training was counted")
    factor = rows["train_gflops"] / (rows["gflops"] * rows["batch_size"] * rows["step"])
    if np.allclose(factor, value):
        return nothing("the harness counts by this definition, and no measurement decides it")
    return CONTRADICTED, f"factor {float(factor.median()):.3g}"


def _tables(name: str, value: float) -> tuple[str, str]:
    """Where the paper's own tables hold the number too."""
    known = {
        "cfg-3ch-1.5": next(r["fid"] for r in paper.table("table2_imagenet256")
                            if r["model"] == "DiT-XL/2-G (cfg=1.50)"),
    }  # fmt: skip
    if name not in known:
        return nothing("the paper states it in its text alone")
    found = float(known[name])  # type: ignore[arg-type]
    return (AGREES if found == value else DISAGREES), f"{found} in Table 2"


def _measured(metrics: pd.DataFrame | None, value: float, where: Setting) -> tuple[str, str]:
    rows = None if metrics is None or not len(metrics) else selection.measured(metrics, "fid")
    if rows is None or not len(rows):
        return nothing("no FID was measured")
    kept = (rows["model"] == where.model) & (rows["block"] == "adaln-zero")
    kept &= (rows["samples"] == where.samples) & (rows["image_size"] == where.image_size)
    kept &= rows["guidance_scale"].fillna(1.0) == where.guidance_scale
    if where.guidance_scale != 1:
        channels: Any = rows["guidance_channels"]
        kept &= channels.isna() if where.guidance_channels is None else (
            channels == where.guidance_channels)  # fmt: skip
    for column in ("sampling_steps", "step"):
        wanted = getattr(where, column)
        if wanted is not None:
            kept &= rows[column] == wanted
    kept &= np.array([is_by_the_papers_recipe(r) for r in rows.to_dict("records")], bool)
    rows = rows[kept.fillna(False).astype(bool)]
    if not len(rows):
        return nothing("not measured in the paper's setting")
    # What is left may differ in what the paper does not say: one way is taken, and no mean.
    means = averaged(selection.final_rows(rows, "fid"), ("step",))
    if len(means) > 1:
        return nothing(f"measured in several settings: {', '.join(map(str, means['label']))}")
    found = means.iloc[0]
    se = float(found["se"]) if pd.notna(found["se"]) else math.nan
    if not math.isfinite(se):
        return UNDECIDED, f"{found['value']:.2f}, without a standard error"
    at = interval(float(found["value"]), se, degrees(found["se_df"]))
    words = f"{at.value:.2f} ({at.low:.2f} to {at.high:.2f})"
    low, high = value * (1 - NEAR), value * (1 + NEAR)
    if low <= at.low and at.high <= high:
        return SUPPORTED, words
    return (CONTRADICTED if at.low > high or at.high < low else UNDECIDED), words
