"""The laws of executors: what the driver relies on, whatever runs the stages.

Each law is a function of a component (harness.components.Executor) that runs real, small stages in
a folder of its own. They hold for executors whose stages live with the driver (policy "pool"); one
that hands stages to a queue needs that queue, and its own tests.
"""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.components.executor import Executor
from harness.dispatch.claims import Claims
from harness.dispatch.executor import Event, PoolExecutor
from harness.dispatch.ledger import Attempt, Ledger
from harness.plan.build import make_plan
from harness.plan.plan import Plan, Stage
from harness.spec.study import load_study
from harness.store.artifacts import Store

STUDY = """\
study: conformance
title: One tiny model
about: What an executor is tried with.
data: {name: glyphs, image_size: 8, channels: 1, train_images: 64}
model: {family: DiT-micro, size: S, patch_size: 8}
train: {steps: 1000000, batch_size: 8, learning_rate: 1e-3, log_every: 1000}
dispatch: {device: cpu, workers: 1, threads: 1}
report: {sections: [gflops]}
profiles: {laptop: {}}
"""
MARK = "HARNESS_CONFORMANCE"  # in the environment of all that an executor starts
PATIENCE_S = 180.0  # for anything that must happen, on a busy machine
CLOSING_S = 30.0  # for what was told to end


class Bench:
    """A results folder, a plan of a few stages, and an open executor."""

    def __init__(self, folder: Path, component: Executor) -> None:
        file = folder / "conformance.yaml"
        file.write_text(STUDY)
        self.root = folder / "results"
        self.plan: Plan = make_plan(load_study(file))
        self.store, self.ledger = Store(self.root), Ledger(self.root)
        self.executor: PoolExecutor = component.open(self.root, self.plan.study)

    def processes(self) -> set[int]:
        """The living processes that the executor has started."""
        return set(_marked(str(self.root.parent)))

    def stage(self, kind: str) -> Stage:
        """The first stage of this kind. Raises StopIteration where the plan has none."""
        return next(s for s in self.plan.stages.values() if s.kind == kind)

    def start(self, kind: str) -> tuple[Stage, Attempt]:
        """Begin an attempt at a stage of this kind, and hand it to the executor."""
        stage = self.stage(kind)
        attempt = self.ledger.begin(stage.key, stage.kind, stage.label)
        self.executor.start(self.plan.task(stage), attempt)
        return stage, attempt

    def wait(self, key: str, *wanted: str) -> Event:
        """The first event of a stage among `wanted`. AssertionError when none comes in time."""
        until = time.monotonic() + PATIENCE_S
        seen: list[str] = []
        while time.monotonic() < until:
            for event in self.executor.poll(0.2):
                if event.key == key:
                    seen.append(event.event)
                    if event.event in wanted:
                        return event
                    if event.event != "progress":  # nothing comes of it any more
                        raise AssertionError(
                            f"none of {', '.join(wanted)} came of a stage; it said {seen}: "
                            f"{event.content}"
                        )
        raise AssertionError(f"none of {', '.join(wanted)} came of a stage; it said {seen}")

    def do(self, kind: str) -> Event:
        """Start a stage of this kind and wait until it has ended, however it ends."""
        stage, _ = self.start(kind)
        return self.wait(stage.key, "done", "failed", "stopped", "lost")

    def train(self) -> tuple[Stage, Attempt]:
        """A training that would go on for days is under way."""
        for kind in ("encode", "complexity"):
            event = self.do(kind)
            assert event.event == "done", f"a {kind} stage ended as {event.event}: {event.content}"
        stage, attempt = self.start("train")
        self.wait(stage.key, "progress")
        return stage, attempt


@contextmanager
def bench(component: Executor) -> Iterator[Bench]:
    """A Bench in a temporary folder. Whatever the executor started is stopped at its end."""
    with tempfile.TemporaryDirectory(prefix="harness-executor-") as folder, _mark(folder):
        made = Bench(Path(folder), component)
        try:
            yield made
        finally:
            made.executor.close()


@contextmanager
def _mark(value: str) -> Iterator[None]:
    """Processes that are started meanwhile carry a mark, by which `Bench.processes` finds them."""
    os.environ[MARK] = value
    try:
        yield
    finally:
        del os.environ[MARK]


# --- the laws -------------------------------------------------------------------------------------


def a_stage_is_done_and_its_place_is_free_again(component: Executor) -> None:
    """`done` comes once the artifact is committed; the log holds what the stage printed."""
    with bench(component) as made:
        free = made.executor.free()
        assert free > 0, f"nothing runs, and {free} places are free"
        stage, attempt = made.start("complexity")
        assert made.executor.free() == free - 1, "a stage that runs takes no place"
        event = made.wait(stage.key, "done", "failed", "stopped", "lost")
        assert event.event == "done", f"it ended as {event.event}: {event.content}"
        assert event.content.get("ours") is True, "whose commit it was is not told"
        assert stage.key in made.store.committed(["complexity"]), "done, and nothing is committed"
        assert made.executor.free() == free, "its place is not free after it"
        assert stage.key in Path(attempt.log).read_text(), "its log does not name its key"


