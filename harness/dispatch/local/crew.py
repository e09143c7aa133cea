"""The processes that do one stage at a time: one, or several that share it as torchrun's ranks do.

All of a crew end together: when one dies, or has failed, the others can do nothing more with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.dispatch.local.places import DEVICES, Place, device

END_S = 5.0  # to end after standard input was closed


@dataclass
class Member:
    """One process, its pipes, and how its part of the stage ended."""

    process: subprocess.Popen[bytes]
    log: Path
    ready: bool = False
    buffer: bytes = b""
    said: tuple[str, dict[str, Any]] | None = None

    def send(self, message: dict[str, Any]) -> None:
        """Tell the worker something, as one JSON line."""
        assert self.process.stdin is not None
        with contextlib.suppress(OSError, ValueError):  # its death comes as an event
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()

    def tidy(self) -> None:
        """A process that had nothing to say outside its stages leaves no log."""
        with contextlib.suppress(OSError):
            if self.log.stat().st_size == 0:
                self.log.unlink()


class Crew:
    """Processes at some places, and the stage they have."""

    def __init__(self, root: Path, places: list[Place], logs: list[Path]) -> None:
        self.places = places
        self.key: str | None = None
        self.leaving = self.alone = False
        self.killed_before = 0  # by the kernel for want of memory, when its stage began
        self.stage_log = ""
        port = str(_free_port()) if len(places) > 1 else ""
        self.members = [
            _start(root, self._environment(rank, port), log) for rank, log in enumerate(logs)
        ]

    def _environment(self, rank: int, port: str) -> Place:
        """A process alone has its place; one of several, what torchrun would give it."""
        place = self.places[rank]
        if not port:
            return place
        visible = {DEVICES: ",".join(map(device, self.places))} if device(place) else {}
        size = str(len(self.places))
        numbers = {"RANK": str(rank), "LOCAL_RANK": str(rank)}
        numbers |= {"WORLD_SIZE": size, "LOCAL_WORLD_SIZE": size}
        return {**place, **visible, **numbers, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}

    @property
    def busy(self) -> bool:
        """Does it do a stage now, or leave?"""
        return self.key is not None or self.leaving

    @property
    def devices(self) -> set[str]:
        """The devices of its processes."""
        return {device(place) for place in self.places}

    def start(self, task: dict[str, Any], key: str, log: str) -> None:
        """Give it a stage; the first process writes the attempt's log, each other its own."""
        self.key, self.stage_log = key, log
        for rank, member in enumerate(self.members):
            member.said = None
            own = log if rank == 0 else str(Path(log).with_suffix(f".rank{rank}.log"))
            member.send({"run": task, "log": own})

    def outcome(self) -> tuple[str, dict[str, Any]] | None:
        """How its stage ended, once every process has said so."""
        said = [member.said for member in self.members]
        if any(one is None for one in said):
            return None
        ends = [one for one in said if one is not None]
        failed = [one for one in ends if one[0] == "failed"]
        if failed:  # of the process that failed by itself, rather than with another
            event, content = min(failed, key=lambda one: bool(one[1].get("peer")))
        else:
            event, content = next((one for one in ends if one[0] == "stopped"), ends[0])
        used = ends[0][1].get("used")  # the first process counts for all
        return event, {**content, "used": used} if used else content

    def stop(self, key: str | None) -> None:
        """Ask for the stage (None: any) to be saved and ended."""
        for member in self.members:
            member.send({"stop": key})

    def close(self, wait_s: float = END_S) -> None:
        """End all its processes: their standard input closes; by force after a while."""
        for member in self.members:
            with contextlib.suppress(OSError):
                member.process.stdin.close()  # type: ignore[union-attr]
        for member in self.members:
            try:
                member.process.wait(wait_s)
            except subprocess.TimeoutExpired:
                member.process.kill()
                member.process.wait()
            member.tidy()


def _start(root: Path, environment: Place, log: Path) -> Member:
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "ab") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "harness.dispatch.worker", str(root)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**os.environ, **environment},
            start_new_session=True,  # Ctrl-C is the driver's to handle
        )
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    return Member(process, log)


def _free_port() -> int:
    """A port that nobody listens on now. Its first process will, in a moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
