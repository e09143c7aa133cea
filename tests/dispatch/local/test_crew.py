"""Several processes to a stage on one machine: what is given to whom, and what one's death does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import warm

from harness.dispatch.ledger import Attempt, Ledger
from harness.dispatch.local import LocalWorkers, places
from harness.dispatch.local.crew import Crew
from harness.dispatch.local.places import described, problems
from harness.errors import BadInput
from harness.plan.stages import Place, Task
from harness.spec import load_study
from harness.spec.schema import DispatchSettings
from harness.store import Store

STUDY = """\
study: two
title: One model on two processes
about: A study for tests.
data: {name: glyphs, image_size: 8, channels: 1, train_images: 64}
model: {family: DiT-micro, size: S, patch_size: 8}
train: {steps: STEPS, batch_size: 8, learning_rate: 1e-3, log_every: 2, checkpoint_every: 3}
matrix: {axes: {seed: [0, 1]}}
dispatch: {executor: local, device: cpu, workers: 2, threads: 1, local: {train: 2}}
report: {sections: [gflops]}
profiles: {laptop: {}}
"""


def task(kind: str, key: str = "a" * 64) -> Task:
    return Task(kind, key, "{}", {}, {}, f"{kind} x", None, Place(device="cpu"))


class Idle(Crew):
    """A crew without processes."""

    def __init__(self, root: Path, places: list[dict[str, str]], logs: list[Path]) -> None:
        self.places, self.members = places, []
        self.key, self.leaving, self.alone, self.stage_log = None, False, False, ""


@pytest.fixture
def eight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalWorkers:
    """A machine with eight GPUs, of which training takes four; nothing is really started."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3,4,5,6,7")
    monkeypatch.setattr("harness.dispatch.local.workers.Crew", Idle)
    return LocalWorkers(tmp_path, DispatchSettings(local={"train": 4}))


def begin(workers: LocalWorkers, kind: str, key: str, alone: bool = False) -> Crew:
    attempt = Attempt("001-a", key, kind, kind, "log", "host", 1, 0.0)
    workers.start(task(kind, key), attempt, alone)
    return next(crew for crew in workers.crews if crew.key == key)


def test_smaller_stages_are_packed_beside_a_larger_one(eight: LocalWorkers) -> None:
    train = begin(eight, "train", "t1")
    assert [p["CUDA_VISIBLE_DEVICES"] for p in train.places] == ["0", "1", "2", "3"]
    assert eight.free() == 4 and eight.fits(task("train")) and eight.fits(task("sample"))
    samples = [begin(eight, "sample", f"s{i}") for i in range(2)]
    assert [len(crew.places) for crew in samples] == [1, 1]
    assert eight.free() == 2 and eight.fits(task("sample")) and not eight.fits(task("train"))
    used = [p["CUDA_VISIBLE_DEVICES"] for crew in eight.crews for p in crew.places]
    assert len(used) == len(set(used))


def test_idle_processes_make_room_for_a_stage_that_needs_more(eight: LocalWorkers) -> None:
    for i in range(8):
        begin(eight, "sample", f"s{i}")
    assert eight.free() == 0 and not eight.fits(task("train"))
    for crew in eight.crews[:5]:
        crew.key = None
    again = begin(eight, "sample", "s9")  # a warm one is taken
    assert len(eight.crews) == 8 and again in eight.crews
    begin(eight, "train", "t1")
    assert sorted(len(crew.places) for crew in eight.crews) == [1, 1, 1, 1, 4]


def test_what_ran_out_of_memory_has_its_device_to_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.setattr("harness.dispatch.local.workers.Crew", Idle)
    workers = LocalWorkers(tmp_path, DispatchSettings(workers=4))  # two on each GPU
    begin(workers, "sample", "s0")
    alone = begin(workers, "sample", "s1", alone=True)
    assert alone.devices == {"1"}
    assert workers.fits(task("sample"))
    assert begin(workers, "sample", "s2").devices == {"0"}
    assert not workers.fits(task("sample"))  # the fourth place lies beside the one alone
    on_processor = LocalWorkers(tmp_path, DispatchSettings(device="cpu", workers=3, threads=1))
    begin(on_processor, "sample", "s0")
    assert on_processor.fits(task("sample")) and not on_processor.fits(task("sample"), alone=True)


