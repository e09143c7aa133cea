"""The energy of several machines: what each says, and when the first one believes it."""

from __future__ import annotations

import ast
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import processes
import pytest
import torch.distributed as dist

from harness.dispatch import energy_elsewhere as elsewhere
from harness.dispatch.energy_elsewhere import Listener, Reading, Teller, subject_of

SOON_S = 20.0


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[dist.Store]:
    """A store in this process, as if the machines had met; and no time to lose."""
    found = dist.HashStore()
    monkeypatch.setattr(elsewhere, "_store", lambda subject: dist.PrefixStore(subject, found))
    for name, seconds in (("READ_S", 0.02), ("LOOK_S", 0.01), ("LAST_S", 0.3)):
        monkeypatch.setattr(elsewhere, name, seconds)
    yield found


def listening(processes: int, subject: str = "s") -> Listener:
    return Listener(subject, processes)


def soon(what: Callable[[], Any], wanted: Any) -> None:
    """It becomes so."""
    until = time.monotonic() + SOON_S
    while (found := what()) != wanted:
        assert time.monotonic() < until, f"{found!r} is not {wanted!r}"
        time.sleep(0.005)


def say(store: dist.Store, name: str, reading: Reading, subject: str = "s") -> None:
    place = dist.PrefixStore(subject, store)
    if not place.check([name]):
        assert place.add(elsewhere.MACHINES, 1) == int(name)
    place.set(name, json.dumps(asdict(reading)))


def test_what_the_machines_say_is_added_up_while_they_run_and_at_the_end(store: dist.Store) -> None:
    drawn = [1.0, 10.0]
    tellers = [Teller("s", 2, lambda: drawn[0]), Teller("s", 1, lambda: drawn[1])]
    listener = listening(3)
    soon(listener.joules, 11.0)
    drawn[0] = 4.0
    soon(listener.joules, 14.0)
    drawn[1] = 20.0
    assert all(teller.close() for teller in tellers)
    listener.close(wait=True)
    assert listener.joules() == 24.0
    drawn[1] = 99.0
    assert tellers[1].close() and listener.joules() == 24.0


