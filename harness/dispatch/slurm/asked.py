"""The memory and time that a batch's jobs ask for, and whether another try can ask for more.

It stands in batch.json: the task on the compute node says with it what is done when it was too
little.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from harness.dispatch import failures, remedies
from harness.dispatch.slurm.batch import Batch
from harness.spec.schema import DispatchSettings

OTHERS = ("mem", "mem-per-cpu", "mem-per-gpu")  # sbatch's other options for memory


@dataclass(frozen=True)
class Asked:
    """What jobs of one batch ask for."""

    minutes: int
    most: bool  # are these all the minutes that its partition grants?
    gb: int | None  # of each node; None: the cluster's default
    fixed: str | None  # why no more memory can be asked for; None where it can
    settings: dict[str, str]  # where a study says each: minutes, mem_gb

    @classmethod
    def of(cls, dispatch: DispatchSettings, batch: Batch, minutes: int, gb: int | None) -> Asked:
        """What a batch asks for, in minutes and GB, after growth."""
        said = [name for name in OTHERS if name in dispatch.slurm_for(batch.kind).extra]
        fixed = "the cluster refused more" if batch.refused else None
        if said:
            fixed = f"dispatch.slurm.extra says it ({said[0]})"
        most = batch.longest is not None and minutes >= batch.longest
        settings = {name: _setting(dispatch, batch.kind, name) for name in ("minutes", "mem_gb")}
        return cls(minutes, most, gb, fixed, settings)

    @classmethod
    def read(cls, about: Mapping[str, Any]) -> Asked | None:
        """As batch.json has it; None in one of an earlier version."""
        return Asked(**about["asked"]) if "asked" in about else None

    def written(self) -> dict[str, Any]:
        """For batch.json."""
        return {"asked": asdict(self)}

    def remedy(self, kind: str, failure: str, message: str) -> remedies.Remedy | None:
        """What is done when it was too little; None for other failures."""
        if failure == "out of memory":
            setting = self.settings["mem_gb"]
            return remedies.of_memory(kind, message, self.gb, self.fixed, setting, failures.GROWTH)
        if failure == "timed out":
            setting = self.settings["minutes"]
            return remedies.of_time(kind, self.minutes, self.most, setting, failures.GROWTH)
        return None


def _setting(dispatch: DispatchSettings, kind: str, name: str) -> str:
    own = dispatch.slurm_by_kind.get(kind)  # type: ignore[call-overload]
    if own is not None and name in own.model_fields_set:
        return f"dispatch.slurm_by_kind.{kind}.{name}"
    return f"dispatch.slurm.{name}"
