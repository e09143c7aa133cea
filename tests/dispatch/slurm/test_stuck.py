"""Jobs that wait for a person."""

from __future__ import annotations

import pytest

from harness.dispatch.slurm.stuck import meaning, notes


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("JobHeldUser", "scontrol release"),
        ("launch failed requeued held", "could not be started"),
        ("launch failed requeued held", "`scontrol release` tries it again"),
        ("job requeued in held state", "`scontrol release` lets it go"),
        ("job_requeued_in_held_state", "`scontrol release` lets it go"),  # as scontrol writes it
        ("user env retrieval failed requeued held", "environment could not be read"),
        ("JobHoldMaxRequeue", "`scontrol release`"),
        ("(PartitionTimeLimit)", "dispatch.slurm.minutes"),
        ("ReservationDeleted", "reservation was deleted"),
        ("MaxMemPerLimit", "dispatch.slurm.mem_gb"),
        ("AssocMaxWallDurationPerJobLimit", "more than its account"),
        ("AssocMaxGRESPerNode", "more than its account"),
        ("QOSMaxGRESPerJob", "more than its account"),
        ("QOSMinGRES", "less than its quality of service"),
    ],
)
def test_what_does_not_pass_by_itself_has_a_meaning(reason: str, said: str) -> None:
    assert said in (meaning(reason) or "")


@pytest.mark.parametrize("state", ["SPECIAL_EXIT", "REQUEUE_HOLD", "RESV_DEL_HOLD"])
def test_a_state_that_a_person_ends_has_a_meaning_whatever_the_reason(state: str) -> None:
    assert "`scontrol release` lets it go" in (meaning("None", state) or "")


@pytest.mark.parametrize(
    ("reason", "state"),
    [
        *((r, "PENDING") for r in ("", "None", "Priority", "Resources", "QOSMaxJobsPerUserLimit")),
        *(("Dependency", "PENDING"), ("BeginTime", "PENDING"), ("AssocGrpCpuLimit", "PENDING")),
        ("JobHeldUser", "RUNNING"),  # as it was while it waited
        ("None", "SUSPENDED"),  # a job that SLURM has suspended for another one goes on
    ],
)
def test_what_passes_is_not_spoken_of(reason: str, state: str) -> None:
    assert meaning(reason, state) is None


def test_each_reason_is_said_once_and_again_when_it_comes_back() -> None:
    told: set[str] = set()
    held = [("7_0", "PENDING", "JobHeldUser"), ("7_1", "PENDING", "JobHeldUser")]
    special = ("9_0", "SPECIAL_EXIT", "None")
    said, other = notes([*held, ("8_0", "PENDING", "Priority"), special], told)
    assert said.startswith("SLURM does not start job 7_0 and 1 more (JobHeldUser): it is held")
    assert other.startswith("SLURM does not start job 9_0 (SPECIAL_EXIT): it is held")
    assert notes(held, told) == []
    assert notes([], told) == []
    assert notes(held[:1], told) == [said.replace(" and 1 more", "")]
