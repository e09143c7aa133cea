"""GPU-hours: spent by what is committed, wanted by what is missing, against the study's budget.

A stage is estimated from what measured ones of its kind took; one that cannot be estimated counts
with its whole time limit, the most one task of it can be charged. Failed attempts are not counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from harness.dispatch.slurm_batch import pack_size, processes
from harness.plan.estimate import Rates, data_of, model_of
from harness.plan.plan import Plan, Stage
from harness.spec.schema import SlurmSettings


@dataclass(frozen=True)
class GpuHours:
    """GPU-hours of a study on its cluster."""

    spent: float  # committed stages, as measured
    estimated: float  # missing stages, from measured rates
    at_most: float  # missing stages of which nothing was measured, at their time limits
    unmeasured: int  # how many those are

    @property
    def total(self) -> float:
        return self.spent + self.estimated + self.at_most


def gpus(settings: SlurmSettings) -> int:
    """GPUs of one task."""
    return settings.nodes * settings.gpus_per_node


def gpu_hours(
    plan: Plan, missing: Iterable[Stage], committed: Iterable[tuple[str, float]], rates: Rates
) -> GpuHours:
    """The sum. `committed` are (kind, measured seconds) of the study's artifacts."""
    dispatch = plan.study.settings.dispatch
    spent = sum(s / 3600 * gpus(dispatch.slurm_for(kind)) for kind, s in committed)
    estimated = at_most = 0.0
    unmeasured = 0
    for stage in missing:
        settings = dispatch.slurm_for(stage.kind)
        count = gpus(settings)
        if not count:
            continue
        seconds = rates.seconds(stage, model_of(plan, stage), data_of(plan, stage))
        if seconds is None:
            unmeasured += 1
            at_most += settings.minutes / 60 * count / pack_size(stage.kind, settings)
        else:
            # device-seconds; GPUs without a process of their own are waited for all the same
            sharing = settings.nodes * processes(stage.kind, settings)
            estimated += seconds / 3600 * count / sharing
    return GpuHours(spent, estimated, at_most, unmeasured)


def refusal(hours: GpuHours, budget: float) -> str | None:
    """Why `run` does not start, None when the budget suffices."""
    if hours.total <= budget:
        return None
    parts = [
        f"{hours.spent:,.1f} spent",
        f"{hours.estimated:,.1f} estimated from measured stages",
    ]
    if hours.unmeasured:
        parts.append(
            f"at most {hours.at_most:,.1f} for {hours.unmeasured:,} stages without measurements "
            "(their time limits)"
        )
    return (
        f"the study may take {hours.total:,.1f} GPU-hours, its budget is {budget:,.1f} "
        f"(dispatch.gpu_hours): {', '.join(parts)}. Shorten dispatch.slurm.minutes, take part of "
        "it with --only, or say --allow-over-budget"
    )
