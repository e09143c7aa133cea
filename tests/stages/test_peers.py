"""One process of several fails: all end within seconds, and the cause is what is told."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import processes
import pytest
import torch.distributed as dist

from harness.errors import BadInput, HarnessError
from harness.stages import distributed, peers
from harness.stages.distributed import World
from harness.stages.execute import classify
from harness.stages.peers import PeerFailed
from harness.stages.work import Stopped

Laboratory = Any  # conftest.py's; pytest gives it without an import

SOON_S = 60.0  # far below dispatch.exchange_minutes; it takes 1 to 6 s when the machine is idle

# After how many losses rank 1 fails, and how; the moment is printed.
FAILS = """
import os, signal, time
from harness.errors import BadInput
from harness.diffusion.ddpm import DDPM
real, calls = DDPM.training_losses, [0]
def losses(*args, **kwargs):
    calls[0] += 1
    if os.environ["RANK"] == "{rank}" and calls[0] == 6:
        print("fails at", time.time(), flush=True)
        {how}
    return real(*args, **kwargs)
DDPM.training_losses = losses
"""


def failing(rank: int, how: str) -> str:
    return FAILS.format(rank=rank, how=how)


def train(laboratory: Laboratory, sabotage: str, count: int = 2, **place: Any) -> processes.Ended:
    task = laboratory.task("train", "train.batch_size=12", **place)
    began = time.time()
    jobs: list[tuple[str, str, list[int]]] = [(str(laboratory.store.root), task.to_json(), [])]
    ended = processes.do(laboratory.root, jobs, count, sabotage)
    assert 0 not in ended.codes, str(ended)
    (failed,) = re.findall(r"fails at ([\d.]+)", "".join(ended.outputs))
    assert began + max(ended.ends) - float(failed) < SOON_S, str(ended)
    assert laboratory.store.manifest("train", task.key) is None
    return ended


@pytest.mark.slow
@pytest.mark.parametrize("fsdp", [False, True])
def test_an_error_in_one_process_ends_all_with_its_message(
    laboratory: Laboratory, fsdp: bool
) -> None:
    ended = train(laboratory, failing(1, "raise BadInput('rows are torn')"), fsdp=fsdp)
    last = ended.outputs[0].strip().splitlines()[-1]
    assert "process 1 of 2, on" in last and last.endswith("failed: rows are torn"), str(ended)
    assert "BadInput: rows are torn" in ended.outputs[1].strip().splitlines()[-1]


@pytest.mark.slow
def test_a_process_that_is_killed_ends_the_others(laboratory: Laboratory) -> None:
    ended = train(laboratory, failing(1, "os.kill(os.getpid(), signal.SIGKILL)"), count=3)
    for other in (0, 2):
        assert "ended without a message" in ended.outputs[other].splitlines()[-1], str(ended)


@pytest.mark.slow
def test_the_first_process_may_be_the_one_that_is_killed(tmp_path: Path) -> None:
    code = """
import os, signal, time
from harness.stages import distributed, peers
world = distributed.join(60)
with peers.together(world, lambda: False, lambda error: "error") as stopping:
    world.wait()
    if world.rank == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    while world.rank == 1:  # busy; the other waits
        stopping()
        time.sleep(0.1)
    world.wait()
"""
    ended = processes.run(tmp_path, code, 3)
    assert ended.codes == [-signal.SIGKILL, 1, 1] and max(ended.ends) - ended.ends[0] < SOON_S
    for other in (1, 2):
        assert "ended without a message" in ended.outputs[other].splitlines()[-1], str(ended)


@pytest.mark.slow
def test_a_process_that_waits_for_one_which_failed_but_stays_ends_itself(tmp_path: Path) -> None:
    code = """
import time
from harness.stages import distributed, peers
peers.FREE_S = peers.LEAVE_S = 1
world = distributed.join(60)
try:
    with peers.together(world, lambda: False, lambda error: "error") as stopping:
        if world.rank == 1:
            raise ValueError("torn")
        world.wait()
finally:
    time.sleep(10)  # its connections stay open
