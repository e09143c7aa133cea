"""Local workers: one process per GPU, or per `threads` CPU cores, kept warm over many stages.

A stage kind that `dispatch.local` gives several devices is done by as many processes, as torchrun's
users have it; smaller stages run beside it where there is room. A stage that crashes ends its own
processes and no others. New ones take their place, and how the old ones ended (killed, out of
memory, a crash in C) is added to the stage's log.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import time
from collections.abc import Iterable
from pathlib import Path

from harness.dispatch.executor import Event, PoolExecutor
from harness.dispatch.ledger import Attempt, tail
from harness.dispatch.local.crew import Crew, Member
from harness.dispatch.local.places import Place, choose, device, layout
from harness.errors import Missing
from harness.plan.stages import Task
from harness.spec.dispatching import SHARED
from harness.spec.schema import DispatchSettings

ENDS = ("done", "stopped", "failed")


def out_of_memory_kills() -> int:
    """How many processes the kernel has killed for want of memory, in this container or any."""
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/vmstat").read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0


class LocalWorkers(PoolExecutor):
    """An Executor over warm worker processes on this machine."""

    isolates = True

    def __init__(self, root: Path, settings: DispatchSettings) -> None:
        self.root, self.settings = Path(root), settings
        self.places = layout(settings)
        self.crews: list[Crew] = []
        self.selector = selectors.DefaultSelector()
        self.spawned = 0

    # --- room -----------------------------------------------------------------------------------

    def free(self) -> int:
        """How many places have no stage."""
        return len(self.places) - sum(len(crew.places) for crew in self.crews if crew.busy)

    def size(self, kind: str) -> int:
        """How many places a stage of a kind takes."""
        return self.settings.local.get(kind, 1) if kind in SHARED else 1  # type: ignore[call-overload]

    def fits(self, task: Task, alone: bool = False) -> bool:
        return self._room(self.size(task.kind), alone) is not None

    def _room(self, count: int, alone: bool) -> list[Place] | None:
        """Places that a stage would have; those without a process of another size first."""
        taken = [crew for crew in self.crews if crew.busy]
        barred = {d for crew in taken if alone or crew.alone for d in crew.devices}
        idle = [p for crew in self.crews if not crew.busy for p in crew.places]
        used = [id(place) for crew in self.crews for place in crew.places]
        unused = [place for place in self.places if id(place) not in used]
        return choose([p for p in unused + idle if device(p) not in barred], count)

    # --- stages ---------------------------------------------------------------------------------

    def start(self, task: Task, attempt: Attempt, alone: bool = False) -> None:
        room = self._room(self.size(task.kind), alone)
        assert room is not None, "nothing is started that does not fit"
        crew = self._crew(room, alone)
        crew.alone, crew.killed_before = alone, out_of_memory_kills()
        crew.start(json.loads(task.to_json()), task.key, attempt.log)

    def _crew(self, room: list[Place], alone: bool) -> Crew:
        """An idle one of that size, else a new one; idle ones whose places it takes end."""
        barred = {
            d for crew in self.crews if crew.busy and (alone or crew.alone) for d in crew.devices
        }
        for crew in self.crews:
            if not crew.busy and len(crew.places) == len(room) and not crew.devices & barred:
                return crew
        wanted = {id(place) for place in room}
        for crew in [c for c in self.crews if any(id(p) in wanted for p in c.places)]:
            self._bury(crew)
        logs = []
        for _ in room:
            logs.append(self.root / "logs" / f"worker-{os.getpid()}-{self.spawned}.log")
            self.spawned += 1
        crew = Crew(self.root, room, logs)
        self.crews.append(crew)
        for member in crew.members:
            self.selector.register(
                member.process.stdout,  # type: ignore[arg-type]
                selectors.EVENT_READ,
                (crew, member),
            )
        return crew

    def poll(self, timeout: float) -> list[Event]:
        events: list[Event] = []
        for found, _ in self.selector.select(timeout):
            crew, member = found.data
            if crew not in self.crews:
                continue  # buried a moment ago, with another of its processes
            data = os.read(found.fd, 1 << 16)
            if not data:
                events += self._died(crew, member)
                continue
            *lines, member.buffer = (member.buffer + data).split(b"\n")
            for line in lines:
                with contextlib.suppress(ValueError):  # printed before the pipe was ours
                    events += self._heard(crew, member, json.loads(line))
        return events

    def _heard(self, crew: Crew, member: Member, message: dict[str, object]) -> list[Event]:
        event, key = str(message.pop("event")), message.pop("key", None)
        member.ready = True
        crew.leaving |= bool(message.pop("leaving", False))
        if event in ENDS and key == crew.key:
            member.said = (event, message)
            ended = crew.outcome()
            if ended is None:
                return []
            crew.key, crew.alone = None, False
            if crew.leaving and len(crew.members) > 1:
                self._bury(crew)
            ended[1].pop("peer", None)
            return [Event(ended[0], str(key), ended[1])]
        if key is None or member is not crew.members[0]:
            return []  # the first process tells the progress of all
        return [Event(event, str(key), message)]

    def _died(self, crew: Crew, member: Member) -> list[Event]:
        """A process ended: so does its crew, its stage is lost, its places are free for another."""
        code, key, ready = member.process.wait(), crew.key, member.ready
        self._bury(crew, at_once=True)
        if code > 0 and not ready:
            said = tail(member.log)
            raise Missing(
                f"workers cannot start here: the first one ended with exit code {code}\n"
                + "".join(f"  | {line}\n" for line in said.splitlines())
                + f"its log: {member.log}"
            )
        if key is None:
            return []
        if member.said is not None and crew.outcome() is None:
            # it has failed and left, before the others could say the same
            event, content = member.said
            content.pop("peer", None)
            return [Event(event, key, content)]
        if code in (0, -signal.SIGTERM):  # asked to end just when it was given the stage
            return [Event("lost", key, {"message": "its worker was asked to end"})]
        who = "its worker"
        if len(crew.members) > 1:
            who = f"its process {crew.members.index(member)} of {len(crew.members)}"
        failure, cause = "killed", f"{who} ended with exit code {code}"
        if code < 0:
            cause = f"{who} was killed by {signal.Signals(-code).name}"
        if code == -signal.SIGKILL:
            if out_of_memory_kills() > crew.killed_before:
                failure = "out of memory"
                cause += ": the kernel was out of memory (fewer --workers need less)"
            else:
                cause += " (by somebody, or by a limit on memory: see `dmesg`)"
        with contextlib.suppress(OSError), open(crew.stage_log, "a") as log:
            print(f"{time.strftime('%F %T')} {cause}", file=log)
        return [Event("failed", key, {"failure": failure, "message": cause})]

    def _bury(self, crew: Crew, at_once: bool = False) -> None:
        """End what is left of a crew, and free its places."""
        self.crews.remove(crew)
        for member in crew.members:
            self.selector.unregister(member.process.stdout)  # type: ignore[arg-type]
            if at_once and member.process.poll() is None:
                member.process.kill()
        crew.close()

    def stop(self) -> None:
        for crew in self.crews:
            crew.stop(None)

    def cancel(self, keys: Iterable[str]) -> None:
        wanted = set(keys)
        for crew in self.crews:
            if crew.key in wanted:
                crew.stop(crew.key)

    def close(self) -> None:
        for crew in self.crews:
            for member in crew.members:  # all at once, then each is waited for
                with contextlib.suppress(OSError):
                    member.process.stdin.close()  # type: ignore[union-attr]
        for crew in self.crews:
            crew.close()
        self.selector.close()
