"""The train stage: one model, trained from the milestone before (or from nothing) to `step`.

Step n draws its images, timesteps, noise and dropped labels from (seed, n) alone, so a run that was
killed and resumed any number of times is, on the CPU, bit for bit the undisturbed one; and any
split of the global batch over processes and micro-batches reads the same images.

Files committed: ema.safetensors (what is sampled from) and state.safetensors (to go on from).
On several devices: started once per device (torchrun, SLURM); see harness.stages.ranks.
"""

from __future__ import annotations

import contextlib
import copy
import itertools
import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from harness.components import Family, Input, Objective, Optimizer, Schedule, stored
from harness.components.family import of_architecture
from harness.data.latents import Latents
from harness.data.order import batch_indices
from harness.data.randomness import torch_seed
from harness.diffusion.draws import training_draws
from harness.diffusion.feeding import host_threads
from harness.errors import BadInput, HarnessError
from harness.plan.cost import training_gflops
from harness.plan.keys import trajectory
from harness.plan.stages import TrainStage
from harness.stages import checkpoints
from harness.stages.batches import batches
from harness.stages.checkpoints import TrainingState, local
from harness.stages.columns import recorded
from harness.stages.distributed import Agreement, World, divisors
from harness.stages.parallel import parallel, warm_up
from harness.stages.training_log import TrainingDiverged, TrainingLog
from harness.stages.work import Outcome, Stopped, Work
from harness.store.results import ComplexityResult, EncodeResult, TrainResult
from harness.store.tables import MODEL

SAVE, STOP = 1, 2  # what processes agree on between steps
AHEAD = 4  # batches kept ready on a GPU
NETWORK = ("size", "patch_size", "block", "depth", "width", "heads")  # columns of the records


class OutOfMemory(HarnessError):
    """The device's memory is too small for the batch."""


def run(settings: TrainStage, work: Work) -> Outcome:
    """Train to settings.step. See DESIGN's promises 1 to 3."""
    gflops = work.after["complexity"].result(ComplexityResult).gflops
    try:
        state, log = fit(settings, work, gflops)
    except torch.OutOfMemoryError as error:
        raise OutOfMemory(_memory_advice(settings, work, error)) from error
    return _commit(state, log, settings, work)