def a_failure_is_told_with_its_class_and_message(component: Executor) -> None:
    """A stage whose inputs are not there fails; the executor goes on."""
    with bench(component) as made:
        event = made.do("train")
        assert event.event == "failed", f"without its data it ended as {event.event}"
        assert event.content.get("failure"), "the class of the failure is not told"
        assert "is not committed" in str(event.content.get("message")), "its message is not told"
        assert made.do("complexity").event == "done", "after a failure it does no other stage"


def a_killed_attempt_is_seen(component: Executor) -> None:
    """SIGKILL to whatever runs the stage is reported as a failure, and another stage can start."""
    with bench(component) as made:
        stage, _ = made.train()
        victims = made.processes()
        assert victims, "no process of ours runs the stage: say in the component's tests how to"
        for pid in victims:
            with contextlib.suppress(ProcessLookupError):  # one of its own that ended meanwhile
                os.kill(pid, signal.SIGKILL)
        event = made.wait(stage.key, "failed", "lost", "done", "stopped")
        assert event.event == "failed", f"a killed stage was told as {event.event}"
        assert event.content.get("failure") in ("killed", "out of memory"), event.content
        assert not made.store.committed(["train"]), "a killed stage was committed"
        assert made.executor.free() > 0, "the place of a killed stage is never free again"
        again, _ = made.start("train")
        made.wait(again.key, "progress")


def a_stop_request_is_honoured(component: Executor) -> None:
    """`stop` ends a training with a checkpoint, and nothing runs afterwards."""
    with bench(component) as made:
        stage, _ = made.train()
        made.executor.stop()
        event = made.wait(stage.key, "stopped", "failed", "done", "lost")
        assert event.event == "stopped", f"asked to stop, it ended as {event.event}"
        saved = list(made.store.scratch(stage.key).glob("step-*"))
        assert saved, "it stopped without a checkpoint"


def one_stage_is_cancelled(component: Executor) -> None:
    """`cancel` ends the stages it names; the executor goes on."""
    with bench(component) as made:
        stage, _ = made.train()
        made.executor.cancel(["f" * 64])  # another's
        made.wait(stage.key, "progress")
        made.executor.cancel([stage.key])
        event = made.wait(stage.key, "stopped", "failed", "done", "lost")
        assert event.event == "stopped", f"cancelled, it ended as {event.event}"
        made.store.quarantine("complexity", made.stage("complexity").key)
        assert made.do("complexity").event == "done", "after a cancelled stage it does no other"


def nothing_outlives_close(component: Executor) -> None:
    """After `close` no process of ours runs; a second call changes nothing."""
    with bench(component) as made:
        made.train()
        made.executor.close()
        until = time.monotonic() + CLOSING_S
        while (left := made.processes()) and time.monotonic() < until:
            time.sleep(0.1)
        assert not left, f"after close these run on: {', '.join(map(_command, sorted(left)))}"
        made.executor.close()


def two_claims_never_both_win(component: Executor) -> None:
    """Of two drivers with an executor each, one gets a stage, and one says that it committed it."""
    with bench(component) as made:
        stage = made.stage("complexity")
        first, second = Claims(made.root), Claims(made.root)
        got = [first.claim(stage.key)]
        ours = [made.do("complexity").content.get("ours")]
        other = component.open(made.root, made.plan.study)
        try:
            got.append(second.claim(stage.key))
            made.executor, mine = other, made.executor
            ours.append(made.do("complexity").content.get("ours"))
            made.executor = mine
        finally:
            other.close()
        got.append(second.claim(stage.key))
        assert got == [True, False, False], f"two drivers' claims of one stage gave {got}"
        assert ours == [True, False], f"two executors that did one stage called it theirs: {ours}"
        first.release(stage.key)
        assert second.claim(stage.key), "a stage that was given up cannot be claimed"


def the_poll_comes_back_in_time(component: Executor) -> None:
    """`poll` waits for its timeout at most: the driver has more to do."""
    with bench(component) as made:
        made.start("train")
        began = time.monotonic()
        made.executor.poll(0.0)
        assert time.monotonic() - began < 2.0, "poll(0) did not come back at once"


LAWS = (
    a_stage_is_done_and_its_place_is_free_again,
    a_failure_is_told_with_its_class_and_message,
    a_killed_attempt_is_seen,
    a_stop_request_is_honoured,
    one_stage_is_cancelled,
    nothing_outlives_close,
    two_claims_never_both_win,
    the_poll_comes_back_in_time,
)


def _marked(mark: str) -> list[int]:
    """Living processes that carry a mark in the environment they were started with.

    Not the children of this process: a test has others at work (compilers, Python's own fork
    server), and a process that outlives its parent is still ours.
    """
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                ended = (entry / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
                environment = (entry / "environ").read_bytes().split(b"\0")
            except OSError:  # it ended meanwhile, or is another user's
                continue
            if not ended and f"{MARK}={mark}".encode() in environment:
                found.append(int(entry.name))
    return found


def _command(pid: int) -> str:
    """A process as a person reads it: its number and its command line."""
    with contextlib.suppress(OSError):
        said = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")
        return f"{pid} ({said.decode(errors='replace').strip()})"
    return f"{pid} (ended meanwhile)"
