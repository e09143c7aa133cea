"""The dispatch section: whose settings count for which stage kind, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from small_study import GOOD, problems
from verbs import Said

from harness.spec.dispatching import DispatchSettings, SlurmSettings


@pytest.mark.slow
def test_an_unknown_sbatch_parameter_is_refused_with_the_valid_ones(verb: Said) -> None:
    code, said = verb("run", "tiny.yaml", "--set", "dispatch.slurm.extra.reservatoin=x")
    assert code == 2
    assert "unknown sbatch parameter 'reservatoin'" in said
    assert "reservation" in said and "licenses" in said
    code, said = verb("run", "tiny.yaml", "--set", "dispatch.slurm.partitoin=x")
    assert code == 2 and "did you mean 'partition'" in said and "array_parallelism" in said


def dispatch(**given: Any) -> DispatchSettings:
    return DispatchSettings.model_validate(given)


def test_a_kind_takes_what_it_is_given_and_the_rest_from_all() -> None:
    asked = dispatch(
        slurm={"partition": "long", "minutes": 60, "extra": {"reservation": "paper"}},
        slurm_by_kind={"evaluate": {"minutes": 5, "extra": {"nice": 10}}, "train": {}},
    )
    assert asked.slurm_for("sample") == asked.slurm_for("train") == asked.slurm
    evaluate = asked.slurm_for("evaluate")
    assert (evaluate.partition, evaluate.minutes) == ("long", 5)
    assert evaluate.extra == {"reservation": "paper", "nice": 10}
    assert asked.slurm_for("floor") == evaluate  # it is measured in the same way
    own = dispatch(slurm_by_kind={"evaluate": {"minutes": 5}, "floor": {"minutes": 9}})
    assert own.slurm_for("floor").minutes == 9


@pytest.mark.parametrize(
    ("kind", "given", "processes"),
    [
        ("train", {"gpus_per_node": 8}, 8),
        ("train", {"gpus_per_node": 0}, 1),
        ("evaluate", {"gpus_per_node": 8}, 1),  # which shares its work with nobody
        ("evaluate", {"gpus_per_node": 8, "tasks_per_node": 2}, 2),
    ],
)
def test_a_node_has_a_process_per_gpu_where_a_kind_shares_its_work(
    kind: str, given: dict[str, Any], processes: int
) -> None:
    assert SlurmSettings.model_validate(given).processes(kind) == processes


def test_devices_are_shared_by_kinds_that_can(tmp_path: Path) -> None:
    assert dispatch(local={"train": 8, "evaluate": 1}).local == {"train": 8, "evaluate": 1}
    found = problems(tmp_path, GOOD + "dispatch: {local: {evaluate: 2}}\n")
    assert "a stage of kind evaluate is done by one process" in found[0]
    assert "several devices can share train, sample, encode" in found[0]


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("{slurm: {minutes: 0}}", "dispatch.slurm.minutes is 0"),
        ('{slurm: {partition: "a\\nb"}}', "dispatch.slurm.partition"),
        ("{slurm_by_kind: {trian: {}}}", "dispatch.slurm_by_kind"),
        ("{retries: {explosion: 3}}", "dispatch.retries"),
        ("{gpu_hours: 0}", "dispatch.gpu_hours is 0"),
        ("{executor: slrum}", "dispatch.executor is 'slrum' (did you mean 'slurm'?)"),
    ],
)
def test_what_nobody_can_dispatch_by_is_refused_with_its_line(
    section: str, said: str, tmp_path: Path
) -> None:
    found = problems(tmp_path, GOOD + f"dispatch: {section}\n")
    assert found[0].startswith("study.yaml:20: ") and said in found[0], found


def test_the_executor_is_known_by_its_name() -> None:
    assert dispatch(executor="slurm").component.policy == "queue"
    assert dispatch().component.policy == "pool"
