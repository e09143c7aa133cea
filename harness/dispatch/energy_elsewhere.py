"""What the GPUs of a stage's other machines drew, as the first process of the stage hears it.

A process sees the boards of its own machine alone. So the first process of each other machine
(LOCAL_RANK 0) says every READ_S seconds what its boards have drawn since it began, and once more at
its end. The first process of all (RANK 0) hears that and adds it to what its own boards drew
(harness.dispatch.energy).

They speak through the store of their rendezvous. It is new with each start of the processes, so a
stage that is begun again after a requeue hears nothing of what was said before. Files would have to
be told from those of the earlier start, cleared away, and waited for: a network file system may
show a new one late. The process group's exchanges would not do. All processes must take part in
one at the same place, and after the failure of one there are none.

What is heard is

- None if one machine says that it does not know, if the readings are not of all processes, or if
  the processes never met;
- None while a machine that has not ended is silent for more than LATE_S. No machine's clock is
  compared with another's: the first process counts from when it heard the last reading;
- too small where a machine's last reading is missing. One whose process was killed counts up to the
  reading before: what its boards drew in READ_S may be missing. So does one that ends more than
  LAST_S after the first process: what its boards drew in LATE_S + LOOK_S may be missing, and
  whatever they drew after that process had ended.

Nothing here raises. NVML and the network are waited for in threads of their own; the end of a stage
waits for these for a few seconds at most.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

READ_S = 10.0  # between two readings of a machine
LATE_S = 3 * READ_S  # without a new one: something is wrong there
LOOK_S = 1.0  # between looks for new ones
LAST_S = 5.0  # to wait at the end, for the last ones or for a thread that hangs
MACHINES = "machines"  # in the store: how many have spoken; the n-th speaks under the name "n"

_begun: Counter[str] = Counter()  # by a stage's key


def subject_of(key: str) -> str:
    """Under which name the machines speak of this begin of a stage: the next in this process.

    Processes that stay may begin a stage again after it was stopped. All of them count alike.
    """
    _begun[key] += 1
    return f"energy/{key}/{_begun[key]}"


@dataclass(frozen=True)
class Reading:
    """What one machine says."""

    processes: int  # of the stage, on that machine
    joules: float | None  # of its boards since it began; None: not known
    number: int  # how many it said before: no two are alike
    last: bool


class Teller:
    """Says what this machine's boards have drawn, from its making to `close`, by a thread.

    read: gives the joules so far, None where they are not known.
    """

    def __init__(self, subject: str, processes: int, read: Callable[[], float | None]) -> None:
        self._subject, self._processes, self._read = subject, processes, read
        self._store: Any = None
        self._name = ""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="energy", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        number, last = 0, False
        while not last:
            last = self._over.wait(LOOK_S if self._store is None else READ_S)
            with contextlib.suppress(Exception):
                self._say(Reading(self._processes, self._read(), number, last))
            number += 1

    def _say(self, reading: Reading) -> None:
        if self._store is None:
            self._store = _store(self._subject)
        if self._store is None:  # the processes have not met yet
            return
        self._name = self._name or str(self._store.add(MACHINES, 1))
        self._store.set(self._name, json.dumps(asdict(reading)))
        self._store.check([self._name])  # it has arrived, also if this process ends now

    def close(self) -> bool:
        """Read and say it for the last time. False: the thread hangs, in NVML perhaps."""
        if not self._over.is_set():
            self._over.set()
            self._thread.join(LAST_S)
        return not self._thread.is_alive()


class Listener:
    """Hears what the other machines say, from its making to `close`, by a thread.

    processes: how many of the stage are on the other machines, in all.
    """

    def __init__(self, subject: str, processes: int) -> None:
        self._subject, self._processes = subject, processes
        self._store: Any = None
        self._heard: dict[str, tuple[Reading, float]] = {}  # each with when it was new
        self._over = threading.Event()
        self._ended = self._until = 0.0  # when it was closed, and how long it listens then
        self._thread = threading.Thread(target=self._run, name="energy", daemon=True)
        self._thread.start()

    def joules(self) -> float | None:
        """Of the boards of all other machines so far; None: not known."""
        now = self._ended or time.monotonic()
        heard = list(self._heard.values())
        if any(not reading.last and now - at > LATE_S for reading, at in heard):
            return None
        return _sum([reading for reading, _ in heard], self._processes)

    def close(self, wait: bool) -> None:
        """Hear no more. wait: at most LAST_S for the last readings."""
        if not self._over.is_set():
            self._ended = time.monotonic()
            self._until = self._ended + (LAST_S if wait else 0.0)
            self._over.set()
            self._thread.join(LAST_S + LOOK_S)

    def _run(self) -> None:
        while not self._over.wait(LOOK_S):
            self._look()
        while time.monotonic() < self._until:
            self._look()
            if not self._awaited():
                break
            time.sleep(LOOK_S / 20)

    def _awaited(self) -> bool:
        """May a reading come that changes the sum?"""
        readings = [reading for reading, _ in self._heard.values()]
        known = all(reading.joules is not None for reading in readings)
        lacking = sum(reading.processes for reading in readings) < self._processes
        return self._store is not None and known and (lacking or not all(r.last for r in readings))

    def _look(self) -> None:
        with contextlib.suppress(Exception):
            if self._store is None:
                self._store = _store(self._subject)
            if self._store is None:
                return
            for number in range(1, int(self._store.add(MACHINES, 0)) + 1):
                name = str(number)
                if not self._store.check([name]):
                    continue
                reading = Reading(**json.loads(self._store.get(name)))
                if name not in self._heard or self._heard[name][0] != reading:
                    self._heard[name] = (reading, time.monotonic())


def _sum(readings: list[Reading], processes: int) -> float | None:
    """Of readings of all the machines that these processes are on; else None."""
    known = [reading.joules for reading in readings if reading.joules is not None]
    whole = sum(reading.processes for reading in readings) == processes
    return sum(known) if whole and len(known) == len(readings) else None


def _store(subject: str) -> Any:
    """The rendezvous' store; None before the processes have met."""
    from harness.stages import distributed

    return distributed.noticeboard(subject, LAST_S)
