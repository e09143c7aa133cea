"""Training state on disk: one safetensors file and a small JSON that vouches for it.

A checkpoint in scratch is a folder `step-000000500` written aside and renamed; the newest two are
kept, so that a damaged one falls back to the one before.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from harness.store import files

STATE = "state.safetensors"
ABOUT = "state.json"
KEPT = 2


@dataclass
class TrainingState:
    """Everything a training run is made of, at `step`."""

    model: nn.Module
    ema: nn.Module
    optimizer: torch.optim.Optimizer
    step: int = 0

    def tensors(self) -> dict[str, Tensor]:
        """All tensors by name: model.*, ema.*, and per parameter the optimizer's moments."""
        out = {f"model.{k}": v for k, v in self.model.state_dict().items()}
        out |= {f"ema.{k}": v for k, v in self.ema.state_dict().items()}
        for name, parameter in self.model.named_parameters():
            for key, value in self.optimizer.state.get(parameter, {}).items():
                out[f"optimizer.{key}.{name}"] = torch.as_tensor(value)
        return {k: v.detach().contiguous() for k, v in out.items()}

    def restore(self, tensors: Mapping[str, Tensor], step: int) -> None:
        """The inverse of `tensors`, strict about names and shapes."""

        def part(prefix: str) -> dict[str, Tensor]:
            return {k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)}

        self.model.load_state_dict(part("model."))
        self.ema.load_state_dict(part("ema."))
        moments = part("optimizer.")
        keys = {k.partition(".")[0] for k in moments}
        for name, parameter in self.model.named_parameters():
            self.optimizer.state[parameter] = {
                key: moments[f"{key}.{name}"].to(
                    "cpu" if key == "step" and parameter.device.type == "cpu" else parameter.device
                )
                for key in keys
            }
        self.step = step

    def bytes(self) -> int:
        """Size of a checkpoint: model, EMA and two moments."""
        return sum(t.numel() * t.element_size() for t in self.model.state_dict().values()) * 4


def write(folder: Path, tensors: dict[str, Tensor], about: dict[str, Any]) -> None:
    """Write state and its JSON into `folder`, synced. Errors: DiskFull with the bytes missing."""
    need = sum(t.numel() * t.element_size() for t in tensors.values())
    check_space(folder, need)
    try:
        files.step("write", folder / STATE)
        safetensors.torch.save_file({k: v.cpu() for k, v in tensors.items()}, folder / STATE)
        files.sync_file(folder / STATE)
    except OSError as error:
        raise files.explain(error, folder / STATE) from error
    size, digest = (folder / STATE).stat().st_size, files.sha256(folder / STATE)
    files.write_json(folder / ABOUT, {**about, "bytes": size, "sha256": digest})


def check_space(folder: Path, need: int) -> None:
    """Raise DiskFull when fewer than `need` bytes (and a little) are free where `folder` is."""
    free = shutil.disk_usage(folder).free
    if free < need * 1.05:
        raise files.DiskFull(
            f"a checkpoint needs {need:,} bytes and {folder} has {free:,} free: "
            f"{int(need * 1.05) - free:,} bytes are missing; the last checkpoint is kept"
        )


def save(scratch: Path, tensors: dict[str, Tensor], about: dict[str, Any]) -> None:
    """A checkpoint in scratch, committed by a rename; older ones beyond KEPT are deleted."""
    final = scratch / f"step-{about['step']:09d}"
    if final.exists():
        return
    aside = scratch / f"_{final.name}.{uuid.uuid4().hex[:8]}"
    aside.mkdir(parents=True)
    try:
        write(aside, tensors, about)
        files.step("rename", final)
        with contextlib.suppress(OSError):  # another attempt wrote the same step: as good
            os.rename(aside, final)
        files.sync_folder(scratch)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    for old in sorted(scratch.glob("step-*"))[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)


def newest(scratch: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """The newest undamaged checkpoint in scratch; prints which damaged ones it passed over."""
    for folder in sorted(scratch.glob("step-*"), reverse=True):
        try:
            return read(folder)
        except (OSError, ValueError, KeyError, safetensors.SafetensorError) as error:
            print(
                f"checkpoint {folder} is damaged ({error}): falling back to the one before",
                flush=True,
            )
    return None


def read(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """A checkpoint's tensors and JSON. Errors: ValueError when they do not match."""
    about = json.loads((folder / ABOUT).read_text())
    size = (folder / STATE).stat().st_size
    if size != about["bytes"]:
        raise ValueError(f"{STATE} has {size:,} bytes, {about['bytes']:,} were written")
    if files.sha256(folder / STATE) != about["sha256"]:
        raise ValueError(f"{STATE} does not match its checksum")
    return safetensors.torch.load_file(folder / STATE), about
