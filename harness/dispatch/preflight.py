"""What must be there before anything is started: data, weights, programs. Torch-free."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from harness.dispatch import headers
from harness.dispatch.executors import executor_of
from harness.plan.plan import Plan, Stage
from harness.spec.study import Study


def problems(plan: Plan, missing: Iterable[Stage]) -> list[str]:
    """Everything that is missing on this machine for the stages still to do, as sentences."""
    study, kinds = plan.study, {s.kind for s in missing}
    found: list[str] = []
    if not kinds:
        return found
    if "complexity" in kinds:
        for text, why in plan.counts.refused.items():
            label = plan.uncounted[text][0].label
            found.append(f"the network of {label} cannot be built and counted: {why}")
    found += executor_of(study).check(study)
    if kinds & {"encode", "reference", "floor"}:
        found += _data(study, kinds)
    if kinds & {"encode", "sample", "ceiling"}:
        found += _autoencoder(study)
    if kinds & {"reference", "floor", "ceiling", "evaluate"}:
        found += _reference(study, kinds)
    return list(dict.fromkeys(found))


def _data(study: Study, kinds: set[str]) -> list[str]:
    found = []
    for data in {id(r.data): r.data for r in study.runs}.values():
        source: Any = data.source
        reads = kinds & {"encode", "floor"} or (
            study.settings.reference is not None and study.settings.reference.statistics is None
        )
        if source.made or not reads:
            continue
        if data.path is None:
            found.append(f"data.path is not set: where do the images of {data.name!r} lie?")
        elif not Path(data.path).exists():
            layout = source.layout
            found.append(
                f"the images of {data.name!r} are not at {data.path} ({layout}); put them there or "
                "say --set data.path=FOLDER"
            )
        elif (wrong := headers.folder_problem(Path(data.path))) is not None:
            found.append(f"the images of {data.name!r}: {wrong} (data.path)")
        if isinstance(data.held_out, str) and not Path(data.held_out).exists():
            found.append(
                f"the held-out images of {data.name!r} are not at {data.held_out} (data.held_out)"
            )
    return found


def _autoencoder(study: Study) -> list[str]:
    runs = {id(r.codec): r for r in study.runs}.values()
    found = [m for r in runs if (m := r.codec.missing(r.autoencoder.weights)) is not None]
    named = {r.autoencoder.weights for r in study.runs if r.autoencoder.weights is not None}
    paths = [Path(name) for name in sorted(named) if Path(name).exists()]
    return found + [m for path in paths if (m := headers.weights_problem(path)) is not None]


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
    extractor: Any = reference.extractor
    statistics = Path(reference.statistics) if reference.statistics else None
    if statistics is not None and "reference" in kinds and statistics.exists():
        wrong = headers.statistics_problem(statistics, extractor)
        found += [f"{wrong} (reference.statistics)"] if wrong else []
    weights = reference.extractor_weights
    if weights is not None and Path(weights).exists():
        wrong = headers.weights_problem(Path(weights))
        found += [f"{wrong} (reference.extractor_weights)"] if wrong else []
    if (missing := extractor.missing(reference.extractor_weights)) is not None:
        found.append(missing)
    if importlib.util.find_spec("torch_fidelity") is None:
        found.append("the package torch-fidelity is not installed")
    return found
