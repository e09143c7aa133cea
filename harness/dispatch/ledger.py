"""The attempt ledger: what was tried, what is being tried, how it ended.

    results/attempts/KEY/ATTEMPT.json   one execution: when, where, its log, how it ended

A stage's claim says who works on it now (harness.dispatch.claims).
"""

from __future__ import annotations

import contextlib
import json
import os
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from harness.dispatch.claims import Claims
from harness.store import files

# again: failed, and will be retried; forgiven: failed, and `retry` has let it be tried again
ENDED = ("done", "failed", "again", "forgiven", "stopped", "lost")
# Failures that another try may cure without a change to code or study; `run` tries them again.
PASSING = ("environment", "stopped", "lost")


@dataclass(frozen=True)
class Attempt:
    """One execution of a stage."""

    id: str
    key: str
    kind: str
    label: str
    log: str
    host: str
    pid: int
    started: float  # seconds since 1970
    state: str = "running"  # or one of ENDED
    ended: float | None = None
    failure: str | None = None  # class, see harness.dispatch.failures
    error: str | None = None  # message, for people
    job: str | None = None  # a queue's id
    batch: str | None = None  # the unique name under which a queue was given it
    index: int | None = None  # its element there
    ran: float | None = None  # seconds it ran, where that is not ended - started (a queue's wait)
    circumstances: dict[str, str] | None = None  # outside its key; harness.dispatch.circumstances
    executor: str | None = None  # of a batch: the queue that has it
    next_try: str | None = None  # what is different in it, or that nothing is
    devices: int | None = None  # GPUs of all its processes, 0 on a processor; None: not known
    joules: float | None = None  # of those GPUs (harness.dispatch.energy); None: not known

    @property
    def seconds(self) -> float:
        """How long it ran, as far as is known."""
        if self.ran is not None:
            return self.ran
        return max(0.0, self.ended - self.started) if self.ended and not self.batch else 0.0


_FIELDS = frozenset(Attempt.__dataclass_fields__)


