"""GPUs and nodes on a real SLURM: what a profile asks for is what a task is given."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from slurm_bench import LONG, Bench

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.xdist_group("cluster b")]


def same_losses(bench: Bench, other: Path) -> None:
    """The same images, timesteps and noise at every step: what differs is rounding."""
    mine, theirs = (frames["training"] for frames in (bench.frames(), bench.frames(other)))
    assert len(mine) == len(theirs) > 1
    pd.testing.assert_frame_equal(mine[["step", "loss"]], theirs[["step", "loss"]], rtol=1e-4)


def variables_of(process: int) -> dict[str, str]:
    text = Path(f"/proc/{process}/environ").read_bytes().decode()
    return dict(v.partition("=")[::2] for v in text.split("\0"))


def test_gpus_of_a_profile_are_granted_one_process_each(bench: Bench) -> None:
    """This machine has none that torch could use: `auto` computes on the processor and says so."""
    bench.write(steps=LONG)
    driver = bench.start_training(
        "--set", "dispatch.slurm.gpus_per_node=2", "--set", "dispatch.device=auto"
    )
    job = bench.until_training()
    assert bench.cluster is not None
    shown = bench.cluster.command("scontrol", "-d", "show", "job", job)
    assert re.search(r"TresPerNode=gres:gpu:2\b", shown)
    assert re.search(r"GRES=gpu:2\(IDX:0-1\)", shown), shown
    ranks = [variables_of(process) for process in bench.all_processes_of("train")]
    assert sorted(one["SLURM_PROCID"] for one in ranks) == ["0", "1"]
    assert {one["SLURM_GPUS_ON_NODE"] for one in ranks} == {"2"}
    if Path(bench.cluster.folder / "dev" / "gpu0").is_char_device():
        (granted,) = {one["CUDA_VISIBLE_DEVICES"] for one in ranks}
        assert len(set(granted.split(","))) == 2  # which two: the cluster's choice
    bench.end(driver)
    (attempt,) = bench.attempts("train")
    log = Path(attempt["log"]).read_text()
    assert re.search(r"GPUs: (0,1|2) \(of no use: .*torch sees no NVIDIA GPU", log)
    bench.one_record_per_key(1)
    same_losses(bench, bench.undisturbed())


def test_a_study_that_demands_a_gpu_fails_where_torch_sees_none(bench: Bench) -> None:
    bench.write()
    settings = {"slurm.gpus_per_node": 1, "device": "cuda", "retries": "{environment: 0}"}
    words = [w for k, v in settings.items() for w in ("--set", f"dispatch.{k}={v}")]
    said = bench.end(bench.start_training(*words), expect=1)
    assert "torch sees no NVIDIA GPU" in said and "dispatch.device=cpu" in said
    (attempt,) = bench.attempts("train")
    assert (attempt["state"], attempt["failure"]) == ("failed", "environment")
    assert "GPUs: " in Path(attempt["log"]).read_text()


def test_two_nodes_train_what_one_process_trains_also_when_interrupted(
    bench: Bench, baseline: Any
) -> None:
    """Two processes on one node, and one on each of two nodes that are asked to stop half-way."""
    bench.write(steps=LONG)
    driver = bench.start_training(
        *("--set", "dispatch.slurm.partition=pair"),
        *("--set", "dispatch.slurm_by_kind={train: {nodes: 2}}"),
    )
    together = Bench(bench.folder / "one-node", bench.cluster, baseline)
    together.write(steps=LONG)
    job = bench.until_training()
    assert bench.cluster is not None
    nodes = [
        variables_of(process)["SLURMD_NODENAME"] for process in bench.all_processes_of("train")
    ]
    assert sorted(nodes) == ["127.0.0.1", "127.0.0.2"]
    bench.cluster.command("scancel", "--signal=USR2", job)
    two = together.start_training("--set", "dispatch.slurm_by_kind={train: {tasks_per_node: 2}}")
    bench.end(driver)
    together.end(two)
    (attempt,) = bench.attempts("train")
    assert "saved its progress" in bench.task_log()
    for log in (Path(attempt["log"]), Path(attempt["log"]).with_suffix(".rank1.log")):
        assert "resumed at step" in log.read_text()
    bench.one_record_per_key(1)
    together.one_record_per_key(1)
    bench.same_bytes(together.results)
    same_losses(bench, bench.undisturbed())
