"""Evaluations that measured other metrics of the same samples, from which a new one goes on."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any

from harness.components import stored
from harness.errors import HarnessError
from harness.plan import keys
from harness.plan.plan import Plan, Stage
from harness.plan.stages import NUMBERS_ALONE, WITH_FEATURES, EvaluateStage
from harness.store import codec
from harness.store.artifacts import SPARE, CorruptArtifact, Store
from harness.store.codec import Manifest
from harness.store.pruned import pruned_keys


def found(again: Sequence[Stage], plan: Plan, store: Store) -> dict[str, tuple[str, str]]:
    """Key of an evaluation to do -> (role, key) of the committed one that it goes on from.

    Both are of the same samples, reference and settings but for the metrics. Of several, the first
    choice is one whose features serve all new metrics, then the one that has most of the metrics
    asked for. Of the plan's own evaluations, manifests are read only where the samples are the
    same.
    """
    from harness.store.results import EvaluateResult

    wanted: defaultdict[Any, list[tuple[Stage, EvaluateStage]]] = defaultdict(list)
    for stage in again:
        settings = EvaluateStage.model_validate_json(stage.settings)
        wanted[_same(settings, stage.inputs)].append((stage, settings))
    best: dict[str, tuple[tuple[bool, int, str], str]] = {}
    for key, manifest, before in _committed({s.inputs["samples"] for s in again}, plan, store):
        for stage, settings in wanted.get(_same(before, manifest.inputs), ()):
            shared = [m for m in settings.metrics if settings.same_metric(before, m)]
            new = [m for m in settings.metrics if m not in shared]
            kept = codec.result(manifest, EvaluateResult).kept
            serves = (
                bool(kept) and _whole(store, manifest) and all(_needs(m) <= {*kept} for m in new)
            )
            if shared or serves:
                rank = (serves, len(shared), key)
                best[stage.key] = max(best.get(stage.key, (rank, key)), (rank, key))
    return {
        stage: (WITH_FEATURES if serves else NUMBERS_ALONE, key)
        for stage, ((serves, _, _), key) in best.items()
    }


def _committed(
    samples: Container[str], plan: Plan, store: Store
) -> Iterator[tuple[str, Manifest, EvaluateStage]]:
    """Key, manifest and settings of every evaluation of `samples` that left numbers."""
    for key in sorted(store.committed(["evaluate"]) - pruned_keys(store)):
        planned = plan.stages.get(key)
        if planned is not None and planned.inputs["samples"] not in samples:
            continue
        with contextlib.suppress(CorruptArtifact, HarnessError, ValueError, KeyError, TypeError):
            manifest = store.manifest("evaluate", key)
            if manifest is None or manifest.inputs.get("samples") not in samples:
                continue
            if (manifest.tables or {}).get("metrics"):
                text = keys.canonical(manifest.settings)
                yield key, manifest, EvaluateStage.model_validate_json(text)


def _same(settings: EvaluateStage, inputs: Mapping[str, str]) -> tuple[Any, ...]:
    """The settings that two evaluations must have in common."""
    how = (settings.k, settings.split_size, settings.subsets)
    return inputs.get("samples"), inputs.get("reference"), *how


def _whole(store: Store, manifest: Manifest) -> bool:
    """Are the features that it kept there? Whoever reads them checks their checksum."""
    return all(
        name not in manifest.files
        or store.size("evaluate", manifest.key, name) == manifest.files[name].bytes
        for name in SPARE["evaluate"]
    )


def _needs(metric: Any) -> set[str]:
    """The parts of the samples' features that a metric is computed of."""
    return {*stored.read("metric", {"metric": metric}).needs}
