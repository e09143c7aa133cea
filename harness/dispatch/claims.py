"""Claims: which process works on a stage now.

    results/drivers/HOST-PID.HEX.json      a process that works, and on which study
    results/drivers/HOST-PID.HEX.progress  how far its local workers are with their stages
    results/claims/KEY                     a hard link to its owner's file

A claim is advisory: it saves two drivers from doing the same work, but correctness rests on the
commit protocol, where the first valid commit wins. A link is made in one step, never half written,
and touching the owner's file refreshes all its claims at once. A claim whose owner is dead (or
silent for `STALE_S` on another machine) is broken by renaming it away, which only one breaker can
do.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import time
import uuid
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.store import files
from harness.store.process import HIDDEN, born

STALE_S = 600.0  # another machine's claim, unrefreshed for this long, is dead


@dataclass(frozen=True)
class Owner:
    """A working process, distinguished from a later one with the same id."""

    host: str
    pid: int
    born: str
    study: str | None = field(default=None, compare=False)
    profile: str | None = field(default=None, compare=False)

    @staticmethod
    def this() -> Owner:
        """This process, as the owner of claims."""
        return Owner(socket.gethostname(), os.getpid(), born(os.getpid()) or "")

    def alive(self) -> bool | None:
        """True or False on this machine, None when it is another's."""
        if self.host != socket.gethostname():
            return None
        return born(self.pid) in (self.born, HIDDEN)


UNKNOWN = Owner("a machine that cannot be asked just now", 0, "")


