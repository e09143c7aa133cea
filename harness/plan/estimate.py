"""How long will it take? From what was measured here, or not at all.

`python -m harness bench` leaves records; a stage's estimate is the rate of the one of its kind,
model and precision on the same class of device whose settings are nearest to its own (see `Speed`),
the latest of equals; for `encode`: the latest of its image size. Else every committed artifact
remembers its seconds, its Gflops and its devices: the median rate of committed stages of the same
kind and model; then a benchmark of the model in another precision; then the median over the other
models of the same kind; and None where nothing was measured (never a guess). All rates are in
device-seconds: a stage that eight GPUs did in an hour took eight hours. Interrupted stages do not
count, because their last attempt did only a part of the work. A stage of a second says little about
one of an hour: most of it was start-up, so its rate is only an upper bound (`at_most`).
"""

from __future__ import annotations

import contextlib
import json
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.plan.plan import Plan, Stage
from harness.spec.schema import DataSettings
from harness.store import codec
from harness.store.codec import Measured

if TYPE_CHECKING:
    from harness.store.results import BenchmarkResult


SHORT_S = 60.0  # what a stage takes to start, to build and compile its network, at most
LONGER = 10.0  # times: where so much shorter stages were measured, their start is in the estimate


@dataclass(frozen=True)
class Speed:
    """The settings that a speed depends on, by importance; None: not known, like anything."""

    precision: str
    compile: bool | None = None
    checkpointing: bool | None = None
    tf32: bool | None = None
    batch_per_device: int | None = None  # images of one pass

    @staticmethod
    def of_record(record: BenchmarkResult) -> Speed:
        """The setting that a benchmark measured."""
        batches = [size for size in (record.batch_size, record.batch_per_device) if size]
        return Speed(
            record.precision,
            compile=record.compile,
            checkpointing=record.checkpointing,
            tf32=record.tf32,
            batch_per_device=min(batches, default=None),
        )

    @staticmethod
    def of_stage(stage: Stage, plan: Plan | None) -> Speed:
        """The setting of a `train` or `sample` stage of a plan."""
        precision = "bf16" if '"precision":"bf16"' in stage.settings else "float32"
        tf32 = '"tf32":true' in stage.settings
        if plan is None:
            return Speed(precision, tf32=tf32)
        place = plan.computed_once(
            ("place", stage.run, stage.evaluation), lambda: plan.place(stage)
        )
        train = plan.study.runs[stage.run].train if stage.run is not None else None
        if stage.kind != "train" or train is None:
            return Speed(precision, place.compile, None, tf32, place.batch_size)
        own = max(1, train.batch_size // _processes(plan))
        batch = min(place.batch_per_device or own, own)
        return Speed(precision, place.compile, place.checkpointing, tf32, batch)

    def distance(self, other: Speed) -> tuple[float, ...]:
        """How far another is from this: the first that differs decides, a batch by its ratio."""
        *exact, (_, mine, its) = self._pairs(other)
        ratio = abs(math.log(its / mine)) if mine and its else 0.0
        return (*(float(a != b) for _, a, b in exact), ratio)

    def differences(self, other: Speed) -> list[str]:
        """The differences of another setting, in words: "batch_per_device 1, not 8"."""
        words = {"True": "on", "False": "off"}
        found = [(n, str(a), str(b)) for n, a, b in self._pairs(other) if a != b]
        return [f"{n} {words.get(b, b)}, not {words.get(a, a)}" for n, a, b in found]

    def _pairs(self, other: Speed) -> list[tuple[str, Any, Any]]:
        """(setting, this, other), the same where one of them is not known."""
        pairs = [(f.name, getattr(self, f.name), getattr(other, f.name)) for f in fields(self)]
        return [(n, None, None) if a is None or b is None else (n, a, b) for n, a, b in pairs]


@dataclass(frozen=True)
class Rates:
    """Measured device-seconds per Gflop (or per stage, where Gflops are not counted)."""

    by_model: Mapping[tuple[str, str | None], float]
    by_kind: Mapping[str, float]
    measured: int  # artifacts and benchmarks behind the rates
    benchmarks: Mapping[tuple[str, str], Sequence[BenchmarkResult]] = field(default_factory=dict)
    encoding: Mapping[tuple[str, int], float] = field(default_factory=dict)  # seconds per image
    plan: Plan | None = None  # whose settings benchmarks are compared with
    # seconds of the longest stage behind by_model, and by_kind as (kind, "")
    longest: Mapping[tuple[str, str | None], float] = field(default_factory=dict)
    _known: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    def seconds(
        self, stage: Stage, model: str | None, data: DataSettings | None = None
    ) -> float | None:
        """Estimated device-seconds of one stage, None when nothing was measured.

        data: the run's, for the number of images an `encode` stage has to do.
        """
        if stage.kind == "encode" and data is not None and data.train_images is not None:
            content = json.loads(stage.settings)["autoencoder"]
            name = content["name"] if isinstance(content, dict) else content
            if (name, data.image_size) in self.encoding:
                return self.encoding[name, data.image_size] * data.train_images
        rate = self.by_model.get((stage.kind, model), self.by_kind.get(stage.kind))
        if self.benchmarks and model is not None and stage.gflops:
            if (found := self.benchmark(stage, model)) is not None:
                rate = found[0]
            elif (stage.kind, model) not in self.by_model:
                rate = self._of_other_models(stage)
        if rate is None:
            return None
        return rate * (stage.gflops if stage.gflops else 1.0)

    def at_most(self, stage: Stage, model: str | None, seconds: float | None) -> bool:
        """Are a stage's estimated `seconds` a bound, as only far shorter ones were measured?"""
        if seconds is None or not stage.gflops or self.benchmark(stage, model) is not None:
            return False
        measured = self.longest.get((stage.kind, model), self.longest.get((stage.kind, "")))
        return measured is not None and measured < SHORT_S and seconds > LONGER * measured

    def benchmark(self, stage: Stage, model: str | None) -> tuple[float, list[str]] | None:
        """The rate of the benchmark that a stage is estimated with, and in what settings it differs
        ("compile off, not on"); None where it is estimated otherwise."""
        if model is None or not stage.gflops or (stage.kind, model) not in self.benchmarks:
            return None
        rate, differences, same_precision = self._nearest(
            stage.kind, model, Speed.of_stage(stage, self.plan)
        )
        if not same_precision and (stage.kind, model) in self.by_model:
            return None
        return rate, differences

    def _nearest(self, kind: str, model: str, asked: Speed) -> tuple[float, list[str], bool]:
        key = kind, model, asked
        if key not in self._known:
            latest_first = list(reversed(self.benchmarks[kind, model]))
            speeds = [Speed.of_record(record) for record in latest_first]
            k = min(range(len(speeds)), key=lambda k: asked.distance(speeds[k]))
            same = speeds[k].precision == asked.precision
            rate = latest_first[k].seconds_per_gflop or 0.0
            self._known[key] = rate, asked.differences(speeds[k]), same
        return self._known[key]  # type: ignore[no-any-return]

    def _of_other_models(self, stage: Stage) -> float | None:
        asked = Speed.of_stage(stage, self.plan)
        if (stage.kind, asked) not in self._known:
            committed = {m: rate for (kind, m), rate in self.by_model.items() if kind == stage.kind}
            benched = [
                self._nearest(kind, m, asked)[0]
                for kind, m in self.benchmarks
                if kind == stage.kind and m not in committed
            ]
            self._known[stage.kind, asked] = (
                statistics.median([*committed.values(), *benched])
                if benched
                else self.by_kind.get(stage.kind)
            )
        return self._known[stage.kind, asked]  # type: ignore[no-any-return]


def _processes(plan: Plan) -> int:
    """Over how many devices the batch of a training step is spread."""
    return plan.study.settings.dispatch.component.processes(plan.study, "train")


def read_benchmarks(results: Path) -> list[BenchmarkResult]:
    """The records of `bench` under a results folder, oldest first; unreadable ones left out."""
    found = []
    for path in (results / "bench").glob("*.json"):
        with contextlib.suppress(OSError, ValueError):
            found.append(codec.benchmark(json.loads(path.read_text())))
    return sorted(found, key=lambda record: record.committed)


def rates(
    measurements: Iterable[tuple[str, Measured]],
    cuda: bool,
    benchmarks: Iterable[BenchmarkResult] = (),
    plan: Plan | None = None,
) -> Rates:
    """Rates on GPUs, or on processors.

    measurements: (kind, what the manifest says) of committed artifacts; benchmarks: oldest first.
    plan: whose settings theirs are compared with.
    """
    found: dict[tuple[str, str | None], list[float]] = {}
    longest: dict[tuple[str, str | None], float] = {}
    count = 0
    for kind, measured in measurements:
        if is_gpu(measured.device) != cuda or measured.resumed:
            continue
        gflops, seconds = measured.gflops, measured.seconds * measured.devices
        rate = seconds / gflops if gflops else seconds
        found.setdefault((kind, measured.model), []).append(rate)
        for of in ((kind, measured.model), (kind, "")):
            longest[of] = max(longest.get(of, 0.0), seconds)
        count += 1
    kinds: dict[str, list[float]] = {}
    for (kind, _), values in found.items():
        kinds.setdefault(kind, []).extend(values)
    benched: dict[tuple[str, str], list[BenchmarkResult]] = {}
    encoding: dict[tuple[str, int], float] = {}
    for record in benchmarks:
        if is_gpu(record.device_name) != cuda:
            continue
        if record.seconds_per_gflop is not None:
            benched.setdefault((record.kind, record.model), []).append(record)
        elif record.image_size is not None and record.seconds_per_image is not None:
            encoding[record.model, record.image_size] = record.seconds_per_image
    return Rates(
        {k: statistics.median(v) for k, v in found.items()},
        {k: statistics.median(v) for k, v in kinds.items()},
        count + sum(map(len, benched.values())) + len(encoding),
        benched,
        encoding,
        plan,
        longest,
    )


def is_gpu(device: str) -> bool:
    """Is it a device of NVIDIA, by its name?"""
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
    """Label of the model that a stage works on; None: of no run."""
    return plan.study.runs[stage.run].model.label if stage.run is not None else None


def data_of(plan: Plan, stage: Stage) -> DataSettings | None:
    """Data of the run that a stage belongs to; None: of no run."""
    return plan.study.runs[stage.run].data if stage.run is not None else None