def fit(settings: TrainStage, work: Work, gflops: float) -> tuple[TrainingState, TrainingLog]:
    """The training loop, from wherever an earlier attempt got to."""
    recipe, place, device, world = settings.recipe, work.place, work.device, work.world
    torch.backends.cuda.matmul.allow_tf32 = recipe.tf32
    torch.backends.cudnn.allow_tf32 = recipe.tf32
    rows, passes = _split(recipe.batch_size, place.batch_per_device, world)

    encoded = work.inputs["data"]
    made_by = encoded.result(EncodeResult).autoencoder
    latents = Latents.open(encoded.folder / "latents", autoencoder=made_by)
    parts = components_of(settings, work)
    family, given, objective = parts.family, parts.given, parts.objective

    torch.manual_seed(torch_seed("initialisation", settings.seed))
    model = family.build(given, checkpointing=place.checkpointing)
    model.to(device).train()
    null_label = given.num_classes
    ema = copy.deepcopy(model).requires_grad_(False).eval()
    together = parallel(model, ema, family, work)
    if world.size > 1:
        with _precision(recipe.precision, device):
            size = passes[0].stop - passes[0].start
            warm_up(together, objective, (size, *latents.shape), device)
    rates = _Rates(
        parts.optimizer.build(family.parameter_groups(model, recipe.learning_rate)),
        parts.schedule,
        recipe.horizon or parts.schedule.covering(settings.step),
    )
    optimizer = rates.optimizer
    state = TrainingState(model, ema, optimizer)
    log = TrainingLog(settings, gflops, work)
    writer = checkpoints.Writer(work.scratch, place.keep_checkpoints)
    if world.main:
        checkpoints.clear_leftovers(work.scratch)
        checkpoints.check_space(work.scratch, state.bytes())
    _resume(state, log, work)
    live = [local(p) for p in model.parameters()]
    averaged = [local(p) for p in ema.parameters()]

    threads = host_threads() if device.type == "cuda" else 0

    def make(step: int) -> tuple[Tensor, ...]:
        """This process's rows of the batch of one step: latents, timesteps, noise, labels."""
        draws = training_draws(
            settings.seed,
            step,
            recipe.batch_size,
            latents.shape,
            objective.draw_times,
            recipe.label_dropout,
            settings.flip,
            latents.posterior,
            rows,
            threads,
        )
        indices = batch_indices(settings.seed, step, recipe.batch_size, latents.count)
        flip = draws.flip if settings.flip else None
        x, y = latents.batch(indices[slice(*rows)], flip, draws.posterior_noise)
        return x, draws.t, draws.noise, torch.where(draws.drop, null_label, y)

    agreed = Agreement(world)
    schedule = checkpoints.Schedule(place.checkpoint_minutes, place.checkpoint_every)
    steps = range(state.step, settings.step)
    ahead = batches(make, steps, device, AHEAD if device.type == "cuda" else 0)
    log.begin(state.step)
    with contextlib.closing(ahead), contextlib.closing(log):
        for x, t, noise, y in ahead:
            rates.set(state.step)
            optimizer.zero_grad(set_to_none=True)
            for part in passes:
                last = part is passes[-1]
                with together.exchange(last):
                    with _precision(recipe.precision, device):
                        losses = objective.training_losses(
                            together.forward, x[part], t[part], noise[part], y=y[part]
                        )
                    # Gradients are averaged over processes: their sum is the whole batch's mean.
                    (losses["loss"].sum() * (world.size / recipe.batch_size)).backward()
                log.add(losses)

            state.step += 1
            logging = state.step % place.log_every == 0 or state.step == settings.step
            if recipe.grad_clip is not None:
                norm = nn.utils.clip_grad_norm_(model.parameters(), recipe.grad_clip)
            elif logging:
                norm = nn.utils.get_total_norm(
                    [p.grad for p in model.parameters() if p.grad is not None]
                )
            optimizer.step()
            with torch.no_grad():
                torch._foreach_lerp_(averaged, live, 1.0 - recipe.ema)

            log.tell(state.step, settings.step)
            if logging:
                log.close_interval(state.step, checkpoints.whole(norm))
            writer.check()
            # The main process knows whether the disk keeps up: its wish is enough.
            wish = SAVE if world.main and schedule.due(state.step, writer.busy()) else 0
            verdict = agreed(STOP if work.stopping() else wish)
            if verdict and state.step < settings.step:
                _save(state, log, writer, work)
                if verdict == STOP:
                    writer.wait()
                    world.wait()
                    raise Stopped(f"checkpoint written at step {state.step:,} of {settings.step:,}")
    writer.wait()
    _check_weights(averaged, state, settings, world)
    return state, log


def _resume(state: TrainingState, log: TrainingLog, work: Work) -> None:
    """From the newest checkpoint of an earlier attempt, else the milestone before, else nothing."""
    world = work.world
    found = world.share(checkpoints.newest(work.scratch) if world.main else None)
    if found is not None:
        tensors, about = checkpoints.read(found)
        log.restore(tensors["log.sums"], about)
        state.restore(tensors, about["step"])
        print(f"resumed at step {state.step:,}", flush=True)
    elif "previous" in work.after:
        previous = work.after["previous"]
        tensors, about = checkpoints.read(previous.folder)
        state.restore(tensors, about["step"])
        log.seconds = previous.result(TrainResult).seconds
        log.interval_start = state.step
        print(f"continues the milestone at step {state.step:,}", flush=True)


