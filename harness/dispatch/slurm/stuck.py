"""Jobs that wait for a person: what SLURM's word for it means.

`run` says it once while it waits, `status` whenever it is asked.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

HELD = "it is held; `scontrol release` lets it go"
LOST = "it could not be started on its node"
LIMIT = "it asks for more than its account may have in one job"
LESS = "it asks for less than its quality of service wants in one job"
# states in which a job waits whatever its reason is
STATES = {
    "SPECIAL_EXIT": HELD,
    "REQUEUE_HOLD": HELD,
    "RESV_DEL_HOLD": "its reservation was deleted, and it is held; `scontrol release` lets it go",
}
# What a job waits for that SLURM has put back into the queue time and again before it began; its
# own word, BeginTime, passes by itself.
AGAIN = "requeued before it began"
# squeue's reasons, which pass when somebody does something and not before
MEANING = {
    "jobhelduser": HELD,
    "jobheldadmin": "an administrator holds it",
    "job requeued in held state": HELD,
    "launch failed requeued held": f"{LOST}, and is held since; `scontrol release` tries it again",
    "user env retrieval failed requeued held": (
        f"{LOST}, because its environment could not be read there, and is held since; "
        "`scontrol release` tries it again"
    ),
    "joblaunchfailure": LOST,
    "jobholdmaxrequeue": "it went back into the queue too often, and is held since; "
    "`scontrol release` tries it again",
    AGAIN: (
        "SLURM has started it more than once, and put it back into the queue each time before it "
        "began, which may go on for ever: its controller or its node may not know your user "
        f"({os.getuid()}), or not the folders of its script; `scontrol show job` says how often "
        "(Restarts), and who looks after the cluster finds out why"
    ),
    "reservationdeleted": "its reservation was deleted (dispatch.slurm.extra)",
    "deadline": "it cannot end before its deadline (dispatch.slurm.extra)",
    "maxmemperlimit": "it asks for more memory than is granted (dispatch.slurm.mem_gb)",
    "partitionconfig": "its partition does not grant what it asks for (dispatch.slurm)",
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


def meaning(reason: str, state: str = "PENDING") -> str | None:
    """What a job waits for that comes only when somebody does something; None for the rest."""
    if state != "PENDING":
        return STATES.get(state)
    word = reason.strip("() ").lower().replace("_", " ")
    if word in MEANING:
        return MEANING[word]
    if word.startswith("qosmin"):
        return LESS
    limit = word.startswith(("assoc", "qos"))
    return LIMIT if limit and re.search(r"per(job(limit)?|node)$", word) else None


def notes(reasons: Iterable[tuple[str, str, str]], told: set[str]) -> list[str]:
    """(job, state, reason) of elements as sentences, one per reason; `told` keeps those said."""
    found: dict[str, list[str]] = {}
    meanings: dict[str, str] = {}
    for job, state, reason in reasons:
        if (means := meaning(reason, state)) is not None:
            word = reason if state == "PENDING" else state
            meanings[word] = means
            found.setdefault(word, []).append(job)
    said = []
    for word, jobs in found.items():
        if word not in told:
            more = f" and {len(jobs) - 1:,} more" if len(jobs) > 1 else ""
            said.append(f"SLURM does not start job {jobs[0]}{more} ({word}): {meanings[word]}")
    told.intersection_update(found)  # said again when it comes again
    told.update(found)
    return said