class Claims:
    """The claims of one process below one results folder."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        self.owner = Owner.this()
        self._files: list[str] = []  # of this process; the last one is linked to
        self._registered = False
        self._held: set[str] = set()
        self._skew: float | None = None  # of the file system's clock, as it was compared at
        self._compared = 0.0

    # --- this process ---------------------------------------------------------------------------

    def register(self, study: str | None = None, profile: str | None = None) -> None:
        """Show that this process drives a study, until `leave`. Forgets drivers that are dead."""
        for path, owner in self._drivers():
            if not self._lives(owner, path):
                for of_the_dead in (path, path.with_suffix(".progress")):
                    with contextlib.suppress(OSError):
                        of_the_dead.unlink()
        self.owner = replace(self.owner, study=study, profile=profile)
        self._registered = True
        self._introduce()

    def leave(self) -> None:
        """The opposite of `register`; gives up all claims."""
        self._registered = False
        for key in list(self._held):
            self.release(key)
        self._forget()

    def drivers(self) -> list[Owner]:
        """The processes that drive studies here, dead ones of this machine left out."""
        return [owner for _, owner in self._drivers() if owner.alive() is not False]

    def _drivers(self) -> list[tuple[Path, Owner]]:
        found = []
        for path in self._introduced(".json"):
            owner = _read(path)
            if owner is not None:
                found.append((path, owner))
        return found

    def _introduced(self, ending: str) -> list[Path]:
        """Files of all drivers; none where the folder cannot be read just now."""
        with contextlib.suppress(OSError):
            found = (self.root / "drivers").iterdir()
            return sorted(p for p in found if p.name.endswith(ending) and p.name[0] != "_")
        return []

    def _introduce(self) -> None:
        """A new file of this process, for claims to be links to."""
        name = f"{self.owner.host}-{self.owner.pid}.{uuid.uuid4().hex[:8]}.json"
        path = self.root / "drivers" / name
        try:
            files.step("write", path)
            path.parent.mkdir(parents=True, exist_ok=True)
            content = asdict(self.owner)
            path.write_text(json.dumps({**content, "check": files.checksum(content)}))
        except OSError as error:
            with contextlib.suppress(OSError):
                path.unlink()
            raise files.explain(error, path) from error
        self._files.append(str(path))

    def _forget(self) -> None:
        if not self._registered and not self._held:
            for path in self._files:
                for name in (path, _beside(path)):
                    with contextlib.suppress(OSError):
                        os.unlink(name)
            self._files.clear()

    def tell(self, progress: Mapping[str, Mapping[str, Any]]) -> None:
        """Show how far stages are, by key. For people only: not synced, no error."""
        if self._files:
            aside = f"{_beside(self._files[0])}.new"
            with contextlib.suppress(OSError):
                Path(aside).write_text(json.dumps(progress))
                os.replace(aside, _beside(self._files[0]))

    def told(self) -> dict[str, dict[str, Any]]:
        """The notes of all drivers."""
        found: dict[str, dict[str, Any]] = {}
        for path in self._introduced(".progress"):
            with contextlib.suppress(OSError, ValueError, AttributeError, TypeError):
                content = json.loads(path.read_text())
                found |= {key: dict(state) for key, state in content.items()}
        return found

    # --- claims ---------------------------------------------------------------------------------

    def claim(self, key: str) -> bool:
        """Take `key` for this process. False if a living process has it."""
        path = f"{self.root}/claims/{key}"
        if not self._files:
            self._introduce()
        for _ in range(5):
            try:
                files.step("link", Path(path))
                os.link(self._files[-1], path)
                self._held.add(key)
                return True
            except FileExistsError:
                if self._ours(key):
                    self._held.add(key)
                    return True
                if self.holder(key) is not None:
                    self._forget()
                    return False
            except FileNotFoundError:  # not there yet, or somebody has tidied up
                os.makedirs(f"{self.root}/claims", exist_ok=True)
                if not os.path.exists(self._files[-1]):
                    self._introduce()
            except OSError as error:
                if self._ours(key):  # a network disk lost the answer, not the question
                    self._held.add(key)
                    return True
                if error.errno == errno.ESTALE:
                    continue
                if error.errno != errno.EMLINK:  # a file has some 65,000 names at most
                    raise files.explain(error, Path(path)) from error
                self._introduce()
        self._forget()
        return False

    def _ours(self, key: str) -> bool:
        """Does the link that we just tried to make exist, whatever the file system reported?"""
        if key in self._held:
            return False
        try:
            there = os.stat(f"{self.root}/claims/{key}")
            return os.path.samestat(there, os.stat(self._files[-1]))
        except OSError:
            return False

    def holder(self, key: str) -> Owner | None:
        """The living owner of `key`, breaking a dead one's claim on the way."""
        path = self.root / "claims" / key
        owner, broken = self._owner_at(path)
        if not broken:
            return owner
        aside = path.parent / f"_{key}.{uuid.uuid4().hex[:8]}"
        with contextlib.suppress(OSError):
            os.rename(path, aside)
        owner, broken = self._owner_at(aside)
        if owner is not None:  # a new claim came in between, maybe of the same process: put it back
            for _ in range(files.STALE):
                try:
                    os.link(aside, path)
                    break
                except (FileExistsError, FileNotFoundError):
                    break
                except OSError:
                    continue
        with contextlib.suppress(OSError):
            aside.unlink()
        return owner

    def _owner_at(self, path: Path) -> tuple[Owner | None, bool]:
        """The living owner of the claim that lies here; is it there, and its owner is not?"""
        try:
            owner = _parse(files.read_bytes(path))
        except FileNotFoundError:
            if files.gone(path):
                return None, False
            owner = UNKNOWN
        except PermissionError:  # another user's, and nobody may read it
            owner = Owner("another user", 0, "")
        except OSError as error:  # a network disk that fails just now says nothing of its owner
            owner = UNKNOWN if error.errno in files.DISK else None
        if owner is not None and self._lives(owner, path):
            return owner, False
        return None, True

    def _lives(self, owner: Owner, path: Path) -> bool:
        alive = owner.alive()
        if alive is not None:
            return alive
        for _ in range(2):  # a clock may have been set since it was compared: compare it anew
            try:
                now = self._now()
                if now is None or now - path.stat().st_mtime < STALE_S:
                    return True
            except OSError as error:
                return error.errno in files.DISK
            self._skew = None
        return False

    def _now(self) -> float | None:
        """The time as the results' file system has it: machines' clocks differ. None: not known."""
        if self._skew is None or time.monotonic() - self._compared > STALE_S:
            self._compared = time.monotonic()
            probe = self.root / "claims" / f"_now.{uuid.uuid4().hex[:8]}"
            try:
                probe.parent.mkdir(parents=True, exist_ok=True)
                probe.touch()
                self._skew = probe.stat().st_mtime - time.time()
                probe.unlink()
            except OSError:
                return None
        return time.time() + self._skew

    def held(self, keys: Collection[str]) -> set[str]:
        """Those of `keys` that a living process holds. Dead claims are broken on the way.

        One listing and one look per process, however many claims it has.
        """
        found: set[str] = set()
        alive: dict[int, bool] = {}
        try:
            for entry in os.scandir(self.root / "claims"):
                if entry.name not in keys:
                    continue
                number = entry.inode()  # the same of all links to one file
                if number not in alive or not alive[number]:
                    alive[number] = self.holder(entry.name) is not None
                if alive[number]:
                    found.add(entry.name)
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError:  # a network disk that fails just now: as far as is known, all are held
            return set(keys)
        return found

    def owner_of(self, key: str) -> Owner | None:
        """The owner of the claim, dead or alive. Changes nothing."""
        return _read(self.root / "claims" / key)

    def alive(self, key: str) -> bool:
        """Is somebody working on `key`? Changes nothing (`holder` breaks dead claims)."""
        owner = self.owner_of(key)
        return owner is not None and owner.alive() is not False

    def refresh(self) -> None:
        """Show other machines that this process lives (call about once a minute)."""
        for path in self._files:
            for name in (path, *(f"{self.root}/claims/{key}" for key in self._held)):
                with contextlib.suppress(OSError):  # claims are the same file, by another name
                    os.utime(name)
                    break

    def release(self, key: str) -> None:
        """Give up a claim of ours."""
        path = f"{self.root}/claims/{key}"
        self._held.discard(key)
        for _ in range(files.STALE):  # a claim that stays keeps other machines waiting
            try:
                if _parse(Path(path).read_bytes()) == self.owner:
                    os.unlink(path)
                break
            except FileNotFoundError:
                break
            except OSError:
                continue
        self._forget()


def _beside(path: str) -> str:
    return path.removesuffix(".json") + ".progress"


def _read(path: str | Path) -> Owner | None:
    try:
        handle = os.open(path, os.O_RDONLY)
        try:
            return _parse(os.read(handle, 1 << 16))
        finally:
            os.close(handle)
    except OSError:
        return None


def _parse(text: str | bytes) -> Owner | None:
    try:
        content = json.loads(text)
        check = content.pop("check", None)  # older ones have none
        found = Owner(**content)
    except (ValueError, TypeError, AttributeError):
        return None
    whole = isinstance(found.host, str) and isinstance(found.pid, int) and found.pid > 0
    # a changed byte must not make a dead process another machine's
    return found if whole and check in (None, files.checksum(content)) else None