class Ledger(Claims):
    """Attempts and claims below one results folder."""

    def begin(
        self,
        key: str,
        kind: str,
        label: str,
        batch: str | None = None,
        index: int | None = None,
        circumstances: dict[str, str] | None = None,
        executor: str | None = None,
    ) -> Attempt:
        """Write down an attempt before it starts (or is submitted, under its job's name)."""
        identity = f"{self._count(key) + 1:03d}-{uuid.uuid4().hex[:6]}"
        attempt = Attempt(
            identity,
            key,
            kind,
            label,
            self._log(kind, key, identity),
            self.owner.host,
            self.owner.pid,
            time.time(),
            batch=batch,
            index=index,
            circumstances=circumstances,
            executor=executor,
        )
        # thousands go to a cluster at once; their batch's file is synced and holds them too
        self._write(attempt, sync=batch is None)
        return attempt

    def _log(self, kind: str, key: str, identity: str) -> str:
        return f"{self.root}/logs/{kind}-{key[:12]}/{identity}.log"

    def end(
        self,
        attempt: Attempt,
        state: str,
        failure: str | None = None,
        error: str | None = None,
        at: float | None = None,
        next_try: str | None = None,
    ) -> Attempt:
        """Write down how it ended (`at`: when, if not now)."""
        when = time.time() if at is None else at
        ended = replace(attempt, state=state, ended=when, failure=failure, error=error)
        ended = replace(ended, next_try=next_try)
        self._write(ended, sync=state != "done")  # the artifact says that it is done
        return ended

    def _write(self, attempt: Attempt, sync: bool = True) -> None:
        path = Path(f"{self.root}/attempts/{attempt.key}/{attempt.id}.json")
        if sync:
            files.write_json(path, asdict(attempt))
            return
        aside = f"{path.parent}/_{path.name}.{uuid.uuid4().hex[:8]}"
        try:
            files.step("write", path)
            os.makedirs(path.parent, exist_ok=True)
            with open(aside, "w") as file:
                file.write(json.dumps(attempt.__dict__, indent=1, sort_keys=True))
            files.replace(Path(aside), path, path.exists)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.unlink(aside)
            raise files.explain(error, path) from error

    def _count(self, key: str) -> int:
        """The highest number of an attempt at a stage."""
        return max(map(number_of, self._names(key)), default=0)

    def attempts(self, key: str) -> list[Attempt]:
        """All attempts at a stage, oldest first. Unreadable files are passed over."""
        found = [a for name in self._names(key) if (a := self._load(key, name)) is not None]
        return sorted(found, key=_order) if found[1:] else found

    def _names(self, key: str) -> list[str]:
        try:
            names = os.listdir(f"{self.root}/attempts/{key}")
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise files.NotReadable(
                f"cannot read {self.root}/attempts/{key}: {error.strerror}"
            ) from None
        mine = [n for n in names if n[0].isdigit() and n.endswith(".json")]
        return sorted(mine, key=lambda n: (number_of(n), n)) if mine[1:] else mine

    def _load(self, key: str, name: str) -> Attempt | None:
        try:  # without pathlib and io: there may be a hundred thousand
            handle = os.open(f"{self.root}/attempts/{key}/{name}", os.O_RDONLY)
            try:
                content = json.loads(os.read(handle, 1 << 20))
            finally:
                os.close(handle)
            if not content.keys() <= _FIELDS:  # of a later version
                content = {k: v for k, v in content.items() if k in _FIELDS}
            content["log"] = self._log(content["kind"], key, content["id"])  # wherever root is now
            found = Attempt(**content)
            return found if _whole(found, key, name) else None
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None

    def read(self, attempt: Attempt) -> Attempt:
        """The attempt as it is written down now; as given when it cannot be read."""
        return self._load(attempt.key, f"{attempt.id}.json") or attempt

    def last(self, key: str) -> Attempt | None:
        """The newest attempt that can be read."""
        names = self._names(key)
        if len(names) == 1:
            return self._load(key, names[0])
        while names:  # those with the highest number, more than one if two drivers tried at once
            number = number_of(names[-1])
            newest = [n for n in names if number_of(n) == number]
            found = [a for n in newest if (a := self._load(key, n)) is not None]
            if found:
                return max(found, key=_order)
            del names[-len(newest) :]
        return None

    def latest(self, keys: Iterable[str]) -> dict[str, Attempt]:
        """The newest attempt of each key that was tried."""
        found = ((key, self.last(key)) for key in self.tried().intersection(keys))
        return {key: last for key, last in found if last is not None}

    def history(self, keys: Iterable[str]) -> dict[str, list[Attempt]]:
        """All attempts at each key that was tried, oldest first."""
        found = ((key, self.attempts(key)) for key in self.tried().intersection(keys))
        return {key: attempts for key, attempts in found if attempts}

    def tried(self) -> set[str]:
        """Keys with at least one attempt. One directory listing."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            try:
                return {e.name for e in os.scandir(self.root / "attempts")}
            except (FileNotFoundError, NotADirectoryError):
                raise
            except OSError as error:
                raise files.NotReadable(
                    f"cannot read {self.root}/attempts: {error.strerror}"
                ) from None
        return set()

    def failed(self, keys: Iterable[str]) -> dict[str, Attempt]:
        """Those of `keys` whose last attempt failed for good, until `retry`."""
        return {k: a for k, a in self.latest(keys).items() if is_final(a)}

    def settle(self, keys: Iterable[str]) -> list[Attempt]:
        """Attempts still written as running whose owner is dead become `lost`.

        Not those given to a queue: they live on without their driver, and are adopted.
        """
        return self.settle_those(self.latest(keys))

    def settle_those(self, latest: dict[str, Attempt]) -> list[Attempt]:
        """`settle`, of attempts that were just read."""
        lost = []
        for key, last in latest.items():
            if last.state != "running" or last.batch is not None:
                continue
            if self.holder(key) is None:
                try:
                    alive = os.stat(last.log).st_mtime  # the last sign of it
                except OSError:
                    alive = last.started
                error = "its driver died before it ended"
                lost.append(self.end(last, "lost", "lost", error, max(alive, last.started)))
        return lost

    def forgive(self, keys: Iterable[str]) -> list[str]:
        """Let failed stages be tried again (`retry`)."""
        forgiven = []
        for key, attempt in self.failed(keys).items():
            self._write(replace(attempt, state="forgiven"))
            forgiven.append(key)
        return forgiven


def _whole(found: Attempt, key: str, name: str) -> bool:
    """Is it what was written there? A byte of it may have changed, and left JSON."""
    numbers = (found.started, found.ended, found.ran, found.joules)
    words = (found.kind, found.label, found.host, found.failure, found.error, found.batch)
    return (
        (found.key, f"{found.id}.json") == (key, name)
        and found.state in ("running", *ENDED)
        and all(n is None or isinstance(n, (int, float)) for n in numbers)
        and all(w is None or isinstance(w, str) for w in (*words, found.next_try))
        and isinstance(found.circumstances or {}, dict)
        and isinstance(found.index or 0, int)
        and isinstance(found.devices or 0, int)
    )


def _order(attempt: Attempt) -> tuple[int, float, str]:
    """Oldest first, by number: the clocks of two machines may differ."""
    return number_of(attempt.id), attempt.started, attempt.id


def measured(attempt: Attempt, content: Mapping[str, Any]) -> Attempt:
    """The attempt with what an executor's event says of it: `ran`, the seconds so far, and `used`,
    its GPUs (devices) and their energy (joules) so far."""
    attempt = replace(attempt, ran=content.get("ran", attempt.ran))
    used = content.get("used")
    if not used or not isinstance(used, Mapping):
        return attempt
    devices, joules = used.get("devices"), used.get("joules")
    return replace(
        attempt,
        devices=devices if isinstance(devices, int) else None,
        joules=joules if isinstance(joules, (int, float)) else None,
    )


def number_of(name: str) -> int:
    """1 of "001-3fa0b1"."""
    number = name.partition("-")[0]
    return int(number) if number.isdecimal() else 0


def is_final(attempt: Attempt) -> bool:
    """Is it shown as failed? A failure that may pass by itself is shown as tried again."""
    return attempt.state == "failed" and attempt.failure not in PASSING


def tail(path: str | Path, lines: int = 15) -> str:
    """The last lines of a log ("" when there is none)."""
    try:
        with open(path, "rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 16_000))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.replace("\0", "").splitlines()[-lines:])
