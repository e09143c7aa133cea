"""Several averages of the weights in one training, and those made of snapshots after it."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
from pathlib import Path
from typing import Any

import processes
import pytest
import safetensors.torch
import torch
import warm
from training import KILLED, checkpoints_of, stop_after

from harness.errors import BadInput
from harness.models import ema
from harness.stages import averages
from harness.stages.work import Stopped

Laboratory = Any  # conftest.py's; pytest gives it without an import

MANY = ("train.ema=[0.9,0.5,0.99]", "train.ema_snapshots.every=3")


def every_file(laboratory: Laboratory, task: Any) -> dict[str, bytes]:
    folder = laboratory.folder(task)
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*.safetensors")
    }


@pytest.fixture(scope="module")
def whole(prepared: Laboratory, tmp_path_factory: pytest.TempPathFactory) -> Laboratory:
    """The tiny run with three decays and snapshots, undisturbed."""
    laboratory = prepared.copy(tmp_path_factory.mktemp("averages"))
    laboratory.run(laboratory.task("train", *MANY))
    return laboratory


@pytest.mark.slow
def test_an_artifact_holds_each_average_and_the_snapshots_up_to_its_step(whole: Laboratory) -> None:
    names = set(every_file(whole, whole.task("train", *MANY)))
    assert names == {
        "ema.safetensors",
        "ema-0.5.safetensors",
        "ema-0.99.safetensors",
        "state.safetensors",
        *(f"snapshots/step-{step:09d}.safetensors" for step in (3, 6, 9, 12)),
    }


@pytest.mark.slow
def test_each_average_is_that_of_a_training_with_it_alone(
    whole: Laboratory, laboratory: Laboratory
) -> None:
    many = whole.folder(whole.task("train", *MANY))
    for decay, name in ((0.9, "ema"), (0.5, "ema-0.5"), (0.99, "ema-0.99")):
        task = laboratory.task("train", f"train.ema={decay}")
        laboratory.run(task)
        alone = (laboratory.folder(task) / "ema.safetensors").read_bytes()
        assert (many / f"{name}.safetensors").read_bytes() == alone


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_stopped_at_random_steps_all_averages_and_snapshots_are_bitwise_the_undisturbed_ones(
    laboratory: Laboratory, whole: Laboratory, seed: int
) -> None:
    task, dice, stops = laboratory.task("train", *MANY), random.Random(seed), 0
    while True:
        try:
            laboratory.run(task, stop_after(dice.randint(1, 6)))
            break
        except Stopped:
            stops += 1
    assert stops >= 2
    assert every_file(laboratory, task) == every_file(whole, task)


@pytest.mark.slow
def test_killed_on_the_trunk_and_on_a_tail_averages_and_snapshots_are_the_undisturbed_ones(
    prepared: Laboratory, tmp_path: Path
) -> None:
    """kill -9 of both stages of a WSD training by Muon, three decays and snapshots kept."""
    branching = (
        *MANY,
        "train.schedule={name: wsd, decay: 0.5, warmup: 2}",
        "train.optimizer=muon",
        "matrix.axes.train.steps=[8,12]",
    )
    killed = prepared.copy(tmp_path / "killed")
    undisturbed = prepared.copy(tmp_path / "undisturbed")
    tasks = killed.tasks("train", *branching, checkpoint_every=2)
    ends = [json.loads(task.settings)["step"] for task in tasks]
    assert sorted(ends) == [4, 6, 8, 12]  # two parts of the trunk, and a tail of each length
    for task, end in zip(tasks, ends, strict=True):
        undisturbed.run(task)
        if end in (4, 12):
            (tmp_path / "task.json").write_text(task.to_json())
            root = str(killed.store.root)
            process = subprocess.run(
                [warm.python(), "-c", KILLED, root, str(tmp_path / "task.json"), "4"],
                env={**os.environ, "OMP_NUM_THREADS": "1"},
                capture_output=True,
                text=True,
            )
            assert process.returncode == -signal.SIGKILL, process.stderr
            assert checkpoints_of(killed, task)
        killed.run(task)
        assert every_file(killed, task) == every_file(undisturbed, task)


@pytest.mark.slow
def test_milestones_on_the_way_do_not_change_what_is_kept(
    laboratory: Laboratory, whole: Laboratory
) -> None:
    """Steps 5 and 6: a milestone where no snapshot is due, and one where one is."""
    tasks = laboratory.tasks("train", *MANY, "evaluations.final.at=[5,6,12]")
    for task in tasks:
        laboratory.run(task)
    assert every_file(laboratory, tasks[-1]) == every_file(whole, tasks[-1])
    at_five = {n for n in every_file(laboratory, tasks[0]) if n.startswith("snapshots/")}
    assert at_five == {f"snapshots/step-{step:09d}.safetensors" for step in (3, 5)}


@pytest.mark.slow
def test_a_checkpoint_whose_snapshot_was_lost_is_not_gone_on_from(
    laboratory: Laboratory, whole: Laboratory, capsys: pytest.CaptureFixture[str]
) -> None:
    task = laboratory.task("train", *MANY, checkpoint_every=2)
    with pytest.raises(Stopped):
        laboratory.run(task, stop_after(8))
    assert checkpoints_of(laboratory, task)
    snapshots = laboratory.store.scratch(task.key) / "snapshots"
    (snapshots / averages.snapshot_of(3)).unlink()
    laboratory.run(task)
    assert "falling back to the one before" in capsys.readouterr().out
    assert every_file(laboratory, task) == every_file(whole, task)


@pytest.mark.slow
def test_an_average_made_afterwards_is_near_the_one_made_in_training(
    laboratory: Laboratory,
) -> None:
    """The middle length, from snapshots of its two neighbours, against training with it."""
    long = ("train.steps=64", "train.ema_snapshots.every=2")
    made, during = (
        laboratory.task("train", *long, f"train.ema_snapshots.lengths={lengths}")
        for lengths in ("[0.05,0.1]", "[0.07,0.1]")
    )
    for task in (made, during):
        laboratory.run(task)
    found = averages.weights_of(laboratory.store.open("train", made.key), length=0.07)
    opened = laboratory.store.open("train", during.key)
    wanted = averages.weights_of(opened, length=0.07)
    other = averages.weights_of(opened, length=0.1)
    name = "blocks.0.attn.qkv.weight"
    distance = (found[name] - wanted[name]).norm() / (other[name] - wanted[name]).norm()
    assert 0 < distance < 0.1
    assert torch.equal(found["pos_embed"], wanted["pos_embed"])  # no parameter: not averaged
    kept = safetensors.torch.load_file(
        laboratory.folder(during) / "snapshots" / averages.snapshot_of(64)
    )
    torch.testing.assert_close(wanted[name], kept[f"0.07/{name}"], rtol=1e-5, atol=1e-7)


@pytest.mark.slow
def test_power_function_averages_weigh_the_steps_by_their_profile(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights: list[torch.Tensor] = []
    real = torch.optim.AdamW.step

    def step(self: torch.optim.AdamW, *args: Any) -> Any:
        found = real(self, *args)
        weights.append(self.param_groups[0]["params"][0].detach().clone())
        return found

    monkeypatch.setattr(torch.optim.AdamW, "step", step)
    task = laboratory.task("train", *MANY)
    laboratory.run(task)
    kept = safetensors.torch.load_file(
        laboratory.folder(task) / "snapshots" / averages.snapshot_of(9)
    )
    average = torch.zeros_like(weights[0])
    for t, value in enumerate(weights[:9], start=1):
        beta = ema.power_decay(t, 0.05)
        average = beta * average + (1 - beta) * value
    torch.testing.assert_close(kept["0.05/x_embedder.proj.weight"], average, rtol=1e-5, atol=1e-7)


@pytest.mark.slow
def test_what_a_checkpoint_does_not_hold_is_refused(whole: Laboratory) -> None:
    opened = whole.store.open("train", whole.task("train", *MANY).key)
    with pytest.raises(BadInput, match=r"no average of decay 0.75.*ema-0.5.safetensors"):
        averages.weights_of(opened, decay=0.75)
    with pytest.raises(BadInput, match=r"lengths of 0.05 to 0.15 can be made, not 0.2"):
        averages.weights_of(opened, length=0.2)


@pytest.mark.slow
def test_samples_are_drawn_from_the_average_that_is_named(
    laboratory: Laboratory, whole: Laboratory
) -> None:
    laboratory = whole.copy(laboratory.root / "sampled")
    drawn = {}
    for asked in ("", "ema=0.5", "ema=0.9", "ema_length=0.06"):
        more = (f"evaluations.final.{asked}",) if asked else ()
        task = laboratory.task("sample", *MANY, "train.ema_snapshots.every=3", *more)
        laboratory.run(task)
        columns = laboratory.result(task).columns
        drawn[asked] = (task.key, (laboratory.folder(task) / "samples.npz").read_bytes())
        assert columns["ema"] == (0.5 if asked == "ema=0.5" else None)
        assert columns["ema_length"] == (0.06 if "length" in asked else None)
    assert drawn["ema=0.9"] == drawn[""]  # the first by another name
    assert len({images for _, images in drawn.values()}) == 3


@pytest.mark.slow
def test_two_processes_copies_or_shards_keep_the_averages_that_one_does(
    laboratory: Laboratory, whole: Laboratory, tmp_path: Path
) -> None:
    jobs, labs = [], {}
    for name, fsdp in (("copies", False), ("shards", True)):
        labs[name] = laboratory.copy(tmp_path / name)
        task = labs[name].task("train", *MANY, fsdp=fsdp)
        jobs.append((str(labs[name].store.root), task.to_json(), [4, 3]))
    ended = processes.do(tmp_path, jobs, start=processes.fresh)
    assert ended.codes == [0, 0], str(ended)
    wanted = whole.folder(task)
    for name, lab in labs.items():
        files = every_file(lab, task)
        assert files.keys() == every_file(whole, task).keys(), name
        for file in files:
            found = safetensors.torch.load_file(lab.folder(task) / file)
            for key, value in safetensors.torch.load_file(wanted / file).items():
                torch.testing.assert_close(found[key], value, rtol=1e-3, atol=1e-5)


@pytest.mark.slow
def test_records_say_which_average(whole: Laboratory, tmp_path: Path) -> None:
    laboratory = whole.copy(tmp_path)
    overrides = (*MANY, "evaluations.final.ema=0.99")
    for kind in ("sample", "evaluate"):
        laboratory.run(laboratory.task(kind, *overrides))
    rows = laboratory.rows(laboratory.task("evaluate", *overrides), "metrics")
    assert {row["ema"] for row in rows} == {0.99}
    recipe = rows[0]["recipe"]
    recipe = json.loads(recipe) if isinstance(recipe, str) else recipe
    assert recipe["more_ema"] == [0.99, 0.5]
    assert recipe["ema_snapshots"] == {"every": 3, "lengths": [0.05, 0.1]}
