"""The attempt ledger and the claims: what was tried, what is being tried, by whom.

    results/attempts/KEY/ATTEMPT.json   one execution: when, where, its log, how it ended
    results/claims/KEY                  who is working on it now

A claim is advisory: it saves two drivers from doing the same work, but correctness rests on the
commit protocol, where the first valid commit wins. A claim whose owner is dead (or silent for
`STALE_S` on another machine) is broken by renaming it away, which only one breaker can do.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from harness.store import files

STALE_S = 600.0  # another machine's claim, unrefreshed for this long, is dead
ENDED = ("done", "failed", "again", "stopped", "lost")  # again: failed, and will be retried
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
    job: str | None = None  # SLURM's id
    batch: str | None = None  # SLURM: the unique job name it was submitted under
    index: int | None = None  # its element of that job array


@dataclass(frozen=True)
class Owner:
    """A process that works, told apart from a later one with the same id."""

    host: str
    pid: int
    born: str

    @staticmethod
    def this() -> Owner:
        return Owner(socket.gethostname(), os.getpid(), _born(os.getpid()) or "")

    def alive(self) -> bool | None:
        """True or False on this machine, None when it is another's."""
        if self.host != socket.gethostname():
            return None
        return _born(self.pid) == self.born


def _born(pid: int) -> str | None:
    """The process's start time from /proc, None when there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        if Path("/proc/self").exists():
            return None
        try:  # no /proc (macOS): the id alone must do
            os.kill(pid, 0)
        except ProcessLookupError:
            return None
        except PermissionError:
            pass
        return "unknown"
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] == "Z" else fields[19]


class Ledger:
    """Attempts and claims below one results folder."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        self.owner = Owner.this()

    # --- attempts -------------------------------------------------------------------------------

    def begin(
        self,
        key: str,
        kind: str,
        label: str,
        batch: str | None = None,
        index: int | None = None,
    ) -> Attempt:
        """Write down an attempt before it starts (or before sbatch, under its job's name)."""
        count = len(self.attempts(key))
        identity = f"{count + 1:03d}-{uuid.uuid4().hex[:6]}"
        log = self.root / "logs" / f"{kind}-{key[:12]}" / f"{identity}.log"
        attempt = Attempt(
            identity,
            key,
            kind,
            label,
            str(log),
            self.owner.host,
            self.owner.pid,
            time.time(),
            batch=batch,
            index=index,
        )
        # thousands go to a cluster at once; their batch's file is synced and holds them too
        self._write(attempt, sync=batch is None)
        return attempt

    def end(
        self, attempt: Attempt, state: str, failure: str | None = None, error: str | None = None
    ) -> Attempt:
        """Write down how it ended."""
        ended = replace(attempt, state=state, ended=time.time(), failure=failure, error=error)
        self._write(ended, sync=state != "done")  # the artifact says that it is done
        return ended

    def _write(self, attempt: Attempt, sync: bool = True) -> None:
        path = self.root / "attempts" / attempt.key / f"{attempt.id}.json"
        if sync:
            files.write_json(path, asdict(attempt))
            return
        aside = path.parent / f"_{path.name}.{uuid.uuid4().hex[:8]}"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            aside.write_text(json.dumps(asdict(attempt), indent=1))
            os.replace(aside, path)
        except OSError as error:
            raise files.explain(error, path) from error

    def attempts(self, key: str) -> list[Attempt]:
        """All attempts at a stage, oldest first. Unreadable files are passed over."""
        found = [a for name in self._names(key) if (a := self._load(key, name)) is not None]
        return sorted(found, key=lambda a: (a.started, a.id))

    def _names(self, key: str) -> list[str]:
        try:
            names = os.listdir(f"{self.root}/attempts/{key}")
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(n for n in names if n[0].isdigit() and n.endswith(".json"))

    def _load(self, key: str, name: str) -> Attempt | None:
        try:  # without pathlib and io: there may be ten thousand
            handle = os.open(f"{self.root}/attempts/{key}/{name}", os.O_RDONLY)
            try:
                return Attempt(**json.loads(os.read(handle, 1 << 20)))
            finally:
                os.close(handle)
        except (OSError, ValueError, TypeError):
            return None

    def read(self, attempt: Attempt) -> Attempt:
        """The attempt as it is written down now; as given when it cannot be read."""
        return self._load(attempt.key, f"{attempt.id}.json") or attempt

    def last(self, key: str) -> Attempt | None:
        """The newest attempt that can be read."""
        names = self._names(key)
        while names:  # those with the highest number, more than one if two drivers tried at once
            number = names[-1].partition("-")[0]
            newest = [n for n in names if n.partition("-")[0] == number]
            found = [a for n in newest if (a := self._load(key, n)) is not None]
            if found:
                return max(found, key=lambda a: (a.started, a.id))
            del names[-len(newest) :]
        return None

    def latest(self, keys: Iterable[str]) -> dict[str, Attempt]:
        """The newest attempt of each key that was tried."""
        found = ((key, self.last(key)) for key in self.tried().intersection(keys))
        return {key: last for key, last in found if last is not None}

    def tried(self) -> set[str]:
        """Keys with at least one attempt. One directory listing."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            return {e.name for e in os.scandir(self.root / "attempts")}
        return set()

    def failed(self, keys: Iterable[str]) -> dict[str, Attempt]:
        """Of `keys`, those whose last attempt failed for good, until `retry`."""
        return {k: a for k, a in self.latest(keys).items() if is_final(a)}

    def settle(self, keys: Iterable[str]) -> list[Attempt]:
        """Attempts still written as running whose owner is dead become `lost`.

        Not those given to SLURM: they live on without their driver, and are adopted.
        """
        return self.settle_those(self.latest(keys))

    def settle_those(self, latest: dict[str, Attempt]) -> list[Attempt]:
        """`settle`, of attempts that were just read."""
        lost = []
        for key, last in latest.items():
            if last.state != "running" or last.batch is not None:
                continue
            if self.holder(key) is None:
                lost.append(self.end(last, "lost", "lost", "its driver died before it ended"))
        return lost

    def forgive(self, keys: Iterable[str]) -> list[str]:
        """Let failed stages be tried again (`retry`)."""
        forgiven = []
        for key, attempt in self.failed(keys).items():
            self._write(replace(attempt, failure="stopped"))
            forgiven.append(key)
        return forgiven

    # --- claims ---------------------------------------------------------------------------------

    def claim(self, key: str) -> bool:
        """Take `key` for this process. False if a living process has it."""
        path = self.root / "claims" / key
        mine = json.dumps(asdict(self.owner)).encode()
        for _ in range(3):
            if files.create_exclusive(path, mine):
                return True
            if self.holder(key) is not None:
                return False
        return False

    def holder(self, key: str) -> Owner | None:
        """The living owner of `key`, breaking a dead one's claim on the way."""
        path = self.root / "claims" / key
        try:
            text = path.read_text()
            owner = Owner(**json.loads(text))
            age = time.time() - path.stat().st_mtime
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError):
            text, owner, age = None, None, STALE_S + 1  # type: ignore[assignment]
        alive = owner.alive() if owner else False
        if alive or (alive is None and age < STALE_S):
            return owner
        aside = path.parent / f"_{key}.{uuid.uuid4().hex[:8]}"
        with contextlib.suppress(OSError):
            os.rename(path, aside)
            if text is not None and aside.read_text() != text:
                with contextlib.suppress(OSError):  # a new claim came in between: put it back
                    os.link(aside, path)
            aside.unlink()
        return None

    def owner_of(self, key: str) -> Owner | None:
        """Who holds the claim, dead or alive. Changes nothing."""
        try:
            return Owner(**json.loads((self.root / "claims" / key).read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def alive(self, key: str) -> bool:
        """Is somebody working on `key`? Changes nothing (`holder` breaks dead claims)."""
        owner = self.owner_of(key)
        return owner is not None and owner.alive() is not False

    def refresh(self, keys: Iterable[str]) -> None:
        """Show other machines that we live (call about once a minute)."""
        for key in keys:
            with contextlib.suppress(OSError):
                os.utime(self.root / "claims" / key)

    def release(self, key: str) -> None:
        """Give up a claim of ours."""
        path = self.root / "claims" / key
        with contextlib.suppress(OSError, ValueError, TypeError):
            if Owner(**json.loads(path.read_text())) == self.owner:
                path.unlink()


def is_final(attempt: Attempt) -> bool:
    """Did it fail so that only `retry` tries it again?"""
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
    return "\n".join(text.splitlines()[-lines:])


def describe(attempt: Attempt, retry: str) -> str:
    """A failed attempt as the terminal shows it (DESIGN's promise 4)."""
    out = [f"failed: {attempt.label}", f"  {attempt.failure}: {attempt.error}"]
    log = tail(attempt.log)
    if log:
        out += ["  last lines of its log:", *(f"  | {line}" for line in log.splitlines())]
    out += [f"  log: {attempt.log}", f"  try again: {retry}"]
    return "\n".join(out)


def summary(attempt: Attempt) -> dict[str, Any]:
    """An attempt for --json output."""
    return {k: v for k, v in asdict(attempt).items() if v is not None}
