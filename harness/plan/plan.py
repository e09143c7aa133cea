"""From a study's runs to stages in dependency order, each with its key and cost.

A training run is a chain of `train` stages, one per milestone that some evaluation needs. The key
of the checkpoint at step n does not depend on which milestones lie before it, so a study of 400K
steps and one of 7M share their first 400K.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import NoneType
from typing import Any, NamedTuple

from harness.components.family import Family, Input
from harness.plan import keys
from harness.plan.counts import Counts
from harness.plan.stages import STAGE_SETTINGS, Place, Task, opened
from harness.spec.study import Study


@dataclass(slots=True, eq=False)
class Stage:
    """One unit of work. `inputs` are in the key; `after` only orders (and informs)."""

    kind: str
    key: str
    settings: str  # canonical JSON
    inputs: dict[str, str]
    after: dict[str, str]
    words: tuple[str, ...]  # of the label
    gflops: float | None
    run: int | None = None  # index of the first run that needs it
    evaluation: str | None = None

    @property
    def label(self) -> str:
        """For people: "train DiT-S/8 to 400,000". Put together when asked for."""
        return "".join((self.kind, " ", *self.words))

    @property
    def needs(self) -> set[str]:
        """Keys that must be committed before this stage starts."""
        return {*opened(self.inputs, self.after).values(), *self.after.values()}


class Measurement(NamedTuple):
    """One wanted evaluation of one run: which stages give it."""

    run: int
    evaluation: str
    step: int
    sampling_steps: int
    guidance_scale: float
    checkpoint: str
    sample: str
    evaluate: str


@dataclass
class Plan:
    """A study's stages by key, in dependency order."""

    study: Study
    stages: dict[str, Stage] = field(default_factory=dict)
    measurements: list[Measurement] = field(default_factory=list)
    # floors and ceilings, which stand beside numbers: key -> evaluations
    floors: dict[str, dict[str, None]] = field(default_factory=dict)
    # where the floor has fewer images than samples: measurement of so many samples -> of all
    subsets: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)  # what is not planned, and why
    run_ids: list[str | None] = field(default_factory=list)
    # (key of the data, settings) of a trunk that runs of several lengths share -> its stages' steps
    trunks: dict[tuple[str, str], tuple[int, ...]] = field(default_factory=dict)
    branched_gflops: float = 0.0  # of training trunks and the branches that leave them
    apart_gflops: float = 0.0  # of training the same runs each from its beginning
    counts: Counts = field(default_factory=Counts)  # of networks without a formula
    # canonical architecture -> a network whose Gflops neither a formula nor `counts` tells
    uncounted: dict[str, tuple[Family, Input]] = field(default_factory=dict)
    _made: dict[Any, Any] = field(default_factory=dict)
    _kept: list[Any] = field(default_factory=list)

    # --- building -------------------------------------------------------------------------------

    def add(
        self,
        kind: str,
        settings: str,
        inputs: dict[str, str],
        words: tuple[str, ...],
        gflops: float | None = None,
        after: dict[str, str] | None = None,
        run: int | None = None,
        evaluation: str | None = None,
        key: str | None = None,
    ) -> str:
        """Add a stage unless its key is there already; return the key. `words`: of its label."""
        key = key or keys.stage_key(kind, settings, inputs)
        if key not in self.stages:
            self.stages[key] = Stage(
                kind, key, settings, inputs, after or {}, words, gflops, run, evaluation
            )
        return key

    def computed_once(self, what: tuple[Any, ...], make: Callable[[], Any]) -> Any:
        """`make()`, computed once per identity of the objects in `what`."""
        ids = tuple([o if isinstance(o, (int, str, NoneType)) else id(o) for o in what])
        if ids not in self._made:
            self._kept.append(what)  # an id is only good while its object lives
            self._made[ids] = make()
        return self._made[ids]

    def drop(self, keys: Sequence[str], note: str) -> None:
        """Leave out stages that no other needs, and say why.

        Without a floor no samples are measured at its number.
        """
        gone = {self.stages[key].inputs.get("reference") for key in keys if key in self.floors}
        subsets = [k for k in self.subsets if self.stages[k].inputs["reference"] in gone]
        for key in [*keys, *subsets]:
            self.stages.pop(key, None)
            self.floors.pop(key, None)
            self.subsets.pop(key, None)
        self.notes.append(note)

    # --- asking ---------------------------------------------------------------------------------

    def select(self, only: Iterable[str] = (), skip: Iterable[str] = ()) -> list[Stage]:
        """Stages that match `only` with all they need, less `skip` and all that needs those.

        A pattern is a stage kind, a key's beginning (6 digits or more), or text of the label with
        * and ? as wild cards. Evaluations bring what stands beside their numbers:
        floors, ceilings and subsets.
        """
        only, skip = list(only), list(skip)
        if not only and not skip:
            return list(self.stages.values())
        wanted = {k for k, s in self.stages.items() if not only or matches(s, only)}
        for key in reversed(list(self.stages)):
            if key in wanted:
                wanted |= self.stages[key].needs & self.stages.keys()
        measured = {
            (stage.inputs.get("reference"), stage.evaluation)
            for key, stage in self.stages.items()
            if key in wanted and stage.kind == "evaluate"
        }
        for key, names in self.floors.items():
            reference = self.stages[key].inputs["reference"]
            if any((reference, name) in measured for name in names):
                wanted.add(key)
        wanted |= {key for key, whole in self.subsets.items() if whole in wanted}
        skipped: set[str] = set()
        for key, stage in self.stages.items():
            if (skip and matches(stage, skip)) or stage.needs & skipped:
                skipped.add(key)
        return [s for k, s in self.stages.items() if k in wanted and k not in skipped]

    def task(self, stage: Stage) -> Task:
        """The stage with everything its executor needs."""
        return Task(
            stage.kind,
            stage.key,
            stage.settings,
            stage.inputs,
            stage.after,
            stage.label,
            stage.gflops,
            self.computed_once(("place", stage.run, stage.evaluation), lambda: self.place(stage)),
        )

    def place(self, stage: Stage) -> Place:
        """Paths, device and sizes for one stage, from the study's settings."""
        settings = self.study.settings
        run = self.study.runs[stage.run] if stage.run is not None else None
        data = run.data if run else settings.data
        autoencoder = run.autoencoder if run else settings.autoencoder
        train = run.train if run else settings.train
        source: Any = data.source
        evaluation = self.study.evaluations.get(stage.evaluation or "")
        reference = self.study.reference_of(stage.evaluation)
        return Place(
            device=settings.dispatch.device,
            threads=settings.dispatch.threads,
            data_path=data.path,
            held_out_path=data.held_out if isinstance(data.held_out, str) else None,
            images_expected=None if source.made else data.train_images,
            train_images=data.train_images if source.made else None,
            max_corrupt=data.max_corrupt,
            autoencoder_weights=autoencoder.weights,
            extractor_weights=reference.extractor_weights if reference else None,
            statistics=reference.statistics if reference else None,
            batch_per_device=train.batch_per_device if train else None,
            batch_size=evaluation.batch_size if evaluation else 125,
            compile=train.compile if train else False,
            checkpointing=train.checkpointing if train else False,
            log_every=train.log_every if train else 100,
            checkpoint_minutes=train.checkpoint_minutes if train else 10.0,
            checkpoint_every=train.checkpoint_every if train else None,
            keep_checkpoints=train.keep_checkpoints if train else 2,
            fsdp=train.fsdp if train else False,
            trackers=self._trackers(train),
            study=self.study.name,
            evaluation=stage.evaluation,
            rendezvous_minutes=settings.dispatch.rendezvous_minutes,
            exchange_minutes=settings.dispatch.exchange_minutes,
            model=run.model.label if run else None,
            family=run.model.family if run else None,
            facts=run.model.facts if run else {},
            own=self._own(run, train, reference, evaluation),
            components=tuple(file.described() for file in self.study.components),
        )

    def _trackers(self, train: Any) -> tuple[dict[str, Any], ...]:
        """`dispatch.trackers`, and TensorBoard where `train.tensorboard` asks for it."""
        named: dict[str, dict[str, Any]] = {}
        if train is not None and train.tensorboard:
            named["tensorboard"] = {"name": "tensorboard"}
        for tracker in self.study.settings.dispatch.trackers:
            found: Any = tracker
            named[found.name] = {"name": found.name, **found.model_dump(mode="json")}
        return tuple(named.values())

    def _own(self, run: Any, train: Any, reference: Any, evaluation: Any) -> dict[str, Any]:
        """Settings of components that are in no key, by role."""
        named: dict[str, Any] = {}
        if run is not None:
            named |= {
                "source": run.data.source,
                "autoencoder": run.codec,
                "objective": run.objective,
            }
            named["family"] = run.model.component
        if train is not None:
            named |= {"optimizer": train.optimizer, "schedule": train.schedule}
        if reference is not None:
            named["extractor"] = reference.extractor
        if evaluation is not None:
            named["sampler"] = evaluation.sampler
        found = {role: c.places() for role, c in named.items() if c is not None}
        return {role: settings for role, settings in found.items() if settings}


def critical_path(stages: Mapping[str, Stage]) -> dict[str, float]:
    """Gflops of the longest chain that starts with each stage, parents before children."""
    after: dict[str, list[str]] = {}
    for key, stage in stages.items():
        for need in stage.needs:
            after.setdefault(need, []).append(key)
    weight: dict[str, float] = {}
    for key in reversed(list(stages)):
        own = stages[key].gflops or 0.0
        weight[key] = own + max((weight[k] for k in after.get(key, ())), default=0.0)
    return weight


def matches(stage: Stage, patterns: Iterable[str]) -> bool:
    """Is the stage one of those that `patterns` (see Plan.select) name?"""
    return any(
        stage.kind == p
        if p in STAGE_SETTINGS  # a kind is that kind, whatever labels say
        else (len(p) >= 6 and stage.key.startswith(p))
        or fnmatch.fnmatchcase(stage.label, p if "*" in p or "?" in p else f"*{p}*")
        for p in patterns
        if p.strip()  # an unset variable of a shell names nothing, and not everything
    )