def test_the_end_waits_for_a_machine_that_ends_a_little_after_the_first(
    store: dist.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(store, "1", Reading(1, 2.0, 0, False))
    listener = listening(1)
    soon(listener.joules, 2.0)
    monkeypatch.setattr(elsewhere, "LAST_S", SOON_S)
    slow = threading.Timer(0.1, say, (store, "1", Reading(1, 3.0, 1, True)))
    slow.start()
    listener.close(wait=True)
    assert listener.joules() == 3.0


@pytest.mark.parametrize("why", ["no word", "one of two machines", "unknown", "another begin"])
def test_the_sum_is_not_known_without_every_machine(why: str, store: dist.Store) -> None:
    if why in ("one of two machines", "unknown"):
        say(store, "1", Reading(1, 2.0, 0, True))
    if why == "unknown":
        say(store, "2", Reading(1, None, 0, False))
    if why == "another begin":
        for name in ("1", "2"):
            say(store, name, Reading(1, 2.0, 0, True), subject="of before")
    listener = listening(2)
    began = time.monotonic()
    listener.close(wait=True)
    assert listener.joules() is None
    waited = time.monotonic() - began
    assert why == "unknown" or waited > elsewhere.LAST_S  # it might have come
    assert waited < elsewhere.LAST_S + SOON_S


def test_a_machine_that_does_not_know_is_not_waited_for(
    store: dist.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elsewhere, "LAST_S", 1000.0)
    say(store, "1", Reading(1, None, 0, False))
    listener = listening(2)
    listener.close(wait=True)
    assert listener.joules() is None
    before = listening(1, "nobody speaks")
    before.close(wait=False)
    assert before.joules() is None


def test_a_machine_that_died_counts_up_to_its_last_reading_and_one_long_silent_does_not(
    store: dist.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(store, "1", Reading(1, 2.0, 7, False))
    say(store, "2", Reading(1, 3.0, 7, True))
    listener = listening(2)
    soon(listener.joules, 5.0)
    monkeypatch.setattr(elsewhere, "LATE_S", 0.0)
    assert listener.joules() is None
    monkeypatch.setattr(elsewhere, "LATE_S", 1000.0)
    assert listener.joules() == 5.0
    say(store, "1", Reading(1, 2.0, 8, False))  # idle, and there
    monkeypatch.setattr(elsewhere, "LATE_S", 0.2)
    soon(listener.joules, 5.0)
    listener.close(wait=True)  # LAST_S is more: silence is counted up to the end alone
    assert listener.joules() == 5.0


def test_a_machine_that_has_ended_may_be_silent(
    store: dist.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(store, "1", Reading(1, 2.0, 7, True))
    monkeypatch.setattr(elsewhere, "LATE_S", 0.0)
    listener = listening(1)
    soon(listener.joules, 2.0)
    assert listener.joules() == 2.0
    listener.close(wait=True)


@pytest.mark.slow
def test_readings_that_stay_alike_are_new_ones(
    store: dist.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elsewhere, "LATE_S", 0.5)
    teller, listener = Teller("s", 1, lambda: 1.0), listening(1)
    soon(listener.joules, 1.0)
    time.sleep(0.6)
    soon(listener.joules, 1.0)
    assert teller.close()
    listener.close(wait=False)


def test_each_begin_of_a_stage_has_a_subject_of_its_own() -> None:
    assert [subject_of("k"), subject_of("k"), subject_of("l")] == [
        *("energy/k/1", "energy/k/2"),
        "energy/l/1",
    ]


def test_nothing_raises_and_nothing_is_waited_for_where_the_store_is_gone(
    store: dist.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(subject: str) -> Any:
        raise dist.DistNetworkError("Connection refused")

    monkeypatch.setattr(elsewhere, "LAST_S", SOON_S)
    for how in (refuse, lambda subject: None):  # gone, and not yet there
        monkeypatch.setattr(elsewhere, "_store", how)
        began = time.monotonic()
        teller, listener = Teller("s", 1, lambda: 1.0), listening(1)
        assert teller.close()
        listener.close(wait=True)
        assert listener.joules() is None and time.monotonic() - began < SOON_S


def test_a_reading_that_raises_or_hangs_holds_nobody_up(store: dist.Store) -> None:
    def fail() -> float:
        raise OSError("no such board")

    assert Teller("s", 1, fail).close()
    go_on = threading.Event()
    stuck = Teller("s", 1, lambda: float(go_on.wait(SOON_S)))
    began = time.monotonic()
    assert not stuck.close() and time.monotonic() - began < SOON_S
    again = time.monotonic()
    assert not stuck.close() and time.monotonic() - again < elsewhere.LAST_S
    go_on.set()
    stuck._thread.join()


# One of several processes, each on a "machine" of its own: with boards, a temporary folder and a
# counter of its own. `act(world, boards)` is what it does as a stage.
MACHINE = """
import json, os, signal, sys, time
from dataclasses import replace
from pathlib import Path
import pytest, torch
folder, tests = Path(sys.argv[1]), sys.argv[2]
sys.path.insert(0, tests)
import boards as made_up
from harness.dispatch import energy_elsewhere as elsewhere
from harness.plan.stages import Place, Task
from harness.stages import distributed, execute, peers
from harness.store import Store
rank = int(os.environ["RANK"])
os.environ.update(LOCAL_RANK="0", LOCAL_WORLD_SIZE="1")
ranks = dict(os.environ)
elsewhere.READ_S, elsewhere.LOOK_S, elsewhere.LATE_S, elsewhere.LAST_S = 0.1, 0.05, 60.0, 60.0
TASK = Task("train", "a" * 64, "{}", {}, {}, "train x", None, Place(device="auto"))
real = torch.cuda.is_available
(folder / str(rank)).mkdir(exist_ok=True)
boards = made_up.install(pytest.MonkeyPatch(), folder / str(rank))
os.environ.update(ranks)
def draw(joules):
    boards.drawn["GPU-c"] += int(1000 * joules)
def seen(meter, joules):
    until = time.monotonic() + 60
    while meter.used()["joules"] != joules:
        assert time.monotonic() < until, meter.used()
        time.sleep(0.02)
def stage(*_):
    torch.cuda.is_available = real  # GPUs that are not there exchange nothing
    world = distributed.join(60)
    with peers.together(world, lambda: False, lambda error: "killed"):
        act(world)
        world.wait()
    return True
execute.execute = stage
"""

# A worker's attempt: its event's content is printed.
PERFORM = """
from harness.dispatch import energy, worker
made = []
def keep(*given, real=energy.Meter, **more):
    made.append(real(*given, **more))
    return made[-1]
energy.Meter = keep
out = os.dup(1)
log = folder / f"log{rank}"
event, content = worker.perform(TASK, Store(folder), log, lambda **_: None, lambda: False)
os.write(out, repr((event, content.get("used"))).encode())
"""


def on_machines(folder: Path, act: str, then: str = PERFORM, count: int = 2) -> list[Any]:
    """What each process printed, evaluated; None of one that was killed."""
    ended = processes.run(
        folder, MACHINE + act + then, count, str(folder), str(processes.HERE), limit_s=120
    )
    try:
        return [ast.literal_eval(each) if each else None for each in ended.outputs]
    except (SyntaxError, ValueError):
        raise AssertionError(str(ended)) from None


@pytest.mark.slow
def test_two_machines_that_do_one_stage_are_added_up(tmp_path: Path) -> None:
    act = """
def act(world):
    draw(2 if rank == 0 else 3)
    if rank == 0:
        seen(made[0], 5.0)
    world.wait()
    draw(0.5)  # since the last reading
"""
    used = {"devices": 2, "joules": 6.0}
    assert on_machines(tmp_path, act) == [("done", used), ("done", None)]


@pytest.mark.slow
def test_of_a_machine_without_nvml_and_of_all_with_it_nothing_is_known(tmp_path: Path) -> None:
    act = """
boards.missing = rank == 1
def act(world):
    draw(2)
"""
    used = {"devices": 2, "joules": None}
    assert on_machines(tmp_path, act) == [("done", used), ("done", None)]


@pytest.mark.slow
@pytest.mark.parametrize("late", [False, True])
def test_a_machine_that_is_killed_counts_up_to_its_last_reading_if_that_is_not_old(
    tmp_path: Path, late: bool
) -> None:
    act = f"""
elsewhere.LAST_S = 0.5
def act(world):
    draw(2 if rank == 0 else 3)
    if rank == 0:
        seen(made[0], 5.0)
        (folder / "seen").touch()
    while not (folder / "seen").exists():
        time.sleep(0.02)
    if rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    if {late}:
        time.sleep(1.5)
        elsewhere.LATE_S = 1.0
    world.wait()
"""
    used = {"devices": 2, "joules": None if late else 5.0}
    assert on_machines(tmp_path, act) == [("failed", used), None]


# An element of a queue: what its state says in the end.
SAY = """
from harness.dispatch.energy import metered
from harness.dispatch.slurm import state
from harness.dispatch.slurm.task import Said
said = Said(folder, "batch", rank == 0)
with metered(TASK) as meter:
    said.begin(TASK.key, meter)
    try:
        stage()
    except Exception as error:
        print(error, file=sys.stderr)
    meter.close()
    said.say(TASK.key, "requeued")
if rank == 0:
    print(state.read(folder, "batch", TASK.key)["used"])
"""


@pytest.mark.slow
def test_a_stage_that_is_begun_again_after_its_machines_were_killed_counts_each_begin_once(
    tmp_path: Path,
) -> None:
    (tmp_path / "slurm" / "batch" / "state").mkdir(parents=True)
    killed = """
def act(world):
    draw(2 if rank == 0 else 3)
    if rank == 0:
        seen(meter, 5.0)
        said.say(TASK.key, "running")
    world.wait()
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert on_machines(tmp_path, killed, SAY) == [None, None]
    whole = """
def act(world):
    draw(20 if rank == 0 else 30)
"""
    assert on_machines(tmp_path, whole, SAY) == [{"devices": 2, "joules": 55.0}, None]
    assert on_machines(tmp_path, whole, SAY) == [{"devices": 2, "joules": 105.0}, None]


@pytest.mark.slow
def test_processes_that_stay_do_a_stopped_stage_again(tmp_path: Path) -> None:
    twice = """
from harness.dispatch.energy import metered
def act(world):
    draw(2 if rank == 0 else 3)
found = []
for _ in range(2):
    torch.cuda.is_available = lambda: True
    with metered(TASK) as meter:
        stage()
    found.append(meter.used().get("joules"))
print(found)
"""
    assert on_machines(tmp_path, twice, "") == [[5.0, 5.0], [None, None]]


def test_the_waits_leave_time_before_a_queue_kills() -> None:
    assert elsewhere.LAST_S + elsewhere.LOOK_S <= 6.0 < elsewhere.READ_S
    assert elsewhere.LATE_S > 2 * (elsewhere.READ_S + elsewhere.LOOK_S)
