"""Jobs that wait for a person."""

from __future__ import annotations

import pytest

from harness.dispatch.slurm.stuck import meaning, notes


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("JobHeldUser", "scontrol release"),
        ("launch failed requeued held", "could not be started"),
        ("(PartitionTimeLimit)", "dispatch.slurm.minutes"),
        ("AssocMaxWallDurationPerJobLimit", "more than its account"),
        ("QOSMaxGRESPerJob", "more than its account"),
    ],
)
def test_what_does_not_pass_by_itself_has_a_meaning(reason: str, said: str) -> None:
    assert said in (meaning(reason) or "")


@pytest.mark.parametrize("reason", ["", "None", "Priority", "Resources", "QOSMaxJobsPerUserLimit"])
def test_what_passes_is_not_spoken_of(reason: str) -> None:
    assert meaning(reason) is None


def test_each_reason_is_said_once_and_again_when_it_comes_back() -> None:
    told: set[str] = set()
    held = [("7_0", "JobHeldUser"), ("7_1", "JobHeldUser"), ("8_0", "Priority")]
    (said,) = notes(held, told)
    assert said.startswith("SLURM does not start job 7_0 and 1 more (JobHeldUser): it is held")
    assert notes(held, told) == []
    assert notes([], told) == []
    assert notes(held[:1], told) == [said.replace(" and 1 more", "")]
