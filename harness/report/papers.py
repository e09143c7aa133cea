"""The paper's own numbers as a report: the same sections, nothing measured here."""

from __future__ import annotations

import datetime
from typing import Any

import pandas as pd

from harness import paper
from harness.models import zoo
from harness.report.input import ReportInput
from harness.report.phrases import PAPER
from harness.store.tables import TABLES

SECTIONS = ("headline", "claims", "gflops", "models", "comparison", "complexity", "decoders",
            "provenance")  # fmt: skip
PANDAS = {"int64": "Int64", "string": "string", "float64": "float64", "bool": "object"}
PUBLISHED = datetime.datetime(2023, 3, 2, tzinfo=datetime.UTC)  # arXiv 2212.09748, version 2


def papers_report() -> ReportInput:
    """The numbers of the paper's tables and text, as the input of a report.

    No spread was published, so nothing is called best and no value has an interval; correlations
    have theirs over models.
    """
    a, b = paper.claim("sampling-xl2-128-fid10k"), paper.claim("sampling-l2-1000-fid10k")
    ours = paper.claim("sampling-xl2-128-tflops"), paper.claim("sampling-l2-1000-tflops")
    return ReportInput(
        study="paper",
        title="Scalable diffusion models with transformers: the published numbers",
        profile="imagenet256",
        sections=SECTIONS,
        frames={
            "metrics": _frame("metrics", metrics()),
            "runs": _frame("runs", []),
            "training": _frame("training", []),
        },
        provenance={"published in": PAPER},
        timestamp=PUBLISHED,
        about=(
            f"All numbers are those of {PAPER}: FID-50K after 400K steps without guidance, by its "
            f"Table 3. Of sampling it states that DiT-XL/2 with 128 steps has FID-10K {a} at "
            f"{ours[0]} Tflops per image and DiT-L/2 with 1000 steps {b} at {ours[1]} Tflops. "
            "It publishes no spread."
        ),
        complexity=complexity(),
        papers_own=True,
    )


def metrics() -> list[dict[str, Any]]:
    """Rows of the records' schema: Table 3 at 256 x 256 and adaLN-Zero, FID-50K at 400K steps."""
    rows = []
    for r in paper.table("table3_models"):
        if r["image_size"] != 256 or r["block"] != "adaln-zero" or r["train_steps_k"] != 400:
            continue
        facts = _facts(r)
        rows.append(
            {
                **facts,
                "key": facts["run"],
                "metric": "fid",
                "value": r["fid50k_no_guidance"],
                "of": "samples",
                "sampler": "ancestral",
                "sampling_steps": 250,
                "guidance_scale": 1.0,
                "decoder": "ft-mse",
                "samples": 50_000,
                "extractor": "inception-2015",
                "step": 400_000,
            }
        )
    return rows


def _facts(r: dict[str, Any]) -> dict[str, Any]:
    """The columns of a model that Table 3 and the zoo say."""
    family, size, patch = zoo.parse(str(r["model"]))
    shape = zoo.resolve(str(r["model"]))
    side = int(r["image_size"]) // 8
    return {
        "run": f"paper-{r['model']}",
        "model": r["model"],
        "family": family,
        "size": size,
        "patch_size": patch,
        "block": r["block"],
        "depth": shape.depth,
        "width": shape.width,
        "heads": shape.heads,
        "input_size": side,
        "tokens": (side // patch) ** 2,
        "params": int(r["params_m"] * 1e6),
        "gflops": r["gflops"],
        "data": "imagenet",
        "image_size": r["image_size"],
        "autoencoder": "sd-vae",
        "batch_size": r["batch_size"],
        "learning_rate": float(r["learning_rate"]),
    }


def complexity() -> list[dict[str, Any]]:
    """Published Gflops of the paper's models and U-Nets, in the form of counted ones."""
    rows = []
    for r in paper.table("table3_models"):
        if r["train_steps_k"] in (400, 3000):
            facts = _facts(r)
            names = ("model", "block", "image_size", "tokens", "params", "gflops")
            more = {c: facts[c] for c in ("depth", "width", "heads")}
            rows.append({**{c: facts[c] for c in names}, **more})
    for r in paper.table("table5_unets"):
        name = str(r["model"])
        rows.append(
            {
                "model": name if name.startswith("LDM") else f"{name}-{r['image_size']}",
                "block": None,
                "image_size": r["image_size"],
                "tokens": None,
                "params": None,
                "gflops": float(r["total_gflops"]),  # type: ignore[arg-type]
            }
        )
    return rows


def _frame(table: str, rows: list[dict[str, Any]]) -> pd.DataFrame:
    """A frame with the types that records have when they are read."""
    frame = pd.DataFrame(rows, columns=[c.name for c in TABLES[table]])
    return frame.astype({c.name: PANDAS[c.type] for c in TABLES[table]})
