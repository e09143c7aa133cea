"""GPU-hours: spent by what is committed, lost with what failed, wanted by what is missing, against
the study's budget.

A stage is estimated from what measured ones of its kind took; one that cannot be estimated counts
with its whole time limit, the most one task of it can be charged. What an attempt took before it
failed, was stopped or was lost is known from the ledger, up to its last sign of life.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from harness.components.executor import Share
from harness.dispatch.executors import executor_of, given_to
from harness.dispatch.ledger import Attempt
from harness.plan.estimate import Rates, data_of, model_of
from harness.plan.plan import Plan, Stage
from harness.spec.schema import STAGE_KINDS


@dataclass(frozen=True)
class GpuHours:
    """GPU-hours of a study on its cluster."""

    spent: float  # committed stages, as measured
    estimated: float  # missing stages, from measured rates
    at_most: float  # missing stages of which nothing was measured, at their time limits
    unmeasured: int  # how many those are
    lost: float = 0.0  # attempts that left no artifact

    @property
    def total(self) -> float:
        """GPU-hours spent and to come."""
        return self.spent + self.lost + self.estimated + self.at_most


@dataclass(frozen=True)
class Spent:
    """Time that attempts have taken, in seconds of a worker or task and in GPU-hours."""

    kept_s: float = 0.0  # of attempts that ended with their stage's artifact
    lost_s: float = 0.0  # of those that failed, were stopped or lost; checkpoints may have survived
    kept_gpu_hours: float = 0.0
    lost_gpu_hours: float = 0.0
    untimed: int = 0  # stages that are done, and no attempt here did them


def spent(plan: Plan, history: Mapping[str, list[Attempt]], done: Collection[str] = ()) -> Spent:
    """The ended ones of all attempts, by stage (Ledger.history). done: keys of stages that are."""
    given = Given(plan)
    sums = {True: [0.0, 0.0], False: [0.0, 0.0]}
    for attempts in history.values():
        for attempt in attempts:
            found = sums[attempt.state == "done"]
            found[0] += attempt.seconds
            found[1] += given.gpu_hours(attempt) or 0.0
    timed = {key for key, attempts in history.items() if any(a.state == "done" for a in attempts)}
    untimed = sum(key not in timed for key in done)
    return Spent(sums[True][0], sums[False][0], sums[True][1], sums[False][1], untimed)


class Given:
    """The GPUs that attempts had: those that a queue gave, where a plan says how many, used or not;
    those that they used themselves elsewhere."""

    def __init__(self, plan: Plan | None) -> None:
        self.plan = plan
        self._shares: dict[tuple[str | None, str], Share | None] = {}

    def devices(self, attempt: Attempt) -> int | None:
        """How many; None: that is not known."""
        share = self._share(attempt) if self.plan and attempt.batch is not None else None
        return attempt.devices if share is None else share.devices

    def _share(self, attempt: Attempt) -> Share | None:
        assert self.plan is not None
        at = (attempt.executor, attempt.kind)
        if at not in self._shares:
            queue = given_to(attempt)
            self._shares[at] = queue.share(self.plan.study, attempt.kind) if queue else None
        return self._shares[at]

    def gpu_hours(self, attempt: Attempt) -> float | None:
        """The attempt's time by its GPUs, each counted whole although stages may share one; None:
        that is not known."""
        devices = self.devices(attempt)
        return None if devices is None else attempt.seconds / 3600 * devices


def shares(plan: Plan, kind: str) -> Share:
    """The resources of one task of a stage kind; none, where no budget is kept."""
    return executor_of(plan.study).share(plan.study, kind) or Share(0)


def gpu_hours(
    plan: Plan,
    missing: Iterable[Stage],
    committed: Iterable[tuple[str, float]],
    rates: Rates,
    lost: float = 0.0,
) -> GpuHours:
    """The sum. `committed` are (kind, measured seconds) of artifacts, `lost` Spent's GPU-hours."""
    given = {kind: shares(plan, kind) for kind in STAGE_KINDS}
    kept = sum(s / 3600 * given[kind].devices for kind, s in committed)
    estimated = at_most = 0.0
    unmeasured = 0
    for stage in missing:
        share = given[stage.kind]
        count = share.devices
        if not count:
            continue
        seconds = rates.seconds(stage, model_of(plan, stage), data_of(plan, stage))
        if seconds is None:
            unmeasured += 1
            at_most += share.minutes / 60 * count / share.stages
        else:
            # device-seconds; GPUs without a process of their own are waited for all the same
            estimated += seconds / 3600 * count / share.processes
    return GpuHours(kept, estimated, at_most, unmeasured, lost)


def refusal(hours: GpuHours, budget: float) -> str | None:
    """Why `run` does not start, None when the budget suffices."""
    if hours.total <= budget:
        return None
    parts = [
        f"{hours.spent:,.1f} spent on what is done",
        f"{hours.estimated:,.1f} estimated from measured stages",
    ]
    if hours.lost:
        parts.insert(1, f"{hours.lost:,.1f} spent on attempts that failed or were stopped")
    if hours.unmeasured:
        parts.append(
            f"at most {hours.at_most:,.1f} for {hours.unmeasured:,} stages without measurements "
            "(their time limits)"
        )
    return (
        f"the study may take {hours.total:,.1f} GPU-hours, its budget is {budget:,.1f} "
        f"(dispatch.gpu_hours): {', '.join(parts)}. Nothing was started. Shorten "
        "the tasks' time limits, take part of it with --only, or say --allow-over-budget"
    )
