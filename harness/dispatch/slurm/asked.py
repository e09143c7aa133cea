"""The memory that a batch's jobs ask for, and whether another try can ask for more.

It stands in batch.json: the task on the compute node says with it what is done when it was too
little.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from harness.dispatch import failures, memory
from harness.spec.schema import DispatchSettings

SETTING = "mem_gb"
OTHERS = ("mem", "mem-per-cpu", "mem-per-gpu")  # options of sbatch that say it in another way


@dataclass(frozen=True)
class Asked:
    """What jobs of one batch ask for."""

    setting: str  # where a study says how much
    gb: int | None = None  # of each node; None: the cluster's default
    fixed: str | None = None  # why no more can be asked for; None where it can

    @classmethod
    def of(cls, dispatch: DispatchSettings, kind: str, gb: int | None, refused: bool) -> Asked:
        """`gb` after growth; refused: the cluster has refused more."""
        own = dispatch.slurm_by_kind.get(kind)  # type: ignore[call-overload]
        by_kind = own is not None and own.mem_gb is not None
        setting = (
            f"dispatch.slurm_by_kind.{kind}.{SETTING}" if by_kind else f"dispatch.slurm.{SETTING}"
        )
        said = [name for name in OTHERS if name in dispatch.slurm_for(kind).extra]
        fixed = "the cluster refused more" if refused else None
        if said:
            fixed = f"dispatch.slurm.extra says it ({said[0]})"
        return cls(setting, gb, fixed)

    @classmethod
    def read(cls, about: Mapping[str, Any]) -> Asked | None:
        """As batch.json has it; None in one of an earlier version."""
        return Asked(**about["memory"]) if "memory" in about else None

    def written(self) -> dict[str, Any]:
        """For batch.json."""
        return {"memory": asdict(self)}

    def remedy(self, kind: str, message: str) -> memory.Remedy:
        """What is done when it was too little."""
        return memory.on_cluster(kind, message, self.gb, self.fixed, self.setting, failures.GROWTH)