"""
    ended = processes.run(tmp_path, code, 2)
    assert ended.codes[0] == 1 and ended.ends[0] < ended.ends[1] - 2, str(ended)
    assert "process 1 of 2" in ended.outputs[0] and "failed: ValueError: torn" in ended.outputs[0]
    assert "in wait" in ended.outputs[0]  # where it hung


@pytest.mark.slow
def test_torchrun_names_the_rank_that_failed_and_why(laboratory: Laboratory) -> None:
    script = laboratory.root / "sabotaged.py"
    sabotage = failing(1, "raise BadInput('rows are torn')")
    script.write_text(
        f"{sabotage}\nfrom harness.stages.ranks import main\nraise SystemExit(main())"
    )
    port, results = str(processes.free_port()), str(laboratory.store.root)
    launch = "-m torch.distributed.run --nproc-per-node 2 --master-addr 127.0.0.1 --master-port"
    given = [str(laboratory.root / "study.yaml"), "--results", results, "--only", "train"]
    done = subprocess.run(
        [sys.executable, *launch.split(), port, str(script), *given],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=300,
    )
    said = done.stdout + done.stderr
    assert done.returncode != 0, said
    assert "error: rank 1: rows are torn" in said
    cause = said[said.index("Root Cause") :]
    assert re.search(r"rank\s*: 1 ", cause) and "rows are torn" in cause, said


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> tuple[World, World]:
    """What two processes have of each other, in one; the store is real."""
    monkeypatch.setattr(peers, "LOOK_S", 0.01)
    monkeypatch.setattr(peers, "WORD_S", 0.2)
    monkeypatch.setattr(distributed, "_broken", None)
    store = dist.HashStore()
    return World(0, 2, store=store), World(1, 2, store=store)


def ends(world: World, error: BaseException, failure: str = "error") -> BaseException:
    """What leaves the block in which a process meets `error`."""
    with (
        pytest.raises(type(error)) as caught,
        peers.together(world, lambda: False, lambda _: failure),
    ):
        raise error
    return caught.value


def test_a_process_busy_with_work_of_its_own_ends_as_well(two: tuple[World, World]) -> None:
    first, second = two
    ends(second, MemoryError("no room"), "out of memory")
    with (
        pytest.raises(PeerFailed, match=r"process 1 of 2, on .* failed: MemoryError: no room") as e,
        peers.together(first, lambda: False, classify) as stopping,
    ):
        for _ in range(1000):  # as encoding does, which exchanges nothing for hours
            stopping()
            time.sleep(0.01)
    assert classify(e.value) == "out of memory"  # so it is tried again with more


def test_an_error_that_all_processes_meet_is_each_ones_own(two: tuple[World, World]) -> None:
    for world in two:
        assert str(ends(world, BadInput("batch_size 7"))) == "batch_size 7"


def test_of_two_errors_the_first_is_the_cause(two: tuple[World, World]) -> None:
    ends(two[0], BadInput("rows are torn"))
    with (
        pytest.raises(PeerFailed, match=r"process 0 of 2, on .* failed: rows are torn"),
        peers.together(two[1], lambda: False, classify),
    ):
        raise ValueError("what came of it")


def test_a_broken_connection_waits_a_little_for_its_reason(
    two: tuple[World, World], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "WORD_S", 30.0)  # the wait ends with the reason
    reset = RuntimeError("[gloo/transport/tcp/pair.cc:534] Connection closed by peer [127.0.0.1]")
    with pytest.raises(PeerFailed) as e, peers.together(two[0], lambda: False, classify):
        error = BadInput("rows are torn")
        threading.Timer(0.1, peers.Watch(two[1]).fail, (error, "bad input")).start()
        raise reset
    assert "failed: rows are torn" in str(e.value)


@pytest.mark.slow
def test_a_process_that_says_nothing_was_killed(two: tuple[World, World]) -> None:
    reset = RuntimeError("[gloo/transport/tcp/pair.cc:534] Connection closed by peer [127.0.0.1]")
    with (
        pytest.raises(PeerFailed, match=r"ended without a message .*closed by peer") as e,
        peers.together(two[0], lambda: False, classify),
    ):
        raise reset
    assert classify(e.value) == "killed"


def test_after_a_failure_the_processes_do_no_other_stage(
    two: tuple[World, World], monkeypatch: pytest.MonkeyPatch
) -> None:
    ends(two[0], BadInput("rows are torn"))
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(HarnessError, match=r"one of them failed .rows are torn.; start them again"):
        distributed.join(1)


def test_to_be_stopped_is_no_failure(two: tuple[World, World]) -> None:
    ends(two[0], Stopped("saved"))
    assert not two[0].store.check([peers.FAILED]) and distributed._broken is None


@pytest.mark.parametrize(
    "error, is_so",
    [
        (RuntimeError("[gloo/transport/tcp/pair.cc:534] Connection closed by peer"), True),
        (dist.DistNetworkError("recv failed"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("Connection closed by peer"), False),
    ],
)
def test_broken_connections_are_told_from_errors_of_ones_own(
    error: BaseException, is_so: bool
) -> None:
    assert peers.broken(error) is is_so


def test_a_process_alone_is_left_alone() -> None:
    with peers.together(World(), lambda: True, lambda error: "") as stopping:
        assert stopping()
    with pytest.raises(ValueError), peers.together(World(), lambda: True, lambda error: ""):
        raise ValueError
