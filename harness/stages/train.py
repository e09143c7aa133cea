"""The train stage: one model, trained from the milestone before (or from nothing) to `step`.

Step n draws its images, timesteps, noise and dropped labels from (seed, n) alone, so a run that was
killed and resumed any number of times is, on the CPU, bit for bit the undisturbed one; and any
split of the global batch over processes and micro-batches reads the same images.

Files committed: ema.safetensors (what is sampled from), state.safetensors (to go on from), and
further averages and snapshots of them where the recipe asks (harness.stages.averages).
On several devices: started once per device (torchrun, a cluster); see harness.stages.ranks.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from harness.components import Schedule
from harness.data.latents import Latents
from harness.data.order import batch_indices
from harness.data.randomness import torch_seed
from harness.diffusion.draws import training_draws
from harness.diffusion.feeding import host_threads
from harness.errors import BadInput, HarnessError
from harness.nearest import divisors
from harness.plan.stages import TrainStage
from harness.stages import checkpoints
from harness.stages.averages import Averages
from harness.stages.batches import batches
from harness.stages.checkpoints import TrainingState
from harness.stages.distributed import Agreement, World
from harness.stages.parallel import Parallel, parallel, warm_up
from harness.stages.parts import Parts, components_of
from harness.stages.trained import columns_of
from harness.stages.training_log import TrainingDiverged, TrainingLog
from harness.stages.work import Outcome, Stopped, Work
from harness.store.results import ComplexityResult, EncodeResult, TrainResult

SAVE, STOP = 1, 2  # what processes agree on between steps
AHEAD = 4  # batches kept ready on a GPU


class OutOfMemory(HarnessError):
    """The device's memory is too small for the batch."""


def run(settings: TrainStage, work: Work) -> Outcome:
    """Train to settings.step. See DESIGN's promises 1 to 3."""
    gflops = work.after["complexity"].result(ComplexityResult).gflops
    try:
        state, log, averages = fit(settings, work, gflops)
    except torch.OutOfMemoryError as error:
        raise OutOfMemory(_memory_advice(settings, work, error)) from error
    return _commit(state, log, averages, settings, work)


def fit(
    settings: TrainStage, work: Work, gflops: float
) -> tuple[TrainingState, TrainingLog, Averages]:
    """The training loop, from wherever an earlier attempt got to."""
    place, device, world = work.place, work.device, work.world
    training = _begin(settings, work)
    state, averages = training.state, training.averages
    log = TrainingLog(settings, gflops, work)
    writer = checkpoints.Writer(work.scratch, place.keep_checkpoints)
    if world.main:
        checkpoints.clear_leftovers(work.scratch)
        checkpoints.check_space(work.scratch, state.bytes())
    _resume(state, log, averages, work)
    averages.begin(training.model)

    agreed = Agreement(world)
    schedule = checkpoints.Schedule(place.checkpoint_minutes, place.checkpoint_every)
    steps = range(state.step, settings.step)
    ahead = batches(training.batch, steps, device, AHEAD if device.type == "cuda" else 0)
    log.begin(state.step)
    with contextlib.closing(ahead), contextlib.closing(log):
        for batch in ahead:
            norm = training.take(batch, log)
            log.tell(state.step, settings.step)
            if norm is not None:
                log.close_interval(state.step, checkpoints.whole(norm))
            writer.check()
            # The main process knows whether the disk keeps up: its wish is enough.
            wish = SAVE if world.main and schedule.due(state.step, writer.busy()) else 0
            verdict = agreed(STOP if work.stopping() else wish)
            if verdict and state.step < settings.step:
                _save(state, log, averages, writer, work)
                if verdict == STOP:
                    writer.wait()
                    world.wait()
                    raise Stopped(f"checkpoint written at step {state.step:,} of {settings.step:,}")
    writer.wait()
    _check_weights(averages.tensors(), state, settings, world)
    return state, log, averages


