"""Synthetic results with exactly the schema's columns, of any shape a study may have."""

from __future__ import annotations

import datetime
import functools
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from harness import paper
from harness.models import zoo
from harness.report import ReportInput
from harness.store.tables import TABLES

SIZES, PATCHES = ("S", "B", "L", "XL"), (8, 4, 2)


def gflops(depth, width, patch, side=8, channels=3):
    t = (side // patch) ** 2
    block = 12 * t * width**2 + 2 * t**2 * width + 6 * width**2
    ends = 258 * width + 3 * width**2 + t * patch**2 * channels * width * 3
    return (depth * block + ends) / 1e9


PANDAS = {"int64": "Int64", "string": "string", "float64": "float64", "bool": "object"}


def empty(table, rows):
    """A frame with the types that records have when they are read."""
    frame = pd.DataFrame(rows, columns=[c.name for c in TABLES[table]])
    return frame.astype({c.name: PANDAS[c.type] for c in TABLES[table]})


def model_columns(size, patch, seed, step, family="DiT-micro", block="adaln-zero"):
    shape = zoo.FAMILIES[family].sizes[size]
    side = 8 if family == "DiT-micro" else 32
    g = gflops(shape.depth, shape.width, patch, side, 3 if family == "DiT-micro" else 4)
    return {
        "run": f"{family}-{size}-{patch}-{seed}-{block}",
        "model": f"{family}-{size}/{patch}",
        "family": family,
        "size": size,
        "patch_size": patch,
        "block": block,
        "depth": shape.depth,
        "width": shape.width,
        "heads": shape.heads,
        "input_size": side,
        "tokens": (side // patch) ** 2,
        "params": 12 * shape.depth * shape.width**2,
        "gflops": g,
        "gflops_paper": g * 1.001,
        "data": "glyphs",
        "data_sha256": "d" * 64,
        "image_size": side if family == "DiT-micro" else 256,
        "autoencoder": "identity",
        "seed": seed,
        "batch_size": 64,
        "learning_rate": 1e-3,
        "step": step,
        "train_gflops": g * 64 * step * 3,
    }


def quality(g, step, steps, noise, trend=1.0):
    base = 12 * g ** (-0.28 * trend)
    return base * (1 + 400 / step) * (1 + 3 / steps) * noise + 2


MADE = {"harness": "0.1.0", "commit": "abc1234", "torch": "2.15", "device": "cpu", "threads": 2}


def frames(**shape):
    """The frames of a study of this shape (see `_frames`): the caller's own, made once."""
    shape = {name: tuple(v) if isinstance(v, list) else v for name, v in shape.items()}
    return {name: frame.copy() for name, frame in _frames(**shape).items()}


@functools.lru_cache(maxsize=64)
def _frames(
    sizes=SIZES,
    patches=PATCHES,
    seeds=(0,),
    milestones=(375, 750, 1125, 1500),
    sweep=(4, 8, 16, 32, 64),
    extractor="glyphs-cnn",
    trend=1.0,
    family="DiT-micro",
    blocks=("adaln-zero",),
    guidance=(),
    decoders=(),
    noise=0.04,
):
    rng = np.random.default_rng(5)
    slug = extractor.replace("-", "_")
    inception = extractor == "inception-2015"

    def name(stem, on_inception):
        return on_inception if inception else f"{stem}_{slug}"

    metrics, runs, training = [], [], []
    for seed in seeds:
        for block in blocks:
            for size in sizes:
                for patch in patches:
                    wobble = float(np.exp(rng.normal(0, noise)))
                    protocols = [(m, 50, 1000, 1.0, None, "original") for m in milestones]
                    protocols += [(milestones[-1], n, 500, 1.0, None, "original") for n in sweep]
                    protocols += [(milestones[-1], 50, 800, s, c, "original") for s, c in guidance]
                    protocols += [(milestones[-1], 50, 900, 1.5, 3, d) for d in decoders]
                    for step, n, count, scale, channels, decoder in protocols:
                        m = model_columns(size, patch, seed, step, family, block)
                        fd = quality(m["gflops"], step, n, wobble, trend)
                        fd *= 1 + (scale - 1.6) ** 2 if scale != 1 else 1.3
                        values = {
                            name("fd", "fid"): (fd, 0.9),
                            name("sfd", "sfid"): (fd * 0.6, 0.5),
                            name("is", "inception_score"): (9.5 / (1 + fd / 50), 9.7),
                            name("precision", "precision"): (0.9 / (1 + fd / 200), 0.93),
                            name("recall", "recall"): (0.8 / (1 + fd / 150), 0.9),
                        }
                        for metric, (value, floor) in values.items():
                            balls = metric.startswith(("precision", "recall"))
                            chunks = metric.startswith(("is_", "inception_score"))
                            metrics.append(
                                {
                                    **m,
                                    **MADE,
                                    "key": f"{m['run']}-{step}-{n}-{count}-{scale}-{channels}",
                                    "metric": metric,
                                    "value": value,
                                    "of": "samples",
                                    "floor": floor,
                                    "sampler": "ancestral",
                                    "sampling_steps": n,
                                    "guidance_scale": scale,
                                    "guidance_channels": channels,
                                    "sampling_gflops": m["gflops"] * n * (1 + (scale != 1)),
                                    "decoder": decoder,
                                    "samples": count,
                                    "sampling_seed": 0,
                                    "extractor": extractor,
                                    "extractor_sha256": "e" * 64,
                                    "reference_images": 8000,
                                    "reference_sha256": "f" * 64,
                                    "recall_images": 8000 if balls else None,
                                    "k": 3 if balls else None,
                                    "split_size": 5000 if chunks else None,
                                    "clip": False,
                                    "sampling_precision": "float32",
                                }
                            )
                    for step in milestones:
                        m = model_columns(size, patch, seed, step, family, block)
                        more = {"key": m["run"], "loss": 0.2, "seconds": step / 20.0}
                        runs.append({**m, **MADE, **more, "committed": "2026-11-23T10:00:00Z"})
                    training.append({"key": m["run"], "run": m["run"], "model": m["model"]})
    if metrics:
        for metric, value in {r["metric"]: r["floor"] for r in metrics}.items():
            row = {"key": "reference", "metric": metric, "value": value, "of": "floor"}
            metrics.append({**row, **MADE, "extractor": extractor, "floor": value})
    return {
        "runs": empty("runs", runs),
        "metrics": empty("metrics", metrics),
        "training": empty("training", training),
    }


def complexity_rows(found, block="adaln-zero"):
    rows = []
    for r in found["runs"].drop_duplicates(["model", "block"]).to_dict("records"):
        original = paper.model(r["model"].replace("DiT-micro", "DiT"), block=r["block"])
        own = r["family"] == "DiT"
        rows.append(
            {c: r[c] for c in ("model", "block", "image_size", "tokens", "params", "gflops")}
            | {"gflops_paper": r["gflops_paper"]}
            | {"depth": r["depth"], "width": r["width"], "heads": r["heads"]}
            | {
                "paper_gflops": original["gflops"] if own and original else None,
                "paper_params_m": original["params_m"] if own and original else None,
            }
        )
    return rows


def unet_rows():
    rows = []
    for r in paper.table("table5_unets"):
        name = r["model"] if r["model"].startswith("LDM") else f"{r['model']}-{r['image_size']}"
        rows.append(
            {
                "model": name,
                "block": None,
                "image_size": r["image_size"],
                "tokens": None,
                "params": 4e8,
                "gflops": r["total_gflops"] * 1.0002,
                "gflops_paper": r["total_gflops"] * 1.001,
                "paper_gflops": r["total_gflops"],
                "paper_params_m": None,
            }
        )
    return rows


def sample_grids(found, count=8):
    rng = np.random.default_rng(0)
    base = rng.integers(0, 255, (count, 8, 8, 3))
    out = {}
    for r in found["runs"].drop_duplicates("run").to_dict("records"):
        label = r["model"] if r["seed"] == 0 else f"{r['model']} seed={r['seed']}"
        if r["block"] != "adaln-zero":
            label += f" model.block={r['block']}"
        blur = np.clip(base + rng.normal(0, 6 / r["gflops"] ** 0.25, base.shape), 0, 255)
        out[label] = blur.astype(np.uint8)
    return out


SCALING = (
    "headline",
    "gflops",
    "training",
    "training-compute",
    "sampling-compute",
    "samples",
    "models",
    "provenance",
)


def report(found=None, sections=SCALING, **changes):
    found = frames() if found is None else found
    values = {
        "study": "scaling",
        "title": "Scaling diffusion transformers, from the paper's twelve models",
        "about": "The paper's 12 models on embedded glyphs.",
        "profile": "laptop",
        "sections": sections,
        "frames": found,
        "complexity": complexity_rows(found),
        "samples": sample_grids(found),
        "missing": [],
        "provenance": {
            "harness": "0.1.0",
            "commit": "abc1234",
            "torch": "2.15.0",
            "python": "3.11.2",
            "devices": ["cpu: 2 threads on host"],
            "extractor": {"name": "glyphs-cnn", "sha256": "e" * 64},
            "reference": {"images": 8000, "sha256": "f" * 64},
            "seeds": [0],
            "records": "2026-11-23T10:00:00Z",
            "command": "python -m harness run studies/scaling.yaml",
        },
        "timestamp": datetime.datetime(2026, 11, 23, 10, 30, tzinfo=datetime.UTC),
    }
    return ReportInput(**{**values, **changes})


@pytest.fixture(autouse=True)
def composed_anew():
    """No test sees what another composed: it may have replaced what a report is made with."""
    from report_words import COMPOSED

    COMPOSED.clear()


@pytest.fixture(scope="session")
def make():
    """`make.frames(...)` and `make.report(frames, sections, field=...)`."""
    return SimpleNamespace(
        frames=frames, report=report, unets=unet_rows, complexity=complexity_rows, empty=empty
    )
