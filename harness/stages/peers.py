"""When one of the processes of a stage fails, all of them do: at once, and with its message.

Without this the others wait for it in their next exchange, a GPU's for as long as
dispatch.exchange_minutes, those that wait for a commit for days. The first process to fail says so
in the rendezvous store; a thread of each other process looks there twice a second. A process that
dies without a word (SIGKILL) is noticed by its closed connections, and by what started it: torchrun
and `srun --kill-on-bad-exit` end the others.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch.distributed as dist

from harness.errors import HarnessError, on_one_line
from harness.stages.distributed import World
from harness.stages.work import Stopped

LOOK_S = 0.5  # between looks into the store
WORD_S = 5.0  # how long the reason of a broken connection may take to arrive
FREE_S = 3.0  # after which a process that still waits for the failed one is torn out of it
LEAVE_S = 20.0  # after which one that still does not come back is ended
FAILED, SEEN = "failed", "seen"  # keys in the store
BROKEN = ("gloo", "NCCL", "Connection closed by peer", "Connection reset", "Broken pipe")


class PeerFailed(HarnessError):
    """Another process of the stage failed; its message, and its class of failure."""

    def __init__(self, message: str, failure: str) -> None:
        super().__init__(message)
        self.failure = failure


@dataclass(frozen=True)
class Failure:
    """The first failure of any process, as the store has it."""

    rank: int
    host: str
    failure: str  # its class, see harness.dispatch.failures
    message: str


@contextlib.contextmanager
def together(
    world: World, stopping: Callable[[], bool], classify: Callable[[BaseException], str]
) -> Iterator[Callable[[], bool]]:
    """`stopping` for a stage that many processes do; it raises PeerFailed when another has failed.

    An error that leaves the block ends the other processes' blocks as well; what another's failure
    broke here is replaced by PeerFailed. A process alone is left alone.
    """
    global _watch
    if world.size == 1 or _watch is not None:  # within another block: its errors pass there as well
        yield stopping if _watch is None else _watch.stopping(stopping)
        return
    _watch = Watch(world)
    try:
        yield _watch.stopping(stopping)
    except Stopped:
        raise  # agreed on by all
    except BaseException as error:
        first = _watch.fail(error, classify(error))
        if first is error:
            raise
        raise first from error
    finally:
        _watch.close()
        _watch = None


class Watch:
    """One process's eye on the others."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.found: Failure | None = None
        self.left = threading.Event()
        self.thread = threading.Thread(target=self._look, name="peers", daemon=True)
        self.thread.start()

    def stopping(self, asked: Callable[[], bool]) -> Callable[[], bool]:
        """`asked`, which also raises once another process of the stage has failed."""

        def check() -> bool:
            if self.found is not None:
                raise self._peer_failed(self.found)
            return asked()

        return check

    def fail(self, error: BaseException, failure: str) -> BaseException:
        """Say that this process failed with `error`. What to raise: that, or the first failure."""
        if isinstance(error, PeerFailed):
            return error
        if broken(error):  # by another's end: it may say why
            until = time.monotonic() + WORD_S
            while self.found is None and time.monotonic() < until:
                time.sleep(LOOK_S / 5)
            found = self.found or Failure(
                -1, "", "killed", f"one of them ended without a message ({_first_line(error)})"
            )
            return self._peer_failed(found)
        text = str(error) if isinstance(error, HarnessError) else on_one_line(error)
        first = self.found or self._announce(Failure(self.world.rank, _host(), failure, text))
        if first.rank == self.world.rank or first.message == text:  # the same in every process
            return error
        return self._peer_failed(first)

    def close(self) -> None:
        """The block is left: nothing is looked for any more."""
        self.left.set()
        self.thread.join()
        if self.found is not None:
            self.world.breaks(self.found.message)

    def _announce(self, own: Failure) -> Failure:
        """The first failure, which may be this one."""
        store, size = self.world.store, self.world.size
        self.found = own
        with contextlib.suppress(Exception):  # the store is gone: the others notice that as well
            text = store.compare_set(FAILED, "", json.dumps(own.__dict__))
            self.found = Failure(**json.loads(text))
            if self.world.main:  # its end would be the store's
                until = time.monotonic() + WORD_S
                while store.add(SEEN, 0) < size - 1 and time.monotonic() < until:
                    time.sleep(LOOK_S / 5)
        return self.found

    def _peer_failed(self, first: Failure) -> PeerFailed:
        who = f"process {first.rank} of {self.world.size}"
        if first.rank < 0:
            return PeerFailed(f"of {self.world.size} processes {first.message}", first.failure)
        return PeerFailed(f"{who}, on {first.host}, failed: {first.message}", first.failure)

    def _look(self) -> None:
        store = self.world.store
        while not self.left.wait(LOOK_S):
            try:
                if not store.check([FAILED]):
                    continue
                found = Failure(**json.loads(store.get(FAILED)))
                store.add(SEEN, 1)
            except Exception as error:  # whichever way the connection broke
                found = Failure(
                    -1, "", "killed", f"the first ended without a message ({_first_line(error)})"
                )
            if found.rank == self.world.rank:
                return
            self.found = self.found or found
            self._tear_out()
            return

    def _tear_out(self) -> None:
        """Make sure that this process comes back from an exchange that the failed one left.

        The failed one's end closes gloo's connections, which ends its exchanges; NCCL's need an
        abort. Where neither helps, as when the failed one cannot end, this process ends itself.
        """
        if self.left.wait(FREE_S):
            return
        group: Any = dist.group.WORLD
        with contextlib.suppress(Exception):
            group.abort()
        if self.left.wait(LEAVE_S):
            return
        assert self.found is not None
        print(f"error: {self._peer_failed(self.found)}", file=sys.stderr, flush=True)
        faulthandler.dump_traceback()
        os._exit(1)


_watch: Watch | None = None


def broken(error: BaseException) -> bool:
    """Is it what a process sees when another one has ended?"""
    if isinstance(error, HarnessError) or not isinstance(error, RuntimeError):
        return False
    return isinstance(error, dist.DistError) or any(word in str(error) for word in BROKEN)


def _first_line(error: BaseException) -> str:
    lines: list[Any] = str(error).splitlines() or [type(error).__name__]
    return str(lines[0]).split(". This is typically")[0][:200]


def _host() -> str:
    return os.uname().nodename
