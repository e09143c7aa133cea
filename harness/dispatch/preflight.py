"""What must be there before anything is started: data, weights, programs. Torch-free."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from harness.dispatch.executors import executor_of
from harness.plan.plan import Stage
from harness.spec.study import Study


def problems(study: Study, missing: Iterable[Stage]) -> list[str]:
    """Everything that is missing on this machine for the stages still to do, as sentences."""
    kinds = {s.kind for s in missing}
    found: list[str] = []
    if not kinds:
        return found
    found += executor_of(study).check(study)
    if kinds & {"encode", "reference"}:
        found += _data(study, kinds)
    if kinds & {"encode", "sample"}:
        found += _autoencoder(study)
    if kinds & {"reference", "evaluate"}:
        found += _reference(study, kinds)
    return list(dict.fromkeys(found))


def _data(study: Study, kinds: set[str]) -> list[str]:
    found = []
    for data in {id(r.data): r.data for r in study.runs}.values():
        source: Any = data.source
        reads = "encode" in kinds or (
            study.settings.reference is not None and study.settings.reference.statistics is None
        )
        if source.made or not reads:
            continue
        if data.path is None:
            found.append(f"data.path is not set: where do the images of {data.name!r} lie?")
        elif not Path(data.path).exists():
            layout = (
                "one folder of images per class"
                if source.name == "image-folder"
                else "tar shards of image and class files"
            )
            found.append(
                f"the images of {data.name!r} are not at {data.path} ({layout}); put them there or "
                "say --set data.path=FOLDER"
            )
    return found


def _autoencoder(study: Study) -> list[str]:
    found = []
    for run in {id(r.autoencoder): r for r in study.runs}.values():
        weights = run.autoencoder.weights
        if run.autoencoder.name == "identity":
            continue
        if weights is not None and not Path(weights).exists():
            found.append(f"autoencoder weights are not at {weights} (autoencoder.weights)")
        elif weights is None and not _hub_cache():
            found.append(
                f"the {run.autoencoder.name} weights are not in the Hugging Face cache; they are "
                "downloaded when first needed, which wants a network: without one, say "
                "--set autoencoder.weights=FOLDER (a diffusers folder with config.json, or with "
                "one such folder per decoder in it: original/, ft-mse/, ft-ema/)"
            )
    return found


def _hub_cache() -> bool:
    home = Path(os.environ.get("HF_HOME", Path.home() / ".cache" / "huggingface"))
    cache = Path(os.environ.get("HF_HUB_CACHE", home / "hub"))
    return any(cache.glob("models--*vae*")) or any(cache.glob("models--*stable-diffusion*"))


def _reference(study: Study, kinds: set[str]) -> list[str]:
    reference = study.settings.reference
    found: list[str] = []
    if reference is None:
        return found
    if reference.statistics and "reference" in kinds and not Path(reference.statistics).exists():
        found.append(
            f"the reference statistics are not at {reference.statistics} (for ImageNet 256: ADM's "
            "VIRTUAL_imagenet256_labeled.npz); put the file there or say "
            "--set reference.statistics=FILE"
        )
    weights = reference.extractor_weights
    if weights and not Path(weights).exists():
        found.append(f"extractor weights are not at {weights} (reference.extractor_weights)")
    if importlib.util.find_spec("torch_fidelity") is None:
        found.append("the package torch-fidelity is not installed")
    return found
