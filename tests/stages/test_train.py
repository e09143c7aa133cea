"""Training: killed and resumed it is bitwise the undisturbed run; what goes wrong is said."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
import warm
from torch.utils._python_dispatch import TorchDispatchMode
from training import KILLED, checkpoints_of, content, stop_after

from harness.diffusion import gaussian
from harness.diffusion.ddpm import DDPM
from harness.errors import BadInput
from harness.plan.stages import Task
from harness.stages import train
from harness.stages.train import TrainingDiverged
from harness.stages.work import Stopped
from harness.store.tables import comparable

Laboratory = Any  # conftest.py's; pytest gives it without an import


def lasting(laboratory: Laboratory, task: Task, table: str) -> list[dict[str, Any]]:
    """Rows without the columns that a second execution may change."""
    columns = comparable(table)
    return [{c: row.get(c) for c in columns} for row in laboratory.rows(task, table)]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_run_stopped_at_random_steps_is_bitwise_the_undisturbed_one(
    laboratory: Laboratory, undisturbed: Laboratory, seed: int
) -> None:
    task, dice, stops = laboratory.task("train"), random.Random(seed), 0
    while True:
        try:
            laboratory.run(task, stop_after(dice.randint(1, 6)))
            break
        except Stopped:
            stops += 1
    assert stops >= 2
    assert content(laboratory, task) == content(undisturbed, task)
    for table in ("training", "runs"):
        assert lasting(laboratory, task, table) == lasting(undisturbed, task, table)


@pytest.mark.slow
def test_a_run_killed_by_sigkill_twice_is_bitwise_the_undisturbed_one(
    laboratory: Laboratory, undisturbed: Laboratory, tmp_path: Path
) -> None:
    task = laboratory.task("train", checkpoint_every=2)
    (tmp_path / "task.json").write_text(task.to_json())
    root = str(laboratory.store.root)
    for calls in ("4", "3"):
        process = subprocess.run(
            [warm.python(), "-c", KILLED, root, str(tmp_path / "task.json"), calls],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
        )
        assert process.returncode == -signal.SIGKILL, process.stderr
    assert laboratory.store.manifest("train", task.key) is None
    assert checkpoints_of(laboratory, task)
    laboratory.run(task)
    assert content(laboratory, task) == content(undisturbed, task)
    assert lasting(laboratory, task, "training") == lasting(undisturbed, task, "training")


@pytest.mark.slow
def test_milestones_on_the_way_do_not_change_where_a_run_ends(
    laboratory: Laboratory, undisturbed: Laboratory
) -> None:
    overrides = ("evaluations.final.at=[5,12]",)
    for task in laboratory.tasks("train", *overrides):
        laboratory.run(task)
    assert content(laboratory, task) == content(undisturbed, task)


def test_a_loss_that_is_not_finite_fails_with_a_diagnosis_and_records_nothing(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = DDPM.training_losses, [0]

    def losses(*args: Any, **kwargs: Any) -> Any:
        calls[0] += 1
        found = real(*args, **kwargs)
        return {k: v * float("nan") if calls[0] == 6 else v for k, v in found.items()}

    monkeypatch.setattr(DDPM, "training_losses", losses)
    task = laboratory.task("train")
    with pytest.raises(TrainingDiverged) as caught:
        laboratory.run(task)
    for part in ("between steps 4 and 8", "last finite loss", "Learning rate 0.001", "grad_clip"):
        assert part in str(caught.value)
    assert laboratory.store.manifest("train", task.key) is None
    assert not checkpoints_of(laboratory, task)


class Reads(TorchDispatchMode):
    """Counts what makes the host wait for a GPU: values read back, sizes that depend on values."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += func in (
            torch.ops.aten._local_scalar_dense.default,
            torch.ops.aten.nonzero.default,
            torch.ops.aten.is_nonzero.default,
            torch.ops.aten.equal.default,
        )
        return func(*args, **(kwargs or {}))


