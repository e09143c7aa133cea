"""SLURM as a component: `dispatch.executor: slurm`."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path
from typing import Any, ClassVar, Literal

from harness.components.executor import Executor, Share


class Slurm(Executor):
    """A SLURM cluster: stages become elements of job arrays, which outlive `run`.

    Its settings stand in `dispatch.slurm` and `dispatch.slurm_by_kind`.
    """

    name: ClassVar[str] = "slurm"
    policy: ClassVar[Literal["pool", "queue"]] = "queue"
    title: ClassVar[str] = "SLURM"

    def open(self, root: Path, study: Any) -> Any:
        from harness.dispatch.slurm.jobs import SlurmJobs

        return SlurmJobs(root, study)

    def check(self, study: Any) -> list[str]:
        if shutil.which("sbatch") is not None:
            return []
        return [
            f"sbatch is not on the PATH of {socket.gethostname()}: SLURM was asked for "
            "(dispatch.executor). Start it on a login node of the cluster, or run it on this "
            "machine with --executor local"
        ]

    def check_results(self, root: Path) -> list[str]:
        from harness.dispatch.slurm.script import path_problem

        problem = path_problem(root.resolve())
        return [] if problem is None else [problem]

    def processes(self, study: Any, kind: str) -> int:
        settings = study.settings.dispatch.slurm_for(kind)
        return int(settings.nodes * settings.processes(kind))

    def reachable(self) -> bool:
        return shutil.which("squeue") is not None

    def watch(self, root: Path, study: Any) -> Any:
        from harness.dispatch.slurm.cluster import Cluster
        from harness.dispatch.slurm.jobs import SlurmJobs

        return SlurmJobs(root, study, Cluster(tries=2))

    def share(self, study: Any, kind: str) -> Share:
        from harness.dispatch.slurm.batch import pack_size

        settings = study.settings.dispatch.slurm_for(kind)
        return Share(
            devices=settings.nodes * settings.gpus_per_node,
            processes=settings.nodes * settings.processes(kind),
            stages=pack_size(kind, settings),
            minutes=settings.minutes,
        )

    def printed(self, root: Path, batch: str, index: int | None) -> Path | None:
        files = sorted((root / "slurm" / batch).glob(f"*_{index}_[0-9]*_log.err"))
        return next((path for path in files if path.stat().st_size), None)
