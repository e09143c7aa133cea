"""The train stage: one model, trained from the milestone before (or from nothing) to `step`.

Step n draws its images, timesteps, noise and dropped labels from (seed, n) alone, so a run that was
killed and resumed any number of times is, on the CPU, bit for bit the undisturbed one.

Files committed: ema.safetensors (what is sampled from) and state.safetensors (to go on from).
"""

from __future__ import annotations

import contextlib
import copy
import json
import math
import resource
import time
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from harness.data.latents import Latents
from harness.data.order import batch_indices
from harness.data.randomness import torch_seed
from harness.diffusion import Diffusion
from harness.diffusion.draws import training_draws
from harness.errors import BadInput, HarnessError
from harness.models import build
from harness.plan.cost import TRAINING_FACTOR, training_gflops
from harness.plan.keys import canonical, run_id
from harness.plan.stages import TrainStage
from harness.stages import checkpoints
from harness.stages.checkpoints import TrainingState
from harness.stages.work import Outcome, Stopped, Work


class TrainingDiverged(HarnessError):
    """The loss is not finite; nothing of the run past the last good milestone is recorded."""


def run(settings: TrainStage, work: Work) -> Outcome:
    """Train to settings.step. See DESIGN's promises 1 to 3."""
    recipe, place, device = settings.recipe, work.place, work.device
    torch.backends.cuda.matmul.allow_tf32 = recipe.tf32
    torch.backends.cudnn.allow_tf32 = recipe.tf32

    encoded = work.inputs["data"]
    latents = Latents.open(encoded.folder / "latents", autoencoder=encoded.facts["autoencoder"])
    diffusion = Diffusion(settings.diffusion_steps, sampling=None)

    torch.manual_seed(torch_seed("initialisation", settings.seed))
    model = build(**settings.architecture.model_dump(), checkpointing=place.checkpointing)
    model.to(device).train()
    ema = copy.deepcopy(model).requires_grad_(False).eval()
    optimizer = torch.optim.AdamW(
        model.parameters(),
        lr=recipe.learning_rate,
        betas=recipe.betas,
        weight_decay=recipe.weight_decay,
        fused=True,  # one kernel for all parameters; measured fastest on the CPU too
    )
    state = TrainingState(model, ema, optimizer)
    log = _Log(recipe.batch_size, work)
    _resume(state, log, work)
    forward = torch.compile(model) if place.compile else model
    live: list[Tensor] = list(model.parameters())
    averaged: list[Tensor] = list(ema.parameters())

    micro = _micro_batch(recipe.batch_size, place.batch_per_device)
    first, saved = state.step, time.monotonic()
    while state.step < settings.step:
        step = state.step
        draws = training_draws(
            settings.seed,
            step,
            recipe.batch_size,
            latents.shape,
            len(diffusion),
            recipe.label_dropout,
            settings.flip,
            latents.posterior,
        )
        indices = batch_indices(settings.seed, step, recipe.batch_size, latents.count)
        x, y = latents.batch(indices, draws.flip if settings.flip else None, draws.posterior_noise)
        y = torch.where(draws.drop, model.null_label, y)

        optimizer.zero_grad(set_to_none=True)
        for start in range(0, recipe.batch_size, micro):
            rows = slice(start, start + micro)
            with _precision(recipe.precision, device):
                losses = diffusion.training_losses(
                    forward,
                    x[rows].to(device),
                    draws.t[rows].to(device),
                    draws.noise[rows].to(device),
                    y=y[rows].to(device),
                )
            (losses["loss"].sum() / recipe.batch_size).backward()
            log.add(losses)

        state.step += 1
        logging = state.step % place.log_every == 0 or state.step == settings.step
        if recipe.grad_clip is not None:
            norm = torch.nn.utils.clip_grad_norm_(live, recipe.grad_clip)
        elif logging:
            norm = _norm([p.grad for p in live if p.grad is not None])
        optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(averaged, live, 1.0 - recipe.ema)

        log.tell(state.step, settings.step)
        if logging:
            log.close_interval(state.step, norm, settings)
        if state.step < settings.step and (
            time.monotonic() - saved > 60 * place.checkpoint_minutes
            or (place.checkpoint_every and state.step % place.checkpoint_every == 0)
            or work.stopping()
        ):
            log.check_finite(state.step, settings)
            checkpoints.save(
                work.scratch, state.tensors() | log.tensors(), {"step": state.step, **log.about()}
            )
            saved = time.monotonic()
            if work.stopping():
                raise Stopped(f"checkpoint written at step {state.step:,} of {settings.step:,}")

    _check_weights(state, settings)
    return _commit(state, log, settings, work, first)