@dataclass(frozen=True)
class _Training:
    """The parts that a step works on: data, components, and this process's share of the model."""

    settings: TrainStage
    work: Work
    latents: Latents
    parts: Parts
    model: nn.Module
    together: Parallel
    rates: _Rates
    state: TrainingState
    averages: Averages
    rows: tuple[int, int]  # this process's, of the global batch
    passes: list[slice]  # among them
    threads: int  # that draw noise

    def batch(self, step: int) -> tuple[Tensor, ...]:
        """This process's rows of the batch of one step: latents, timesteps, noise, labels."""
        settings, recipe, latents = self.settings, self.settings.recipe, self.latents
        draws = training_draws(
            settings.seed,
            step,
            recipe.batch_size,
            latents.shape,
            self.parts.objective.draw_times,
            recipe.label_dropout,
            settings.flip,
            latents.posterior,
            self.rows,
            self.threads,
        )
        indices = batch_indices(settings.seed, step, recipe.batch_size, latents.count)
        flip = draws.flip if settings.flip else None
        x, y = latents.batch(indices[slice(*self.rows)], flip, draws.posterior_noise)
        null_label = self.parts.given.num_classes
        return x, draws.t, draws.noise, torch.where(draws.drop, null_label, y)

    def take(self, batch: tuple[Tensor, ...], log: TrainingLog) -> Tensor | None:
        """One step. The gradient's norm where a row of the log ends with it, else None."""
        state, recipe, optimizer = self.state, self.settings.recipe, self.rates.optimizer
        self.rates.set(state.step)
        optimizer.zero_grad(set_to_none=True)
        self._backward(batch, log)
        state.step += 1
        every, norm = self.work.place.log_every, None
        logging = state.step % every == 0 or state.step == self.settings.step
        if recipe.grad_clip is not None:
            norm = nn.utils.clip_grad_norm_(self.model.parameters(), recipe.grad_clip)
        elif logging:
            norm = nn.utils.get_total_norm(
                [p.grad for p in self.model.parameters() if p.grad is not None]
            )
        optimizer.step()
        self.averages.update(state.step)
        self.averages.keep(state.step, self.work.world.main)
        return norm if logging else None

    def _backward(self, batch: tuple[Tensor, ...], log: TrainingLog) -> None:
        """The gradients of all passes, added up."""
        recipe, (x, t, noise, y) = self.settings.recipe, batch
        for part in self.passes:
            last = part is self.passes[-1]
            with self.together.exchange(last):
                with _precision(recipe.precision, self.work.device):
                    losses = self.parts.objective.training_losses(
                        self.together.forward, x[part], t[part], noise[part], y=y[part]
                    )
                # Gradients are averaged over processes: their sum is the whole batch's mean.
                scale = self.work.world.size / recipe.batch_size
                (losses["loss"].sum() * scale).backward()  # type: ignore[no-untyped-call]
            log.add(losses)


def _begin(settings: TrainStage, work: Work) -> _Training:
    """Data opened, the network initialised, wrapped and warmed up."""
    recipe, device, world = settings.recipe, work.device, work.world
    torch.backends.cuda.matmul.allow_tf32 = recipe.tf32
    torch.backends.cudnn.allow_tf32 = recipe.tf32
    rows, passes = _split(recipe.batch_size, work.place.batch_per_device, world)

    encoded = work.inputs["data"]
    made_by = encoded.result(EncodeResult).autoencoder
    latents = Latents.open(encoded.folder / "latents", autoencoder=made_by)
    parts = components_of(settings, work)

    torch.manual_seed(torch_seed("initialisation", settings.seed))
    model = parts.family.build(parts.given, checkpointing=work.place.checkpointing)
    model.to(device).train()
    averages = Averages.of(model, recipe, work.scratch)
    together = parallel(model, averages.modules, parts.family, work)
    if world.size > 1:
        with _precision(recipe.precision, device):
            size = passes[0].stop - passes[0].start
            warm_up(together, parts.objective, (size, *latents.shape), device)
    rates = _Rates(
        parts.optimizer.build(parts.family.parameter_groups(model, recipe.learning_rate)),
        parts.schedule,
        recipe.horizon or parts.schedule.covering(settings.step),
    )
    return _Training(
        settings,
        work,
        latents,
        parts,
        model,
        together,
        rates,
        TrainingState(model, averages.first, rates.optimizer, more=averages.more),
        averages,
        rows,
        passes,
        threads=host_threads() if device.type == "cuda" else 0,
    )


def _resume(state: TrainingState, log: TrainingLog, averages: Averages, work: Work) -> None:
    """From the newest checkpoint of an earlier attempt, else the milestone before, else nothing."""
    world = work.world
    found = world.share(checkpoints.newest(work.scratch) if world.main else None)
    if found is not None:
        tensors, about = checkpoints.read(found)
        log.restore(tensors["log.sums"], about)
        state.restore(tensors, about["step"])
        averages.restore(about)
        print(f"resumed at step {state.step:,}", flush=True)
    elif "previous" in work.after:
        previous = work.after["previous"]
        tensors, about = checkpoints.read(previous.folder)
        state.restore(tensors, about["step"])
        if world.main:
            averages.continue_from(previous)
        log.seconds = previous.result(TrainResult).seconds
        log.interval_start = state.step
        print(f"continues the milestone at step {state.step:,}", flush=True)


