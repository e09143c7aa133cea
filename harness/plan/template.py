"""The common part of runs that differ in their seed alone, worked out once for all of them.

A matrix of 10,000 runs is a few dozen networks and recipes and many seeds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from harness.components.base import Component, uses
from harness.components.family import Family, Input
from harness.components.schedule import Schedule
from harness.plan import content, keys
from harness.plan.evaluations import Measuring, at, measuring
from harness.plan.plan import Plan
from harness.spec.study import Run

SEED = "\0"  # stands where a run's seed will


class Head(NamedTuple):
    """A train stage's canonical settings, less the step and the brace behind it, about the seed."""

    before: str
    after: str

    def of(self, seed: int) -> str:
        """The settings of a run of this seed, as far as they are the same at every step."""
        return f"{self.before}{seed}{self.after}"


class Training(NamedTuple):
    """How such runs are trained."""

    encode_text: str
    encode: str  # its key
    head: Head  # of stages that are one length's own
    trunk: Head | None  # of those that all lengths share; None: there are none
    shared: int  # how many steps they do
    steps: tuple[int, ...]  # where a checkpoint is wanted, ascending; the last is the end


@dataclass(frozen=True, slots=True)
class Template:
    """A run without its seed."""

    gflops: float | None  # strict, of one forward pass
    complexity_text: str
    complexity: str  # its key
    training: Training | None
    measuring: Measuring | None


def template(plan: Plan, run: Run) -> Template:
    """The template of a run with a family (no imported checkpoint)."""
    family = run.model.component
    assert family is not None
    given = run.given()
    arch = keys.canonical(family.architecture(given))
    flops = gflops(plan, family, given, arch)
    named = _versions([family])
    of_family = f',"components":{named}' if named else ""
    text = f'{{"architecture":{arch},"baseline":null{of_family}}}'
    return Template(
        flops,
        text,
        keys.stage_key("complexity", text, {}),
        None if run.train is None else _training(plan, run, arch),
        measuring(plan, run, flops) if run.train is not None else None,
    )


def gflops(plan: Plan, family: Family, given: Input, architecture: str) -> float | None:
    """Strict Gflops of a network; None where they are to be counted first.

    architecture: the canonical text.
    """
    found = family.gflops(given)
    if found is None:
        found = plan.counts.gflops.get(architecture)
    if found is None:
        plan.uncounted[architecture] = family, given
    return found


def _training(plan: Plan, run: Run, arch: str) -> Training:
    train = run.train
    assert train is not None
    encode = keys.canonical(content.encode(run))
    schedule: Schedule = train.schedule  # type: ignore[assignment]
    branches = schedule.horizon_matters and schedule.shared_until(train.steps) > 0
    steps = {train.steps}
    for evaluation in plan.study.evaluations.values():
        steps |= set(at(evaluation, run))
    return Training(
        encode,
        keys.stage_key("encode", encode, {}),
        _head(run, arch, horizon=True),
        _head(run, arch, horizon=False) if branches else None,
        schedule.shared_until(train.steps) if branches else 0,
        tuple(sorted(steps)),
    )


def _head(run: Run, arch: str, horizon: bool) -> Head:
    """horizon: with the length of training, where the schedule depends on it."""
    train: Any = run.train
    fields = {
        "architecture": arch,
        "flip": "true" if run.data.flip else "false",
        "recipe": keys.canonical(content.recipe(train, horizon)),
        "seed": SEED,
    }
    objective = run.objective.key_fields("objective")
    fields |= {name: keys.canonical(value) for name, value in objective.items()}
    assert run.model.component is not None
    named = _versions([run.model.component, run.objective, train.optimizer, train.schedule])
    if named:
        fields["components"] = named
    # sorted, as in the canonical text; `step` comes last
    text = "{" + ",".join([f'"{name}":{fields[name]}' for name in sorted(fields)])
    return Head(*text.split(SEED))


def _versions(components: Iterable[Component]) -> str:
    """The part of a stage's text that names components' versions; "" where there is none."""
    named = uses(components)
    return keys.canonical(named) if named else ""