def _resume(state: TrainingState, log: _Log, work: Work) -> None:
    """From the newest checkpoint of an earlier attempt, else the milestone before, else nothing."""
    found = checkpoints.newest(work.scratch)
    if found is not None:
        tensors, about = found
        log.restore(tensors, about)
        state.restore({k: v for k, v in tensors.items() if not k.startswith("log.")}, about["step"])
        print(f"resumed at step {state.step:,}", flush=True)
    elif "previous" in work.after:
        previous = work.after["previous"]
        tensors, about = checkpoints.read(previous.folder)
        state.restore(tensors, about["step"])
        log.seconds = previous.facts["seconds"]
        log.interval_start = state.step
        print(f"continues the milestone at step {state.step:,}", flush=True)


def _commit(
    state: TrainingState, log: _Log, settings: TrainStage, work: Work, first: int
) -> Outcome:
    checkpoints.write(work.folder, state.tensors(), {"step": state.step})
    weights = {k: v.detach().cpu().contiguous() for k, v in state.ema.state_dict().items()}
    safetensors.torch.save_file(weights, work.folder / "ema.safetensors")

    arch, recipe, place = settings.architecture, settings.recipe, work.place
    counted = work.after["complexity"].facts
    plain = json.loads(work.task.settings)
    del plain["step"]
    described = {
        "run": run_id(work.task.inputs["data"], canonical(plain)),
        "model": place.model,
        "family": place.family,
        "size": place.size,
        "patch_size": arch.patch_size,
        "block": arch.block,
        "depth": arch.depth,
        "width": arch.width,
        "heads": arch.heads,
        "input_size": arch.input_size,
        "tokens": counted["tokens"],
        "params": counted["params"],
        "gflops": counted["gflops"],
        "gflops_paper": counted["gflops_paper"],
        "data": work.inputs["data"].facts["data"],
        "data_sha256": work.inputs["data"].facts["sha256"],
        "image_size": work.inputs["data"].facts["image_size"],
        "autoencoder": work.inputs["data"].facts["autoencoder"],
        "seed": settings.seed,
        "batch_size": recipe.batch_size,
        "learning_rate": recipe.learning_rate,
        "step": settings.step,
        "train_gflops": training_gflops(counted["gflops"], recipe.batch_size, settings.step),
    }
    shared = {k: described[k] for k in ("run", "model", "seed")} | {"key": work.task.key}
    seconds = log.seconds + log.elapsed()
    speed = recipe.batch_size * (state.step - first) / max(log.elapsed(), 1e-9)
    row = {
        "key": work.task.key,
        **described,
        "loss": log.rows[-1]["loss"] if log.rows else None,
        "settings": work.task.settings,
        "seconds": seconds,
        "images_per_second": speed if state.step > first else None,
    }
    factor = counted["gflops"] * TRAINING_FACTOR
    training = [
        {**r, **shared, "gflops_per_second": factor * (r["images_per_second"] or math.nan)}
        for r in log.rows
    ]
    facts = {
        "described": described,
        "architecture": arch.model_dump(),
        "diffusion_steps": settings.diffusion_steps,
        "seconds": seconds,
    }
    return Outcome(facts, {"runs": [row], "training": training})


