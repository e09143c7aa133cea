"""GPUs that are not there: a made-up pynvml, and what torch would say of them."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch


class NVMLError(Exception):
    """As pynvml's."""


class Boards(ModuleType):
    """A module pynvml over boards with these UUIDs, as NVML counts them: in the PCI's order.

    Each has drawn `drawn[uuid]` millijoules; `broken` are those whose counter cannot be read,
    `divided` those in MIG mode.
    """

    NVMLError = NVMLError

    def __init__(self, uuids: Sequence[str]) -> None:
        super().__init__("pynvml")
        self.drawn = {uuid: 1_000_000 * (i + 1) for i, uuid in enumerate(uuids)}
        self.broken: set[str] = set()
        self.divided: set[str] = set()
        self.opened = 0
        self.missing = False  # its library

    def nvmlInit(self) -> None:
        if self.missing:
            raise NVMLError("NVML Shared Library Not Found")
        self.opened += 1

    def nvmlShutdown(self) -> None:
        self.opened -= 1

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:
        if not self.opened or uuid not in self.drawn:
            raise NVMLError("Not Found")
        return uuid

    def nvmlDeviceGetMigMode(self, board: str) -> list[int]:
        if board == "GPU-old":
            raise NVMLError("Not Supported")
        return [int(board in self.divided)] * 2

    def nvmlDeviceGetTotalEnergyConsumption(self, board: str) -> int:
        if not self.opened or board in self.broken:
            raise NVMLError("Not Supported")
        return self.drawn[board]


def install(
    patch: pytest.MonkeyPatch, temporary: Any, uuids: Sequence[str] = ("GPU-a", "GPU-b", "GPU-c")
) -> Boards:
    """Let this process have these GPUs, of which CUDA_VISIBLE_DEVICES chooses.

    CUDA numbers them the other way round than NVML, as it may where some are faster.
    """
    boards = Boards(uuids)
    fastest = list(reversed(uuids))

    def visible() -> list[str]:
        chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
        if chosen is None:
            return fastest
        return [fastest[int(each)] if each.isdigit() else each for each in chosen.split(",")]

    def properties(gpu: int) -> SimpleNamespace:
        return SimpleNamespace(uuid=visible()[gpu].removeprefix("GPU-"))

    for name in ("CUDA_VISIBLE_DEVICES", "RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE"):
        patch.delenv(name, raising=False)
    patch.setitem(sys.modules, "pynvml", boards)
    patch.setattr("tempfile.tempdir", str(temporary))
    patch.setattr(torch.cuda, "is_available", lambda: True)
    patch.setattr(torch.cuda, "device_count", lambda: len(visible()))
    patch.setattr(torch.cuda, "get_device_properties", properties)
    return boards
