"""The `dispatch` section: where stages run. Nothing here is part of a key."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, field_validator

from harness.components import Executor, get
from harness.spec.base import TEN_YEARS, Choice, Count, Minutes, Positive, Settings
from harness.spec.sbatch import SBATCH_OPTIONS

Named = str | dict[str, Any]  # as a study writes a component: a name, or {name: ..., its settings}
MOST = 65_535  # nodes, processes, cores: SLURM counts most of them in 16 bits
MOST_GB = 1_000_000
SlurmWord = Annotated[str, Field(pattern=r"^[^\n\r\x00]+$", max_length=1000)]


PRESET = ("dispatch", "slurm")  # the section that a site's preset lies below (harness.spec.site)


class SlurmSettings(Settings):
    """sbatch settings of one stage kind (submitit's names). `extra` passes any other parameter."""

    partition: SlurmWord | None = None
    "Partition of the jobs; null: the cluster's default."

    account: SlurmWord | None = None
    "Account that is charged for them; null: the user's default."

    qos: SlurmWord | None = None
    "Quality of service; null: the user's default."

    minutes: Annotated[Positive, Field(le=TEN_YEARS)] = 60 * 24
    "Time limit of one task, in minutes; a longer stage checkpoints and goes on in another task."

    nodes: Annotated[Positive, Field(le=MOST)] = 1
    "Nodes of a task; with more than one, or more than one GPU, training is distributed."

    gpus_per_node: Annotated[Count, Field(le=MOST)] = 1
    "GPUs of each node; 0 for kinds that compute on the CPU."

    tasks_per_node: Annotated[Positive, Field(le=MOST)] | None = None
    "Processes of each node; null: one per GPU where a kind shares its work among them, else 1."

    cpus_per_task: Annotated[Positive, Field(le=MOST)] = 8
    "CPU cores of each process."

    mem_gb: Annotated[Positive, Field(le=MOST_GB)] | None = None
    "Memory of each node, in GB; null: the cluster's default."

    constraint: SlurmWord | None = None
    "Features that a node must have: sbatch's --constraint."

    exclude: SlurmWord | None = None
    "Nodes that are not used, for example node[3-5]."

    array_parallelism: Positive = 64
    "Tasks of one job array that run at a time."

    pack: Positive | None = None
    "Stages that one task does in turn; null: 64 of complexity, 8 of evaluate, 1 of others."

    mail_user: SlurmWord | None = None
    "Address that SLURM writes to."

    mail_type: SlurmWord | None = None
    "Events at which it writes, for example END,FAIL."

    extra: dict[str, SlurmWord | int | bool] = Field(default={})
    "Any other long option of sbatch, for example {reservation: paper}."

    @field_validator("extra")
    @classmethod
    def _known_to_sbatch(cls, value: dict[str, Any]) -> dict[str, Any]:
        fixed = {name.replace("_", "-"): v for name, v in value.items()}
        unknown = sorted(set(fixed) - set(SBATCH_OPTIONS))
        if unknown:
            raise ValueError(
                f"unknown sbatch parameter {', '.join(map(repr, unknown))}; "
                f"allowed: {', '.join(SBATCH_OPTIONS)}"
            )
        return fixed

    def processes(self, kind: str) -> int:
        """Processes per node: one per GPU where a kind shares its work among them."""
        return self.tasks_per_node or (max(1, self.gpus_per_node) if kind in SHARED else 1)


StageKind = Literal[
    "reference",
    "encode",
    "complexity",
    "train",
    "sample",
    "floor",
    "ceiling",
    "evaluate",
    "subset",
]
STAGE_KINDS: tuple[str, ...] = get_args(StageKind)
SHARED = ("train", "sample", "encode")  # kinds that use one process per GPU (harness.stages)
FailureClass = Literal[  # harness.dispatch.failures says what is done about each
    "preempted",
    "timed out",
    "node failure",
    "out of memory",
    "killed",
    "lost",
    "environment",
    "error",
    "bad input",
]


class DispatchSettings(Settings):
    """Where stages run. Nothing here is part of a key."""

    executor: Annotated[Named, Choice("executor")] = "local"
    "The executor: local (this machine), slurm, or a component of your own."

    device: Literal["auto", "cpu", "cuda"] = "auto"
    "The device of all stages; auto: a GPU where there is one."

    workers: Annotated[Positive, Field(le=MOST)] | None = None
    "Worker processes of this machine; null: one per GPU, or one per two threads of CPU work."

    threads: Annotated[Positive, Field(le=MOST)] | None = None
    "CPU threads of a worker; null: cores / workers."

    local: dict[StageKind, Positive] = Field(default={})
    "Devices of this machine that share one stage, by stage kind: {train: 8}; not given: one."

    rendezvous_minutes: Minutes = 10.0
    "Minutes that the processes of a distributed stage wait for each other to start."

    exchange_minutes: Minutes = 15.0
    "Minutes without an answer after which one of them is taken for stuck."

    slurm: SlurmSettings = SlurmSettings.untouched()
    "Resources that each job asks of sbatch."

    slurm_by_kind: dict[StageKind, SlurmSettings] = Field(default={})
    "Changes to `slurm` by stage kind: {evaluate: {gpus_per_node: 1, minutes: 120}}."

    max_tasks: Positive = 1000
    "SLURM tasks (array elements) that are queued or running at once."

    gpu_hours: Annotated[float, Field(gt=0)] | None = None
    "Budget: `run` refuses to start what may take more GPU-hours; null: none."

    retries: dict[FailureClass, Count] = Field(default={})
    "Tries after the first, by class of failure: {preempted: 50}; not given: those of the class."

    trackers: tuple[Annotated[Named, Choice("tracker")], ...] = ()
    "Trackers of losses, metrics and samples: tensorboard, wandb, trackio, mlflow. Never in a key."

    notify: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    "A command as a list of words, called (no shell) when a stage has failed and when `run` ends."

    @field_validator("local")
    @classmethod
    def _can_be_shared(cls, value: dict[str, int]) -> dict[str, int]:
        for kind, count in value.items():
            if count > 1 and kind not in SHARED:
                raise ValueError(
                    f"a stage of kind {kind} is done by one process; "
                    f"several devices can share {', '.join(SHARED)}"
                )
        return value

    @property
    def component(self) -> Executor:
        """The executor, also where the study's names were not looked up yet."""
        found: Any = self.executor
        if isinstance(found, str):
            return get("executor", found)()  # type: ignore[return-value]
        return found  # type: ignore[no-any-return]

    def slurm_for(self, kind: str) -> SlurmSettings:
        """The sbatch settings of one stage kind: `slurm` with what `slurm_by_kind` gives.

        A floor or a subset is measured as evaluations are, and takes what they take where nothing
        else is said.
        """
        given_for: Mapping[str, SlurmSettings] = self.slurm_by_kind  # type: ignore[assignment]
        own = given_for.get(kind)
        if own is None and kind in ("floor", "subset"):
            own = given_for.get("evaluate")
        if own is None:
            return self.slurm
        given = {name: getattr(own, name) for name in own.model_fields_set}
        if "extra" in given:
            given["extra"] = {**self.slurm.extra, **given["extra"]}
        return self.slurm.model_copy(update=given)
