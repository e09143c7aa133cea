"""Writing a DiT for other programs, and measuring how far what they compute is from it."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor

from harness.errors import BadInput
from harness.models import diffusers_format
from harness.models.checkpoint import architecture_of
from harness.models.dit import DiT

FORMATS = ("official", "diffusers")
TIMESTEPS = (0, 1, 10, 50, 100, 250, 500, 750, 900, 999)  # the difference is measured at


@dataclass(frozen=True)
class Exported:
    """A written checkpoint and how its output, computed from the files, differs from the model's.

    Differences are relative: the norm of the difference over the norm of the model's output, on
    standard normal inputs at timesteps from 0 to 999.
    """

    path: Path
    format: str
    difference: float  # as another program computes it
    difference_corrected: float | None  # diffusers with `correct_frequencies` applied after loading

    def __str__(self) -> str:
        if self.difference_corrected is None:
            return f"{self.path}: output differs by {self.difference:.2g} (relative)"
        return (
            f"{self.path}: in diffusers the output differs by {self.difference:.2g} (relative), "
            "because its timestep frequencies are 10000^(-i/127) instead of 10000^(-i/128); after "
            "setting block.norm1.emb.time_proj.downscale_freq_shift = 0 in every block of the "
            f"loaded transformer, by {self.difference_corrected:.2g}"
        )


def export(model: DiT, path: str | Path, format: str = "official") -> Exported:
    """Write a model as an official checkpoint (a .pt file) or a diffusers folder, and measure it.

    official: a bare state dict with the official names, at `path`; exact. The block designs that
    were never released keep our names for what the official code has no name for.
    diffusers: a folder that `DiTTransformer2DModel.from_pretrained(path)` loads; adaln-zero only.
    Not exact: see diffusers_format.

    Raises BadInput for an unknown format, a design the format cannot hold, a path in use, or one
    that cannot be written: nothing is left there then.
    """
    path = Path(path)
    if format not in FORMATS:
        raise BadInput(f"unknown format {format!r}; formats: {', '.join(FORMATS)}")
    if path.exists():
        raise BadInput(f"{path} exists already; give another name or remove it first")
    if format == "official":
        state = {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}
        with _written(path) as aside, open(aside, "wb") as file:
            torch.save(state, file)
        with torch.device("meta"):
            again = DiT(**asdict(architecture_of(model))).eval()
        written = torch.load(path, weights_only=True)
        again.load_state_dict({name: t.float() for name, t in written.items()}, assign=True)
        return Exported(path, format, _difference(model, again), None)
    theirs_to_be = diffusers_format.to_diffusers(model)
    with _written(path) as aside:
        theirs_to_be.save_pretrained(aside)
    from diffusers import DiTTransformer2DModel

    transformer: Any = DiTTransformer2DModel.from_pretrained(path, low_cpu_mem_usage=False)  # type: ignore[no-untyped-call]
    transformer.eval()

    def theirs(x: Tensor, t: Tensor, y: Tensor) -> Tensor:
        return transformer(x, timestep=t, class_labels=y).sample  # type: ignore[no-any-return]

    difference = _difference(model, theirs)
    diffusers_format.correct_frequencies(transformer)
    return Exported(path, format, difference, _difference(model, theirs))


@contextlib.contextmanager
def _written(path: Path) -> Iterator[Path]:
    """A name beside `path` to write to; it gets its own once it is whole. Raises BadInput."""
    aside = path.with_name(f".{path.name[:100]}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield aside
        os.rename(aside, path)
    except (OSError, RuntimeError, SafetensorError) as error:
        raise BadInput(f"{path} cannot be written: {_reason(error)}") from error
    finally:
        if aside.is_dir():
            shutil.rmtree(aside, ignore_errors=True)
        else:
            aside.unlink(missing_ok=True)


def _reason(error: BaseException) -> str:
    """The system's word for it, which libraries hide behind errors of their own."""
    each: BaseException | None = error
    while each is not None:
        if isinstance(each, OSError) and each.strerror:
            return each.strerror
        each = each.__context__
    return str(error).partition("\n")[0]


@torch.no_grad()
def _difference(model: DiT, other: Any) -> float:
    """Relative difference of other's output from the model's, both (x, t, y) -> (N, 2C, H, W)."""
    generator = torch.Generator().manual_seed(0)
    n, size = len(TIMESTEPS), model.input_size
    x = torch.randn(n, model.channels, size, size, generator=generator)
    y = torch.randint(model.num_classes + 1, (n,), generator=generator)
    first = next(model.parameters())
    training = model.training
    squared = torch.zeros(2, dtype=torch.float64)
    # One at a time: a batch of ten at 512 pixels would need more memory than the weights.
    for i, step in enumerate(TIMESTEPS):
        inputs = x[i : i + 1], torch.tensor([step]), y[i : i + 1]
        image, *condition = (each.to(first.device) for each in inputs)
        ours = model.eval()(image.to(first.dtype), *condition).cpu().double()
        squared += torch.stack([(other(*inputs) - ours).square().sum(), ours.square().sum()])
    model.train(training)
    difference, norm = squared.sqrt().tolist()
    return difference / norm if norm else difference  # type: ignore[no-any-return]