def _save(state: TrainingState, log: TrainingLog, writer: checkpoints.Writer, work: Work) -> None:
    """A checkpoint: every process gives its part, the main one writes."""
    log.check_finite(state.step)
    sums = log.tensors()
    if work.world.main:
        about = {"step": state.step, **log.about()}
        writer.save(itertools.chain(state.tensors(), sums.items()), about)
    else:
        _take_part(state, work)


def _take_part(state: TrainingState, work: Work) -> None:
    """Shards are put together by all processes, one tensor after another."""
    if work.place.fsdp:
        for _ in state.tensors():
            pass


def _commit(state: TrainingState, log: TrainingLog, settings: TrainStage, work: Work) -> Outcome:
    if not work.world.main:
        _take_part(state, work)
        return Outcome(None)
    whole = {name: value.cpu() for name, value in state.tensors()}
    checkpoints.write(work.folder, whole, {"step": state.step})
    weights = {k[4:]: v for k, v in whole.items() if k.startswith("ema.")}
    checkpoints.write_tensors(work.folder / "ema.safetensors", weights)

    columns = _columns(settings, work)
    shared = {k: columns[k] for k in ("run", "model", "seed")} | {"key": work.task.key}
    seconds = log.seconds + log.elapsed()
    trained = state.step - (log.first if log.first is not None else state.step)
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


def _columns(settings: TrainStage, work: Work) -> dict[str, Any]:
    """What records say of the checkpoint: its network, data and training."""
    counted = work.after["complexity"].result(ComplexityResult)
    encoded = work.inputs["data"].result(EncodeResult)
    parts, recipe = components_of(settings, work), settings.recipe
    return {
        **recorded(settings, MODEL),
        **recorded(recipe, MODEL),
        "run": trajectory(work.task.settings, work.task.inputs)[0],
        "model": work.place.model,
        "family": work.place.family,
        **{name: parts.facts.get(name) for name in NETWORK},
        "input_size": parts.given.side,
        "tokens": counted.tokens,
        "params": counted.params,
        "gflops": counted.gflops,
        "gflops_paper": counted.gflops_paper,
        "data": encoded.data,
        "data_sha256": encoded.sha256,
        "image_size": encoded.image_size,
        "autoencoder": encoded.autoencoder,
        "train_gflops": training_gflops(counted.gflops, recipe.batch_size, settings.step),
        "recipe": _recipe(settings),
        "objective": parts.objective.name,
        "objective_settings": _own_settings(settings.objective),
    }


def _recipe(settings: TrainStage) -> dict[str, Any]:
    """What tells two trainings apart that records have no column of their own for."""
    of_its_own = set(recorded(settings.recipe, MODEL))
    own = settings.recipe.model_dump(mode="json", exclude=of_its_own, exclude_unset=True)
    others: dict[str, Any] = {"flip": settings.flip, "diffusion_steps": settings.diffusion_steps}
    if settings.objective is not None:
        others = {"flip": settings.flip, "objective": settings.objective}
    return {**own, **others}


def _own_settings(component: Any) -> dict[str, Any] | None:
    """What a key says of a component beside its name; None where that is nothing."""
    if not isinstance(component, dict):
        return None
    return {k: v for k, v in component.items() if k != "name"}


@dataclass(frozen=True)
class Parts:
    """The components that a training run is made of."""

    family: Family
    given: Input
    objective: Objective
    optimizer: Optimizer
    schedule: Schedule
    facts: dict[str, Any]  # what records say of the network


def components_of(settings: TrainStage, work: Work) -> Parts:
    """Those that a stage's settings name. Raises BadInput for one that is not installed here."""
    own = work.place.own
    family, given = of_architecture(settings.architecture)
    recipe = settings.recipe.model_dump(exclude_none=True)
    return Parts(
        family.model_copy(update=own["family"]) if "family" in own else family,
        given,
        stored.read("objective", settings.model_dump(), places=own.get("objective")),
        stored.read("optimizer", recipe, places=own.get("optimizer")),
        stored.read("schedule", recipe, places=own.get("schedule")),
        work.place.facts or family.facts(),
    )


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