@pytest.mark.slow
@pytest.mark.parametrize("setting", ["train.grad_clip=0.1", "train.precision=bf16"])
def test_no_step_between_log_lines_waits_for_the_device(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    # As on a GPU; on the CPU looking at a value is free, and progress tells the running loss.
    monkeypatch.setattr(gaussian, "_host_may_look", lambda x: False)
    monkeypatch.setattr(train.TrainingLog, "tell", lambda *_: None)
    counts = []
    for steps in (3, 12):
        task = laboratory.task(
            "train", f"train.steps={steps}", setting, log_every=100, batch_per_device=2
        )
        with Reads() as reads:
            laboratory.run(task)
        counts.append(reads.count)
    assert counts[0] == counts[1] > 0


@pytest.mark.slow
@pytest.mark.parametrize("ema", [0.0, 0.99, 0.5])
def test_the_average_starts_at_the_first_weights_and_forgets_by_its_decay(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch, ema: float
) -> None:
    weights: list[torch.Tensor] = []
    real = torch.optim.AdamW.step

    def step(self: torch.optim.AdamW, *args: Any) -> Any:
        if not weights:
            weights.append(self.param_groups[0]["params"][0].detach().clone())
        found = real(self, *args)
        weights.append(self.param_groups[0]["params"][0].detach().clone())
        return found

    monkeypatch.setattr(torch.optim.AdamW, "step", step)
    task = laboratory.task("train", f"train.ema={ema}", "train.steps=4")
    laboratory.run(task)
    average = weights[0]
    for value in weights[1:]:
        average = ema * average + (1 - ema) * value
    found = safetensors.torch.load_file(laboratory.folder(task) / "ema.safetensors")
    torch.testing.assert_close(found["x_embedder.proj.weight"], average, rtol=1e-5, atol=1e-7)


@pytest.mark.slow
def test_bf16_leaves_weights_average_and_moments_in_float32(
    laboratory: Laboratory, undisturbed: Laboratory
) -> None:
    task = laboratory.task("train", "train.precision=bf16")
    laboratory.run(task)
    state = safetensors.torch.load_file(laboratory.folder(task) / "state.safetensors")
    assert {v.dtype for v in state.values()} == {torch.float32}
    exact = undisturbed.folder(undisturbed.task("train")) / "ema.safetensors"
    ema = safetensors.torch.load_file(laboratory.folder(task) / "ema.safetensors")
    differ = [not torch.equal(ema[k], v) for k, v in safetensors.torch.load_file(exact).items()]
    assert sum(differ) > len(differ) / 2  # it was computed in another precision


def test_tf32_is_what_the_recipe_says(laboratory: Laboratory) -> None:
    for tf32 in (True, False):
        laboratory.run(laboratory.task("train", f"train.tf32={tf32}", "train.steps=1"))
        assert torch.backends.cuda.matmul.allow_tf32 is tf32
        assert torch.backends.cudnn.allow_tf32 is tf32


@pytest.mark.slow
def test_gradients_are_clipped_once_all_passes_are_added_up(laboratory: Laboratory) -> None:
    """A bound on each pass would let through up to four times as much."""
    tasks = [
        laboratory.task("train", "train.grad_clip=0.1", "train.steps=1", **place)
        for place in ({}, {"batch_per_device": 2})
    ]
    moments = []
    for task in tasks:
        laboratory.run(task)
        state = safetensors.torch.load_file(laboratory.folder(task) / "state.safetensors")
        moments.append({k: v for k, v in state.items() if k.startswith("optimizer.exp_avg.")})
        assert laboratory.rows(task, "training")[0]["grad_norm"] > 0.2  # before clipping
        shutil.rmtree(laboratory.folder(task))
    for name in moments[0]:
        torch.testing.assert_close(moments[1][name], moments[0][name], rtol=1e-3, atol=1e-6)
    norm = torch.stack([v.square().sum() for v in moments[0].values()]).sum().sqrt()
    assert float(norm) == pytest.approx(0.1 * (1 - 0.9), rel=1e-3)  # exp_avg = (1 - beta1) gradient


@pytest.mark.slow
def test_compiling_makes_one_graph_whatever_the_passes_and_dropped_labels(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torch._dynamo.testing import CompileCounter

    counter, real = CompileCounter(), torch.compile
    monkeypatch.setattr(torch, "compile", lambda model: real(model, backend=counter))
    laboratory.run(laboratory.task("train", compile=True, batch_per_device=2))
    assert counter.frame_count == 1


@pytest.mark.slow
def test_micro_batches_agree_with_the_whole_batch_to_rounding(
    laboratory: Laboratory, undisturbed: Laboratory
) -> None:
    task = laboratory.task("train", batch_per_device=2)
    laboratory.run(task)
    whole = safetensors.torch.load_file(undisturbed.folder(task) / "ema.safetensors")
    parts = safetensors.torch.load_file(laboratory.folder(task) / "ema.safetensors")
    for name in whole:
        torch.testing.assert_close(parts[name], whole[name], rtol=1e-3, atol=1e-5)
    ours, theirs = (lasting(x, task, "training")[-1]["loss"] for x in (laboratory, undisturbed))
    assert ours == pytest.approx(theirs, rel=1e-5)


def test_a_micro_batch_that_does_not_divide_the_batch_is_refused_with_those_that_do(
    laboratory: Laboratory,
) -> None:
    with pytest.raises(BadInput, match="1, 2, 4, 8"):
        laboratory.run(laboratory.task("train", batch_per_device=3))


def test_training_moves_the_weights_and_the_average_follows(undisturbed: Laboratory) -> None:
    state = safetensors.torch.load_file(
        undisturbed.folder(undisturbed.task("train")) / "state.safetensors"
    )
    name = "blocks.0.attn.qkv.weight"
    assert state[f"optimizer.step.{name}"] == 12
    assert not torch.equal(state[f"model.{name}"], state[f"ema.{name}"])


def test_sigusr2_saves_a_checkpoint_and_ends_the_stage(laboratory: Laboratory) -> None:
    task, calls = laboratory.task("train"), [0]

    def stopping() -> bool:
        calls[0] += 1
        if calls[0] == 3:
            os.kill(os.getpid(), signal.SIGUSR2)
        return False

    with pytest.raises(Stopped, match="checkpoint written at step"):
        laboratory.run(task, stopping)
    assert checkpoints_of(laboratory, task)
    assert signal.getsignal(signal.SIGUSR2) is signal.SIG_DFL


TENSORBOARD: Any = ({"name": "tensorboard"},)


def test_a_tracker_that_is_not_installed_is_a_sentence_in_the_log_and_no_failure(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    assert laboratory.run(laboratory.task("train", trackers=TENSORBOARD))
    said = capfd.readouterr().out
    assert said.count("the tracker tensorboard receives nothing more") == 1
    assert "pip install tensorboard" in said


@pytest.mark.slow
def test_tensorboard_events_are_the_training_rows(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: dict[tuple[str, int], float] = {}

    class SummaryWriter:
        def __init__(self, folder: str) -> None:
            assert "tensorboard" in folder

        def add_text(self, *_: Any) -> None: ...

        def add_scalar(self, name: str, value: float, step: int) -> None:
            told[name, step] = value

        def close(self) -> None: ...

    module = types.ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = SummaryWriter  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    task = laboratory.task("train", trackers=TENSORBOARD)
    laboratory.run(task)
    for row in laboratory.rows(task, "training"):
        assert told["train/loss", row["step"]] == row["loss"]
        assert row["utilisation"] is None  # not known of a CPU: missing, never 0