def test_each_process_is_told_its_number_and_sees_all_devices(eight: LocalWorkers) -> None:
    crew = begin(eight, "train", "t1")
    second = crew._environment(1, "12345")
    assert second["CUDA_VISIBLE_DEVICES"] == "0,1,2,3"
    assert (second["RANK"], second["LOCAL_RANK"], second["WORLD_SIZE"]) == ("1", "1", "4")
    assert (second["MASTER_ADDR"], second["MASTER_PORT"]) == ("127.0.0.1", "12345")
    assert "RANK" not in crew._environment(1, "")


def test_a_study_that_asks_for_more_than_there_is_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "two.yaml"
    file.write_text(STUDY.replace("STEPS", "4"))
    study = load_study(file)
    assert problems(study) == []
    assert "2 workers of 1 thread; train on 2 at once" in described(study)
    wide = load_study(file, overrides=("dispatch.local.train=3",))
    few, uneven = problems(wide)
    assert "dispatch.local gives train 3 devices, and this machine has 2" in few
    assert "train.batch_size 8 cannot be divided among the 3" in uneven and "1, 2, 4, 8" in uneven
    monkeypatch.setattr(places, "gpus", lambda: ["0", "1", "2", "3"])
    on_gpus = load_study(file, overrides=("dispatch.device=auto", "dispatch.workers=4"))
    assert "4 GPUs, 4 workers; train on 2 at once" in described(on_gpus)
    with pytest.raises(BadInput, match="a stage of kind evaluate is done by one process"):
        load_study(file, overrides=("dispatch.local.evaluate=2",))


def harness(python: str, folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [python, "-m", "harness", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def ranks_of(folder: Path) -> list[int]:
    """Processes of a results folder that are one of several, by their rank."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "environ").read_bytes().split(b"\0")
                here = os.readlink(entry / "cwd") == str(folder)
                worker = b"harness.dispatch.worker" in (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if here and worker and b"WORLD_SIZE=2" in words:
                rank = next(w for w in words if w.startswith(b"RANK="))
                found[int(rank.partition(b"=")[2])] = int(entry.name)
    return [found[rank] for rank in sorted(found)]


def weights(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in (folder / "results" / "artifacts" / "train").glob("*/*.safetensors")
    }


@pytest.mark.slow
def test_two_ranks_one_of_them_killed_end_bit_for_bit_where_undisturbed_ones_do(
    tmp_path: Path,
) -> None:
    found = []
    for name in ("peace", "war"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "two.yaml").write_text(STUDY.replace("STEPS", "60"))
        python = sys.executable if name == "war" else warm.python()
        run = harness(python, folder, "run", "two.yaml", "--no-report")
        if name == "war":
            until = time.monotonic() + 300
            while not list((folder / "results").glob("scratch/*/step-*")):
                assert time.monotonic() < until and run.poll() is None, run.communicate()[0]
                time.sleep(0.02)
            ranks = ranks_of(folder)
            assert len(ranks) == 2
            os.kill(ranks[1], signal.SIGKILL)
        said, _ = run.communicate(timeout=240)
        assert run.returncode == 0, said
        if name == "war":
            assert "its process 1 of 2 was killed by SIGKILL" in said and "tried again" in said
        assert ranks_of(folder) == []
        found.append(weights(folder))
    peace, war = found
    assert len(peace) == 4 and war == peace
    store = Store(tmp_path / "war" / "results")
    (key, *_) = store.committed(["train"])
    manifest = store.manifest("train", key)
    assert manifest is not None and manifest.measured is not None and manifest.measured.devices == 2
    states = sorted(
        json.loads(p.read_text())["state"]
        for p in (tmp_path / "war" / "results" / "attempts").glob("*/*.json")
        if "train" in p.read_text()
    )
    assert states == ["again", "done", "done"]
    assert len(list((tmp_path / "war" / "results" / "logs").glob("train-*/*.rank1.log"))) == 3
    assert Ledger(store.root).told() == {}


def test_the_first_process_says_what_all_of_them_used_whichever_failed() -> None:
    used = {"devices": 2, "joules": 5.0}
    crew = Idle.__new__(Idle)
    member = SimpleNamespace
    crew.members = [
        member(said=("failed", {"message": "another failed", "peer": True, "used": used})),
        member(said=("failed", {"message": "its own"})),
    ]  # type: ignore[assignment]
    assert crew.outcome() == ("failed", {"message": "its own", "used": used})
    crew.members = [member(said=("done", {"ours": False})), member(said=("done", {"ours": False}))]  # type: ignore[list-item]
    assert crew.outcome() == ("done", {"ours": False})
