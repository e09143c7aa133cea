"""Jobs that wait for a person: what SLURM's word for it means, said once while `run` waits."""

from __future__ import annotations

from collections.abc import Iterable

HELD = "it is held; `scontrol release` lets it go"
# squeue's reasons, which pass when somebody does something and not before
MEANING = {
    "jobhelduser": HELD,
    "jobheldadmin": "an administrator holds it",
    "launch failed requeued held": "it could not be started on its node, and is held since",
    "joblaunchfailure": "it could not be started on its node",
    "jobholdmaxrequeue": "it went back into the queue too often, and is held since",
    "badconstraints": "no node is as it asks (dispatch.slurm.constraint, gpus_per_node, mem_gb)",
    "partitiondown": "its partition is down",
    "partitioninactive": "its partition is inactive",
    "partitiontimelimit": "its partition grants less time (dispatch.slurm.minutes)",
    "partitionnodelimit": "its partition has fewer nodes (dispatch.slurm.nodes)",
    "invalidaccount": "its account cannot be used (dispatch.slurm.account)",
    "accountnotallowed": "its account may not use this partition (dispatch.slurm.account)",
    "invalidqos": "its quality of service is unknown (dispatch.slurm.qos)",
    "qosnotallowed": "its quality of service may not be used there (dispatch.slurm.qos)",
}


def meaning(reason: str) -> str | None:
    """What a reason means that passes only when somebody does something; None for the others."""
    word = reason.strip("() ").lower()
    if word in MEANING:
        return MEANING[word]
    limit = word.startswith(("assoc", "qos")) and word.endswith(("perjoblimit", "perjob"))
    return "it asks for more than its account may have in one job" if limit else None


def notes(reasons: Iterable[tuple[str, str]], told: set[str]) -> list[str]:
    """(job, reason) of waiting elements as sentences, one per reason; `told` keeps those said."""
    found: dict[str, list[str]] = {}
    for job, reason in reasons:
        if meaning(reason) is not None:
            found.setdefault(reason, []).append(job)
    said = []
    for reason, jobs in found.items():
        if reason not in told:
            more = f" and {len(jobs) - 1:,} more" if len(jobs) > 1 else ""
            said.append(f"SLURM does not start job {jobs[0]}{more} ({reason}): {meaning(reason)}")
    told.intersection_update(found)  # said again when it comes again
    told.update(found)
    return said
