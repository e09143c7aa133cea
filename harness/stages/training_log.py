"""The log of a training: a row and a line per log interval, and trackers where there are any."""

from __future__ import annotations

import json
import math
import time
from typing import Any

import torch
from torch import Tensor

from harness.errors import HarnessError
from harness.plan.cost import TRAINING_FACTOR
from harness.plan.stages import TrainStage
from harness.plan.wanted import trajectory
from harness.stages.tracking import Trackers, of_task
from harness.stages.utilisation import peak_memory, utilisation
from harness.stages.work import Work

LOSSES = ("loss", "mse", "vb")  # columns of the records; an objective has the first at least


class TrainingDiverged(HarnessError):
    """The loss is not finite; nothing of the run past the last good milestone is recorded."""


class TrainingLog:
    """Sums of the losses since the last row, kept on the device; rows at each interval's end."""

    def __init__(self, settings: TrainStage, gflops: float, work: Work) -> None:
        self.settings, self.work = settings, work
        self.batch = settings.recipe.batch_size
        self.gflops = gflops * TRAINING_FACTOR  # per image
        self.names: tuple[str, ...] = LOSSES  # those that the objective has, once it gave any
        # of LOSSES, over this process's rows
        self.sums = torch.zeros(3, dtype=torch.float64, device=work.device)
        self.interval_start = 0
        self.rows: list[dict[str, Any]] = []
        self.seconds = 0.0  # of training before this process
        self.began = self.interval_began = self.told = time.monotonic()
        self.first: int | None = None  # step this process began at
        self.interval_first: int | None = None  # first step of this process in the interval
        self.last_told: int | None = None
        self.trackers = _trackers(settings, work) if work.world.main else None

    def elapsed(self) -> float:
        """Seconds since training began in this process."""
        return time.monotonic() - self.began

    def begin(self, step: int) -> None:
        """Training begins at `step`: the clocks start."""
        self.first = self.interval_first = self.last_told = step
        self.began = self.interval_began = self.told = time.monotonic()

    def add(self, losses: dict[str, Tensor]) -> None:
        """Add one micro-batch; no host synchronisation."""
        with torch.no_grad():
            self.names = tuple(name for name in LOSSES if name in losses)
            given = torch.stack([losses[name].sum() for name in self.names]).double()
            self.sums[[LOSSES.index(name) for name in self.names]] += given

    def tell(self, step: int, total: int) -> None:
        """Progress, at most twice a second. On a GPU the loss is the last row's: no waiting."""
        now = time.monotonic()
        if now - self.told < 0.5 or not self.work.world.main:
            return
        speed = (step - (self.last_told or 0)) * self.batch / (now - self.told)
        loss: float | None = None
        if self.work.device.type == "cpu" and self.work.world.size == 1:
            loss = float(self.sums[0]) / (max(step - self.interval_start, 1) * self.batch)
        elif self.rows:
            loss = self.rows[-1]["loss"]
        if loss is not None and not math.isfinite(loss):
            loss = None
        self.work.progress(done=step, total=total, unit="steps", loss=loss, images_per_second=speed)
        self.told, self.last_told = now, step

    def check_finite(self, step: int) -> list[float]:
        """The interval's sums over all processes; TrainingDiverged before any other is kept."""
        sums = self.work.world.sum(self.sums).tolist()
        if not all(math.isfinite(v) for v in sums):
            raise TrainingDiverged(self._diagnosis(step, sums))
        return sums

    def close_interval(self, step: int, norm: Tensor) -> None:
        """One training row. Raises TrainingDiverged if the loss or the gradient is not finite."""
        sums = self.check_finite(step)
        grad_norm = float(norm)
        if not math.isfinite(grad_norm):
            raise TrainingDiverged(self._diagnosis(step, sums, grad_norm))
        now = time.monotonic()
        images = (step - self.interval_start) * self.batch
        losses = {n: v / images for n, v in zip(LOSSES, sums, strict=True) if n in self.names}
        own = step - (self.interval_first if self.interval_first is not None else step)
        speed = own * self.batch / max(now - self.interval_began, 1e-9)
        recipe, world = self.settings.recipe, self.work.world
        rate = self.gflops * speed
        used = utilisation(rate, self.work.device, recipe.precision, recipe.tf32, world.size)
        row = {
            "step": step,
            **losses,
            "grad_norm": grad_norm,
            "images_per_second": speed,
            "gflops_per_second": rate,
            "utilisation": used,
            "memory_bytes": peak_memory(self.work.device),
        }
        self.rows.append(row)
        if world.main:
            print(
                f"step {step:,}  "
                + "".join([f"{name} {value:.4f}  " for name, value in losses.items()])
                + f"grad {grad_norm:.3f}  {speed:.0f} images/s  {_short(rate)} Gflops/s"
                + (f"  {used:.1%} of the chip" if used is not None else ""),
                flush=True,
            )
        if self.trackers is not None:
            self.trackers.scalars(step, {f"train/{n}": v for n, v in row.items() if n != "step"})
        self.sums.zero_()
        self.interval_start, self.interval_began, self.interval_first = step, now, step

    # --- over a kill ----------------------------------------------------------------------------

    def tensors(self) -> dict[str, Tensor]:
        """One row of sums per process: added up in another order they would round otherwise."""
        return {"log.sums": self.work.world.gather(self.sums)}

    def about(self) -> dict[str, Any]:
        """What a resumed run needs in order to go on with the log, as JSON."""
        return {
            "rows": list(self.rows),
            "interval_start": self.interval_start,
            "seconds": self.seconds + self.elapsed(),
        }

    def restore(self, sums: Tensor, about: dict[str, Any]) -> None:
        """Go on from what `tensors` and `about` gave, in any number of processes."""
        world = self.work.world
        if len(sums) == world.size:
            self.sums.copy_(sums[world.rank])
        elif world.main:  # another number of processes than before
            self.sums.copy_(sums.sum(dim=0))
        self.rows = about["rows"]
        self.interval_start, self.seconds = about["interval_start"], about["seconds"]

    def close(self) -> None:
        """Close the trackers."""
        if self.trackers is not None:
            self.trackers.close()

    def _diagnosis(self, step: int, sums: list[float], grad_norm: float | None = None) -> str:
        what = [n for n, v in zip(LOSSES, sums, strict=True) if not math.isfinite(v)]
        found = f"{', '.join(what)} not finite" if what else f"gradient norm is {grad_norm}"
        last = "no loss was finite yet"
        if self.rows:
            row = self.rows[-1]
            last = f"the last finite loss was {row['loss']:.4f} up to step {row['step']:,}"
        recipe = self.settings.recipe
        return (
            f"training diverged between steps {self.interval_start:,} and {step:,}: {found}; "
            f"{last}. Learning rate {recipe.learning_rate:g}, precision {recipe.precision}, "
            f"gradient clipping {recipe.grad_clip or 'off'}. Nothing of it is recorded; try a "
            "smaller train.learning_rate, train.grad_clip=1.0, or precision float32"
        )


def _trackers(settings: TrainStage, work: Work) -> Trackers | None:
    """The trackers of the study; None where it names none."""
    if not work.place.trackers:
        return None
    results = work.scratch.parent.parent
    about = {**json.loads(work.task.settings), "params": work.place.facts.get("params")}
    return of_task(work.task, trajectory(work.task)[0], results, about)


def _short(rate: float) -> str:
    """A rate with three digits: micro models do thousandths of a Gflop a second."""
    return f"{rate:.3g}" if rate < 1000 else f"{rate:.0f}"