class _Log:
    """Sums of the losses since the last row, kept on the device; rows at each interval's end."""

    def __init__(self, batch_size: int, work: Work) -> None:
        self.work = work
        self.batch = batch_size
        self.sums = torch.zeros(3, dtype=torch.float64, device=work.device)  # loss, mse, vb
        self.interval_start = 0
        self.rows: list[dict[str, Any]] = []
        self.seconds = 0.0  # of training before this process
        self.began = self.interval_began = self.told = time.monotonic()
        self.interval_first: int | None = None  # first step of this process in the interval
        self.last_told: int | None = None

    def elapsed(self) -> float:
        return time.monotonic() - self.began

    def add(self, losses: dict[str, Tensor]) -> None:
        """Add one micro-batch; no host synchronisation."""
        with torch.no_grad():
            self.sums += torch.stack([losses[k].sum() for k in ("loss", "mse", "vb")]).double()

    def tell(self, step: int, total: int) -> None:
        """Progress, at most twice a second (it waits for the device)."""
        now = time.monotonic()
        if self.interval_first is None:
            self.interval_first = step - 1
        if self.last_told is None:
            self.last_told = step
        elif now - self.told > 0.5:
            batch = self.batch
            speed = (step - self.last_told) * batch / (now - self.told)
            count = (step - self.interval_start) * batch
            loss = float(self.sums[0]) / count if count else None
            if loss is not None and not math.isfinite(loss):
                loss = None
            self.work.progress(
                done=step, total=total, unit="steps", loss=loss, images_per_second=speed
            )
            self.told, self.last_told = now, step

    def check_finite(self, step: int, settings: TrainStage) -> None:
        """Raise TrainingDiverged before anything not finite is kept."""
        sums = self.sums.tolist()
        if not all(math.isfinite(v) for v in sums):
            raise TrainingDiverged(_diagnosis(self, step, sums, settings))

    def close_interval(self, step: int, norm: Tensor, settings: TrainStage) -> None:
        """One training row. Raises TrainingDiverged if the loss or the gradient is not finite."""
        self.check_finite(step, settings)
        grad_norm = float(norm)
        if not math.isfinite(grad_norm):
            raise TrainingDiverged(_diagnosis(self, step, self.sums.tolist(), settings, grad_norm))
        now = time.monotonic()
        batch = settings.recipe.batch_size
        count = (step - self.interval_start) * batch
        loss, mse, vb = (v / count for v in self.sums.tolist())
        own = step - (self.interval_first if self.interval_first is not None else step)
        self.rows.append(
            {
                "step": step,
                "loss": loss,
                "mse": mse,
                "vb": vb,
                "grad_norm": grad_norm,
                "images_per_second": own * batch / max(now - self.interval_began, 1e-9),
                "memory_bytes": _memory(self.work.device),
            }
        )
        print(
            f"step {step:,}  loss {loss:.4f}  mse {mse:.4f}  vb {vb:.4f}  grad {grad_norm:.3f}  "
            f"{self.rows[-1]['images_per_second']:.0f} images/s",
            flush=True,
        )
        self.sums.zero_()
        self.interval_start, self.interval_began, self.interval_first = step, now, None

    def tensors(self) -> dict[str, Tensor]:
        return {"log.sums": self.sums}

    def about(self) -> dict[str, Any]:
        return {
            "rows": self.rows,
            "interval_start": self.interval_start,
            "seconds": self.seconds + self.elapsed(),
        }

    def restore(self, tensors: dict[str, Tensor], about: dict[str, Any]) -> None:
        self.sums.copy_(tensors["log.sums"])
        self.rows = about["rows"]
        self.interval_start, self.seconds = about["interval_start"], about["seconds"]


def _diagnosis(
    log: _Log, step: int, sums: list[float], settings: TrainStage, grad_norm: float | None = None
) -> str:
    what = [n for n, v in zip(("loss", "mse", "vb"), sums, strict=True) if not math.isfinite(v)]
    found = f"{', '.join(what)} not finite" if what else f"gradient norm is {grad_norm}"
    last = (
        f"the last finite loss was {log.rows[-1]['loss']:.4f} up to step {log.rows[-1]['step']:,}"
    )
    return (
        f"training diverged between steps {log.interval_start:,} and {step:,}: {found}; "
        f"{last if log.rows else 'no loss was finite yet'}. Learning rate "
        f"{settings.recipe.learning_rate:g}, precision {settings.recipe.precision}, gradient "
        f"clipping {settings.recipe.grad_clip or 'off'}. Nothing of it is recorded; try a smaller "
        "train.learning_rate, train.grad_clip=1.0, or precision float32"
    )


def _check_weights(state: TrainingState, settings: TrainStage) -> None:
    for name, weight in state.ema.named_parameters():
        if not bool(torch.isfinite(weight).all()):
            raise TrainingDiverged(
                f"weights are not finite at step {state.step:,} (first in {name}); learning rate "
                f"{settings.recipe.learning_rate:g}. Nothing is recorded for this step"
            )


def _norm(gradients: list[Tensor]) -> Tensor:
    """Global 2-norm, without a host synchronisation."""
    return torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))


def _precision(precision: str, device: torch.device) -> Any:
    if precision == "bf16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return contextlib.nullcontext()


def _micro_batch(batch_size: int, per_device: int | None) -> int:
    """Images per forward pass; gradients of several passes are added up."""
    micro = min(per_device or batch_size, batch_size)
    if batch_size % micro:
        near = [n for n in range(1, batch_size + 1) if batch_size % n == 0]
        raise BadInput(
            f"train.batch_per_device {micro} does not divide train.batch_size {batch_size}; "
            f"these do: {', '.join(map(str, near))}"
        )
    return micro


def _memory(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
