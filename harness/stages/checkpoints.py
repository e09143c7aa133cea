"""Training state on disk: one safetensors file and a small JSON that vouches for it.

A checkpoint in scratch is a folder `step-000000500` written aside and renamed; the newest ones are
kept, so that a damaged one falls back to the one before. `Writer` does it off the critical path:
training waits for the copy to the CPU's memory, and for nothing on disk.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import itertools
import json
import os
import shutil
import socket
import struct
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from harness.plan.keys import canonical
from harness.store import files
from harness.store.process import born

STATE = "state.safetensors"
ABOUT = "state.json"
MARGIN = 1.05  # of free space, over a checkpoint's size
SILENT_S = 600.0  # a half-written checkpoint untouched for so long was abandoned


@dataclass
class TrainingState:
    """Everything a training run is made of, at `step`. Sharded parameters are put together."""

    model: nn.Module
    ema: nn.Module
    optimizer: torch.optim.Optimizer
    step: int = 0
    more: Mapping[str, nn.Module] = field(default_factory=dict)  # further averages, by name

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """All tensors by name, one after another: model.*, ema.*, further averages, moments.

        With sharded parameters every process must go through all of them, in the same order: each
        is put together by an exchange, and exchanges are matched by nothing but their order.
        """
        for prefix, module in self._modules():
            for name, value in module.state_dict().items():
                yield f"{prefix}.{name}", whole(value)
        for name, parameter in self.model.named_parameters():
            # Sorted: torch fills a state in one order, `restore` might in another.
            for key, value in sorted(self.optimizer.state.get(parameter, {}).items()):
                yield f"optimizer.{key}.{name}", whole(torch.as_tensor(value))

    def restore(self, tensors: Mapping[str, Tensor], step: int) -> None:
        """The inverse of `tensors`. Raises KeyError if a tensor of the model is not there."""
        with torch.no_grad():
            for prefix, module in self._modules():
                for name, value in module.state_dict().items():
                    local(value).copy_(part(tensors[f"{prefix}.{name}"], value))
            keys = sorted({k.split(".")[1] for k in tensors if k.startswith("optimizer.")})
            for name, parameter in self.model.named_parameters():
                moments = self.optimizer.state[parameter]
                own = [key for key in keys if f"optimizer.{key}.{name}" in tensors]
                if keys and not own:  # each parameter has a state, not all the same (muon, adamw)
                    raise KeyError(f"optimizer.*.{name}")
                for key in own:
                    saved = tensors[f"optimizer.{key}.{name}"]
                    if saved.ndim == 0:  # a count
                        moments[key] = saved.to(parameter.device, copy=True)
                    else:
                        moments[key] = torch.zeros_like(parameter.detach())
                        local(moments[key]).copy_(part(saved, parameter))
        self.step = step

    def bytes(self) -> int:
        """Size of a checkpoint: model, averages and two moments."""
        own = sum(t.numel() * t.element_size() for t in self.model.state_dict().values())
        return own * (4 + len(self.more))  # type: ignore[no-any-return]

    def _modules(self) -> list[tuple[str, nn.Module]]:
        return [("model", self.model), ("ema", self.ema), *self.more.items()]


def whole(value: Tensor) -> Tensor:
    """A tensor, of all its shards (torch's DTensor) if it is sharded."""
    value = value.detach()
    return value.full_tensor() if hasattr(value, "full_tensor") else value


def local(value: Tensor) -> Tensor:
    """This process's shard, or the tensor itself."""
    return value.to_local() if hasattr(value, "to_local") else value


def part(value: Tensor, like: Tensor) -> Tensor:
    """The rows of a whole tensor that this process holds of `like`: all, unless it is sharded.

    FSDP2 cuts the first dimension into equal chunks, the last of which are smaller or empty.
    """
    if not hasattr(like, "full_tensor"):
        return value
    mesh = like.device_mesh  # type: ignore[attr-defined]
    size = -(-len(value) // mesh.size())
    start = mesh.get_local_rank() * size
    return value[start : start + size]


@dataclass
class Schedule:
    """When a checkpoint is due: on a time interval, and every so many steps if asked."""

    minutes: float
    every: int | None = None
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._last = self.clock()

    def due(self, step: int, busy: bool) -> bool:
        """Ask once per step. True once per interval; the checkpoint itself may follow a step later.

        busy: the one before is still being written. The interval then waits, rather than training.
        """
        if not busy and self.clock() - self._last > 60 * self.minutes:
            self._last = self.clock()
            return True
        return self.every is not None and step % self.every == 0


@dataclass
class Writer:
    """Writes checkpoints in a thread; one at a time, the newest `kept` stay."""

    scratch: Path
    kept: int = 2
    _host: dict[str, Tensor] = field(default_factory=dict)  # reused from one to the next
    _thread: threading.Thread | None = None
    _error: BaseException | None = None

    def save(self, tensors: Iterable[tuple[str, Tensor]], about: dict[str, Any]) -> None:
        """Copy to the CPU's memory and begin to write; waits for the checkpoint before.

        Raises what went wrong with the one before, and DiskFull with the bytes missing.
        """
        self.wait()
        size = 0
        on_device = False
        for name, value in tensors:
            if name not in self._host:
                self._host[name] = torch.empty(
                    value.shape, dtype=value.dtype, pin_memory=value.is_cuda
                )
            self._host[name].copy_(value, non_blocking=True)
            on_device |= value.is_cuda
            size += value.numel() * value.element_size()
        if on_device:
            torch.cuda.synchronize()
        check_space(self.scratch, size)
        self._thread = threading.Thread(target=self._write, args=(about,), name="checkpoint")
        self._thread.start()

    def _write(self, about: dict[str, Any]) -> None:
        try:
            save(self.scratch, self._host, about, self.kept)
        except BaseException as error:  # raised again by whoever waits
            self._error = error

    def busy(self) -> bool:
        """Is the checkpoint before still being written?"""
        return self._thread is not None and self._thread.is_alive()

    def wait(self) -> None:
        """Wait until the checkpoint that was begun is on disk. Raises what went wrong."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self.check()

    def check(self) -> None:
        """Raise what has gone wrong by now; waits for nothing."""
        if self._error is not None:
            error, self._error = self._error, None
            raise error


def write(folder: Path, tensors: Mapping[str, Tensor], about: dict[str, Any]) -> None:
    """Write state and its JSON into `folder`, synced. Errors: DiskFull with the bytes missing."""
    check_space(folder, sum(t.numel() * t.element_size() for t in tensors.values()))
    size, digest = write_tensors(folder / STATE, tensors)
    about = {**about, "bytes": size, "sha256": digest}
    files.write_json(folder / ABOUT, {**about, "about_sha256": about_sha256(about)})


def about_sha256(about: Mapping[str, Any]) -> str:
    """SHA-256 of a checkpoint's JSON without the field that holds it."""
    rest = {name: value for name, value in about.items() if name != "about_sha256"}
    return hashlib.sha256(canonical(rest).encode()).hexdigest()


DTYPES = {  # safetensors' names
    torch.float64: "F64",
    torch.float32: "F32",
    torch.bfloat16: "BF16",
    torch.float16: "F16",
    torch.int64: "I64",
    torch.uint8: "U8",
}
CHUNK = 1 << 24  # bytes written and hashed at a time


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> tuple[int, str]:
    """Write a safetensors file, synced; its size in bytes and SHA-256.

    Its library's own writer keeps, before version 0.6, all other Python threads waiting for as long
    as the disk takes: training would stop for a minute for a checkpoint of 10 GB. This one lets go
    while it writes and hashes, and needs no second reading for the checksum.
    Errors: DiskFull with the bytes missing.
    """
    names = sorted(tensors, key=lambda n: (-tensors[n].element_size(), n))  # so all are aligned
    header: dict[str, Any] = {}
    end = 0
    for name in names:
        value = tensors[name]
        start, end = end, end + value.numel() * value.element_size()
        header[name] = {
            "dtype": DTYPES[value.dtype],
            "shape": list(value.shape),
            "data_offsets": [start, end],
        }
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    total, written, digest = 8 + len(text) + end, 0, hashlib.sha256()
    try:
        files.step("write", path)
        with open(path, "wb", buffering=0) as file:
            for part in itertools.chain(
                [struct.pack("<Q", len(text)) + text], _bytes(tensors, names)
            ):
                view = memoryview(part)
                while view:
                    count = file.write(view[:CHUNK])
                    digest.update(view[:count])
                    written += count
                    view = view[count:]
            files.step("sync file", path)
            os.fsync(file.fileno())
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise files.DiskFull(
                f"{path} needs {total:,} bytes and the disk was full after {written:,}: "
                f"{total - written:,} bytes are missing; the last checkpoint is kept"
            ) from error
        raise files.explain(error, path) from error
    return total, digest.hexdigest()


def _bytes(tensors: Mapping[str, Tensor], names: list[str]) -> Iterator[Any]:
    """The tensors' bytes, in order; without a copy of those that lie on the CPU."""
    for name in names:
        flat = tensors[name].detach().cpu().contiguous().reshape(-1)
        yield flat.view(torch.uint8).numpy().data


def check_space(folder: Path, need: int) -> None:
    """Raise DiskFull when fewer than `need` bytes (and a little) are free where `folder` is."""
    free = shutil.disk_usage(folder).free
    if free < need * MARGIN:
        raise files.DiskFull(
            f"a checkpoint needs {need:,} bytes and {folder} has {free:,} free: "
            f"{int(need * MARGIN) - free:,} bytes are missing; the last checkpoint is kept"
        )


def save(
    scratch: Path, tensors: Mapping[str, Tensor], about: dict[str, Any], kept: int = 2
) -> None:
    """A checkpoint in scratch, committed by a rename; older ones beyond `kept` are deleted."""
    final = scratch / step_name(about["step"])
    if final.exists():
        return
    writer = f"{socket.gethostname()}.{os.getpid()}"
    aside = scratch / f"_{final.name}.{writer}.{uuid.uuid4().hex[:8]}"
    aside.mkdir(parents=True)
    try:
        write(aside, tensors, about)
        files.step("rename", final)
        with contextlib.suppress(OSError):  # another attempt wrote the same step: as good
            os.rename(aside, final)
        files.sync_folder(scratch)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    for old in sorted(scratch.glob("step-*"))[:-kept]:
        shutil.rmtree(old, ignore_errors=True)


def clear_leftovers(scratch: Path) -> None:
    """Remove what killed processes left half written; before this process writes its first.

    Each is as large as a checkpoint, and a stage that is preempted for weeks would fill the disk.
    Claims are advisory and torchrun's ranks take none, so a second attempt may be writing here now:
    only what a dead process of this machine began goes at once, the rest once it is silent.
    """
    os.utime(scratch)
    now = scratch.stat().st_mtime  # as the file system has it: machines' clocks differ
    for aside in scratch.glob("_step-*"):
        silent = 0.0
        with contextlib.suppress(OSError):  # it has just been renamed
            silent = now - max(p.stat().st_mtime for p in [aside, *aside.iterdir()])
        if silent > SILENT_S or _dead(aside.name):
            shutil.rmtree(aside, ignore_errors=True)


def _dead(name: str) -> bool:
    """Is the writer in a half-written checkpoint's name a process of this machine that is gone?"""
    host, _, pid = name.rpartition(".")[0].partition(".")[2].rpartition(".")
    if host != socket.gethostname() or not pid.isdigit():
        return False
    # Our own number is that of an earlier process, as in containers: this one has begun none.
    return int(pid) == os.getpid() or born(int(pid)) is None


def step_name(step: int) -> str:
    """The folder of a step's checkpoint in scratch."""
    return f"step-{step:09d}"


def newest(scratch: Path) -> Path | None:
    """The newest undamaged checkpoint in scratch; damaged ones are reported and deleted."""
    for folder in sorted(scratch.glob("step-*"), reverse=True):
        try:
            check(folder)
            return folder
        except (OSError, ValueError, KeyError, TypeError) as error:
            reason = f"{ABOUT} lacks {error}" if isinstance(error, KeyError) else error
            print(
                f"checkpoint {folder} is damaged ({reason}): falling back to the one before",
                flush=True,
            )
            # Left there, it would keep the run from writing this step again.
            shutil.rmtree(folder, ignore_errors=True)
    return None


def check(folder: Path) -> None:
    """Raise ValueError (KeyError for a field that is not there) unless a checkpoint in scratch is
    what was written: its JSON, its step, its tensors."""
    about = json.loads((folder / ABOUT).read_text())
    if not isinstance(about, dict):
        raise ValueError(f"{ABOUT} holds no object")
    # Checkpoints from before the JSON had a checksum of its own are checked by their step alone.
    if about.get("about_sha256", about_sha256(about)) != about_sha256(about):
        raise ValueError(f"{ABOUT} does not match its checksum")
    if folder.name != step_name(about["step"]):
        raise ValueError(f"{ABOUT} says step {about['step']}")
    size = (folder / STATE).stat().st_size
    if size != about["bytes"]:
        raise ValueError(f"{STATE} has {size:,} bytes, {about['bytes']:,} were written")
    if files.sha256(folder / STATE) != about["sha256"]:
        raise ValueError(f"{STATE} does not match its checksum")
    for name, digest in about.get("snapshots", {}).items():  # of averages; see stages/averages
        if files.sha256(folder.parent / "snapshots" / name) != digest:
            raise ValueError(f"snapshot {name} does not match its checksum")


def read(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """A checkpoint's tensors (on the CPU) and JSON; see `check`."""
    return safetensors.torch.load_file(folder / STATE), json.loads((folder / ABOUT).read_text())