def _save(
    state: TrainingState,
    log: TrainingLog,
    averages: Averages,
    writer: checkpoints.Writer,
    work: Work,
) -> None:
    """A checkpoint: every process gives its part, the main one writes."""
    log.check_finite(state.step)
    sums = log.tensors()
    if work.world.main:
        about = {"step": state.step, **log.about(), **averages.about()}
        writer.save(itertools.chain(state.tensors(), sums.items()), about)
    else:
        _take_part(state, work)


def _take_part(state: TrainingState, work: Work) -> None:
    """Shards are put together by all processes, one tensor after another."""
    if work.place.fsdp:
        for _ in state.tensors():
            pass


def _commit(
    state: TrainingState,
    log: TrainingLog,
    averages: Averages,
    settings: TrainStage,
    work: Work,
) -> Outcome:
    if not work.world.main:
        _take_part(state, work)
        return Outcome(None)
    whole = {name: value.cpu() for name, value in state.tensors()}
    checkpoints.write(work.folder, whole, {"step": state.step})
    weights = {k[4:]: v for k, v in whole.items() if k.startswith("ema.")}
    checkpoints.write_tensors(work.folder / "ema.safetensors", weights)
    averages.commit(work.folder, state.step, whole)

    columns = columns_of(settings, work, components_of(settings, work))
    shared = {k: columns[k] for k in ("run", "model", "seed")} | {"key": work.task.key}
    seconds = log.seconds + log.elapsed()
    trained = state.step - (log.first if log.first is not None else state.step)
    images = settings.recipe.batch_size * trained
    row = {
        **columns,
        "key": work.task.key,
        "loss": log.rows[-1]["loss"] if log.rows else None,
        "settings": work.task.settings,
        "seconds": seconds,
        "images_per_second": images / log.elapsed() if images else None,
    }
    result = TrainResult(
        columns=columns,
        architecture=settings.architecture,
        objective=settings.objective,
        diffusion_steps=settings.diffusion_steps,
        autoencoder_sha256=work.inputs["data"].result(EncodeResult).autoencoder_sha256,
        seconds=seconds,
    )
    return Outcome(result, {"runs": [row], "training": [{**r, **shared} for r in log.rows]})


class _Rates:
    """The learning rate of each parameter group, step by step."""

    def __init__(self, optimizer: torch.optim.Optimizer, schedule: Schedule, horizon: int) -> None:
        self.optimizer, self.schedule, self.horizon = optimizer, schedule, horizon
        self.base = [group["lr"] for group in optimizer.param_groups]

    def set(self, step: int) -> None:
        """Before step `step` (0 is the first)."""
        factor = self.schedule.factor(step, self.horizon)
        for group, rate in zip(self.optimizer.param_groups, self.base, strict=True):
            group["lr"] = rate * factor


def _check_weights(
    averaged: list[Tensor], state: TrainingState, settings: TrainStage, world: World
) -> None:
    norm = world.sum(torch.stack(torch._foreach_norm(averaged)).sum().double())
    if not math.isfinite(float(norm)):
        raise TrainingDiverged(
            f"weights are not finite at step {state.step:,}; learning rate "
            f"{settings.recipe.learning_rate:g}. Nothing is recorded for this step"
        )


def _precision(precision: str, device: torch.device) -> Any:
    if precision == "bf16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return contextlib.nullcontext()


def _split(
    batch_size: int, per_device: int | None, world: World
) -> tuple[tuple[int, int], list[slice]]:
    """This process's rows of the global batch, and among them those of each pass.

    Global batch = processes x images per pass x passes whose gradients are added up.
    """
    if batch_size % world.size:
        raise BadInput(
            f"train.batch_size {batch_size} cannot be divided among {world.size} processes; "
            f"these numbers of processes do: {divisors(batch_size)}"
        )
    own = batch_size // world.size
    size = min(per_device or own, own)
    if own % size:
        raise BadInput(
            f"train.batch_per_device {size} does not divide the {own} images of a process "
            f"(train.batch_size {batch_size}, {world.size} processes); these do: {divisors(own)}"
        )
    return world.rows(batch_size), [slice(i, i + size) for i in range(0, own, size)]


def _memory_advice(settings: TrainStage, work: Work, error: Exception) -> str:
    own = settings.recipe.batch_size // work.world.size
    size = min(work.place.batch_per_device or own, own)
    return (
        f"out of memory on {work.device} with {size} images per pass ({error}); try --set "
        f"train.batch_per_device={max(size // 2, 1)} (same result, gradients are added up), or "
        "train.checkpointing=true, or train.fsdp=true on several devices"
    )
