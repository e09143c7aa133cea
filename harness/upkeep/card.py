"""A model card: what a checkpoint is, how it was trained, what was measured of it, what made it.

Everything in it comes from the artifact's manifest and the records. What is not known is left out.
The card's head is what model hubs read (YAML between dashes).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from harness.store import codec
from harness.store.codec import Manifest
from harness.store.results import TrainResult
from harness.store.spread import scale

PAPER = (
    "William Peebles and Saining Xie. Scalable Diffusion Models with Transformers. ICCV 2023. "
    "doi:10.1109/ICCV51070.2023.00387"
)
LOAD = {
    "official": (
        "import torch\n\n"
        'state = torch.load("{path}", weights_only=True)  # names of the official DiT code\n'
    ),
    "diffusers": (
        "from diffusers import DiTTransformer2DModel\n\n"
        'transformer = DiTTransformer2DModel.from_pretrained("{path}", low_cpu_mem_usage=False)\n'
        "for block in transformer.transformer_blocks:  # diffusers' frequencies differ from DiT's\n"
        "    block.norm1.emb.time_proj.downscale_freq_shift = 0\n"
    ),
}


def card(manifest: Manifest, metrics: Sequence[Mapping[str, Any]], path: str, form: str) -> str:
    """The card of a train stage's checkpoint, in Markdown.

    metrics: the rows of the records that were measured of it; path, form: what was exported.
    """
    checkpoint = codec.result(manifest, TrainResult)
    about = checkpoint.columns
    name = str(about.get("model") or "a diffusion transformer")
    head = {
        "library_name": "diffusers" if form == "diffusers" else "pytorch",
        "tags": ["diffusion", "dit", "scaling-study-harness"],
    }
    if checkpoint.architecture.get("num_classes") == 0:  # hubs have no tag for classes
        head["pipeline_tag"] = "unconditional-image-generation"
    if about.get("data"):
        head["datasets"] = [str(about["data"])]
    parts = [
        f"---\n{yaml.safe_dump(head, sort_keys=False)}---",
        f"# {name}" + (f", {about['step']:,} steps" if about.get("step") else ""),
        "The EMA weights of a diffusion transformer, written by the scaling-study harness.",
        f"## Use\n\n```python\n{LOAD[form].format(path=path)}```",
        "## Model\n\n" + _table(_model(about, checkpoint.architecture)),
        "## Training\n\n" + _table(_training(about)),
        "## Measured\n\n" + _measured(metrics),
        "## What made it\n\n" + _table(_made(manifest)),
        f"## Cite\n\n- The harness: see CITATION.cff in its repository.\n- The design: {PAPER}",
    ]
    return "\n\n".join(parts) + "\n"


def _model(about: Mapping[str, Any], architecture: Mapping[str, Any]) -> dict[str, Any]:
    shape = {k: architecture.get(k) for k in ("channels", "num_classes")}
    return {
        "block": about.get("block"),
        "depth, width, heads": _joined(about, "depth", "width", "heads"),
        "patch size": about.get("patch_size"),
        "input": _joined({**about, **shape}, "input_size", "input_size", "channels", by=" x "),
        "classes": shape["num_classes"],
        "parameters": about.get("params"),
        "Gflops (multiply-accumulates of one forward pass)": about.get("gflops"),
        "autoencoder": about.get("autoencoder"),
        "image size": about.get("image_size"),
    }


def _training(about: Mapping[str, Any]) -> dict[str, Any]:
    more = about.get("recipe") or {}
    return {
        "data": about.get("data"),
        "data, SHA-256": about.get("data_sha256"),
        "objective": about.get("objective"),
        "steps": about.get("step"),
        "batch size": about.get("batch_size"),
        "learning rate": about.get("learning_rate"),
        "seed": about.get("seed"),
        "Gflops of the whole training": about.get("train_gflops"),
        **{name.replace("_", " "): value for name, value in more.items()},
    }


def _made(manifest: Manifest) -> dict[str, Any]:
    made = manifest.provenance
    weights = manifest.files.get("ema.safetensors")
    return {
        "key": manifest.key,
        "harness": made.get("harness"),
        "commit": made.get("commit"),
        "torch": made.get("torch"),
        "device": made.get("device"),
        "date": str(made.get("committed") or "")[:10] or None,
        "weights, SHA-256": weights.sha256 if weights else None,
    }


def _error(row: Mapping[str, Any]) -> str | None:
    """The standard error of a value; None where the record has none, or another spread."""
    std = row.get("std")
    return None if std is None else _number(std * scale(row.get("std_method")))


def _measured(metrics: Sequence[Mapping[str, Any]]) -> str:
    """One row per number, with what it must be read with."""
    rows = [m for m in metrics if m.get("of") == "samples" and m.get("value") is not None]
    if not rows:
        return "Nothing was measured of this checkpoint."
    lines = [
        "| metric | value | standard error | floor | samples | sampler | guidance | extractor |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    rows.sort(key=lambda m: (str(m.get("metric")), m.get("samples") or 0, m["value"]))
    for m in rows:
        cells = [
            m.get("metric"),
            _number(m["value"]),
            _error(m),
            _number(m.get("floor")),
            _number(m.get("samples")),
            f"{m.get('sampler')}, {m.get('sampling_steps')} steps",
            _number(m.get("guidance_scale")),
            f"{m.get('extractor')} {str(m.get('extractor_sha256') or '')[:12]}".strip(),
        ]
        lines.append(f"| {' | '.join('' if c is None else str(c) for c in cells)} |")
    lines.append(
        "\nThe floor is what real images score against the same reference. Only features of "
        "Inception-2015 give FID; other distances are named for theirs and are not comparable."
    )
    return "\n".join(lines)


def _joined(about: Mapping[str, Any], *names: str, by: str = ", ") -> str | None:
    values = [about.get(name) for name in names]
    return None if None in values else by.join(map(str, values))


def _number(value: Any) -> str | None:
    if value is None or value != value:  # NaN
        return None
    return f"{value:,}" if isinstance(value, int) else f"{value:.5g}"


def _table(rows: Mapping[str, Any]) -> str:
    """Without what is not known."""
    lines = ["| | |", "| --- | --- |"]
    for name, value in rows.items():
        if value is not None:
            shown = value
            if isinstance(value, bool):
                shown = "yes" if value else "no"
            elif isinstance(value, (int, float)):
                shown = _number(value)
            lines.append(f"| {name} | {str(shown).replace('|', '')} |")
    return "\n".join(lines)
