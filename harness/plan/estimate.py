"""How long will it take? From what was measured here, or not at all.

`python -m harness bench` leaves records; a stage's estimate is the rate of the latest of its kind,
model and precision on the same class of device (for `encode`: of its image size). Else every
committed artifact remembers its seconds, its Gflops and its devices: the median rate of committed
stages of the same kind and model; then of the same kind at all; and None where nothing was measured
(never a guess). All rates are in device-seconds: a stage that eight GPUs did in an hour took eight
hours. Stages that were interrupted on the way say nothing, as their last attempt did a part.
"""

from __future__ import annotations

import contextlib
import json
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.plan.plan import Plan, Stage
from harness.spec.schema import DataSettings


@dataclass(frozen=True)
class Rates:
    """Measured device-seconds per Gflop (or per stage, where Gflops are not counted)."""

    by_model: Mapping[tuple[str, str | None], float]
    by_kind: Mapping[str, float]
    measured: int  # artifacts and benchmarks behind the rates
    benched: Mapping[tuple[str, str, str], float] = field(default_factory=dict)  # + precision
    encoding: Mapping[tuple[str, int], float] = field(default_factory=dict)  # seconds per image

    def seconds(
        self, stage: Stage, model: str | None, data: DataSettings | None = None
    ) -> float | None:
        """Estimated device-seconds of one stage, None when nothing was measured.

        data: the run's, for the number of images an `encode` stage has to do.
        """
        if stage.kind == "encode" and data is not None and data.train_images is not None:
            name = json.loads(stage.settings)["autoencoder"]
            if (name, data.image_size) in self.encoding:
                return self.encoding[name, data.image_size] * data.train_images
        rate = self.by_model.get((stage.kind, model), self.by_kind.get(stage.kind))
        if self.benched and model is not None and stage.gflops:
            precision = "bf16" if '"precision":"bf16"' in stage.settings else "float32"
            rate = self.benched.get((stage.kind, model, precision), rate)
        if rate is None:
            return None
        return rate * (stage.gflops if stage.gflops else 1.0)


def read_benchmarks(results: Path) -> list[dict[str, Any]]:
    """The records of `bench` under a results folder, oldest first; unreadable ones left out."""
    found = []
    for path in (results / "bench").glob("*.json"):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            record = json.loads(path.read_text())
            rate = record["seconds_per_gflop"] or record["seconds_per_image"]
            known = record["made"]["device"], record["kind"], record["model"]
            if float(rate) > 0 and all(isinstance(word, str) for word in known):
                found.append((str(record["made"]["committed"]), record))
    return [record for _, record in sorted(found, key=lambda f: f[0])]


def rates(
    measurements: Iterable[tuple[str, Mapping[str, Any]]],
    cuda: bool,
    benchmarks: Iterable[Mapping[str, Any]] = (),
) -> Rates:
    """Rates on GPUs, or on processors.

    measurements: (kind, manifest["measured"]) of committed artifacts; benchmarks: oldest first.
    """
    found: dict[tuple[str, str | None], list[float]] = {}
    count = 0
    for kind, measured in measurements:
        if is_gpu(measured.get("device", "")) != cuda:
            continue
        if measured.get("resumed"):
            continue
        gflops, seconds = measured.get("gflops"), measured["seconds"] * measured.get("devices", 1)
        rate = seconds / gflops if gflops else seconds
        found.setdefault((kind, measured.get("model")), []).append(rate)
        count += 1
    kinds: dict[str, list[float]] = {}
    for (kind, _), values in found.items():
        kinds.setdefault(kind, []).extend(values)
    benched: dict[tuple[str, str, str], float] = {}
    encoding: dict[tuple[str, int], float] = {}
    for record in benchmarks:
        if is_gpu(record["made"]["device"]) == cuda:
            rate = record["seconds_per_gflop"]
            if rate is None:
                encoding[record["model"], record["image_size"]] = record["seconds_per_image"]
                continue
            benched[record["kind"], record["model"], record["precision"]] = rate
            if (record["kind"], record["model"]) not in found:
                kinds.setdefault(record["kind"], []).append(rate)
    return Rates(
        {k: statistics.median(v) for k, v in found.items()},
        {k: statistics.median(v) for k, v in kinds.items()},
        count + len(benched) + len(encoding),
        benched,
        encoding,
    )


def is_gpu(device: str) -> bool:
    return "NVIDIA" in device or "Tesla" in device


def total_seconds(plan: Plan, stages: Iterable[Stage], measured: Rates) -> float | None:
    """Device-seconds of all `stages`; None if any of them cannot be estimated."""
    total = 0.0
    for stage in stages:
        seconds = measured.seconds(stage, model_of(plan, stage), data_of(plan, stage))
        if seconds is None:
            return None
        total += seconds
    return total


def model_of(plan: Plan, stage: Stage) -> str | None:
    return plan.study.runs[stage.run].model.label if stage.run is not None else None


def data_of(plan: Plan, stage: Stage) -> DataSettings | None:
    return plan.study.runs[stage.run].data if stage.run is not None else None
