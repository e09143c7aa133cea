"""How long will it take? From what earlier stages of the same kind took, or not at all.

Every committed artifact remembers its seconds, its Gflops and its device. A stage's estimate is the
median rate of committed stages of the same kind and model on the same class of device; then of the
same kind at all; and None where nothing was measured (never a guess).
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.plan.plan import Plan, Stage


@dataclass(frozen=True)
class Rates:
    """Measured seconds per Gflop (or per stage, where Gflops are not counted)."""

    by_model: Mapping[tuple[str, str | None], float]
    by_kind: Mapping[str, float]
    measured: int  # artifacts behind the rates

    def seconds(self, stage: Stage, model: str | None) -> float | None:
        """Estimated seconds of one stage on one worker, None when nothing was measured."""
        rate = self.by_model.get((stage.kind, model), self.by_kind.get(stage.kind))
        if rate is None:
            return None
        return rate * (stage.gflops if stage.gflops else 1.0)


def rates(measurements: Iterable[tuple[str, Mapping[str, Any]]], cuda: bool) -> Rates:
    """Rates from (kind, manifest["measured"]) of committed artifacts on GPUs, or on processors."""
    found: dict[tuple[str, str | None], list[float]] = {}
    count = 0
    for kind, measured in measurements:
        if is_gpu(measured.get("device", "")) != cuda:
            continue
        gflops = measured.get("gflops")
        rate = measured["seconds"] / gflops if gflops else measured["seconds"]
        found.setdefault((kind, measured.get("model")), []).append(rate)
        count += 1
    kinds: dict[str, list[float]] = {}
    for (kind, _), values in found.items():
        kinds.setdefault(kind, []).extend(values)
    return Rates(
        {k: statistics.median(v) for k, v in found.items()},
        {k: statistics.median(v) for k, v in kinds.items()},
        count,
    )


def is_gpu(device: str) -> bool:
    return "NVIDIA" in device or "Tesla" in device


def total_seconds(plan: Plan, stages: Iterable[Stage], measured: Rates) -> float | None:
    """Worker-seconds of all `stages`; None if any of them cannot be estimated."""
    total = 0.0
    for stage in stages:
        seconds = measured.seconds(stage, model_of(plan, stage))
        if seconds is None:
            return None
        total += seconds
    return total


def model_of(plan: Plan, stage: Stage) -> str | None:
    return plan.study.runs[stage.run].model.label if stage.run is not None else None
