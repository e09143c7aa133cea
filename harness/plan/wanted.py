"""Decides which stages of a plan are to do, backwards from what is wanted. Pure.

Wanted are measurements (evaluate stages), floors, operation counts, the train stages that end a
run, the samples that a section of the report shows, and of a part of a study whatever nothing else
of it needs. A stage is done when it is committed, its payload kept or pruned. One that is not done
is to do only when something wanted is not done without it. Samples and checkpoints that were
deleted after what they were made for are not made again: a last checkpoint or a shown sample that
was there before, and is gone, is only reported as gone.

A train stage starts from the latest committed checkpoint on its own trajectory: the same run, an
earlier step (with a schedule that depends on the horizon: the same horizon, which is in the run's
identity).

An evaluation that lacks a metric is asked for again under another key. It takes over what an
earlier one of the same samples measured, and measures the new metric alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from harness.plan import keys
from harness.plan.plan import Measurement, Plan, Stage
from harness.plan.stages import Task, opened

BESIDE = ("floor", "ceiling", "subset")  # kinds that stand beside numbers
NUMBERS = ("evaluate", "complexity", *BESIDE)  # kinds that are wanted for themselves


@dataclass(frozen=True)
class Work:
    """A plan's stages, by what is to be done about them. Stages are in the plan's order."""

    done: set[str]  # committed, or pruned and not needed again
    todo: list[Stage] = field(default_factory=list)
    remade: list[Stage] = field(default_factory=list)  # of those: what was there and was removed
    restarted: list[Stage] = field(default_factory=list)  # train again what they could go on from
    gone: list[Stage] = field(default_factory=list)  # last checkpoints, shown samples: removed
    unneeded: set[str] = field(default_factory=set)  # neither done nor to do
    read: set[str] = field(default_factory=set)  # done, and something wanted reads it

    def counted(self, stages: Iterable[Stage]) -> list[Stage]:
        """Those of `stages` that count: done or to do, the latter as they will be done."""
        if not self.done and not self.unneeded:
            return list(self.todo)
        todo = {s.key: s for s in self.todo}
        return [todo.get(s.key, s) for s in stages if s.key in self.done or s.key in todo]


@dataclass(frozen=True)
class Checkpoint:
    """A committed train stage."""

    run: str  # keys.run_id
    step: int
    key: str


def decide(
    plan: Plan,
    stages: Sequence[Stage],
    committed: Collection[str],
    pruned: Collection[str] = (),
    made: Collection[str] = (),
    damaged: Collection[str] = (),
    checkpoints: Callable[[], Iterable[Checkpoint]] = lambda: (),
    earlier: Callable[[Sequence[Stage]], Mapping[str, tuple[str, str]]] = lambda stages: {},
    stateless: Collection[Checkpoint] = (),
) -> Work:
    """Decide what is to be done of `stages`, a selection of the plan's in its order.

    committed: keys whose payload is there; pruned: those whose manifest and rows alone are. made:
    what is known to have been there before, besides what something committed was made of; damaged:
    what is gone because it was damaged, which is made again without asking. checkpoints:
    committed ones of this and other studies, asked for only when there is something to train.
    earlier: of evaluations to do, the role and key of the committed one that each goes on from.
    stateless: committed checkpoints without the state that training goes on from.
    """
    chosen = {s.key: s for s in stages}
    if not (pruned or made or chosen.keys() & committed) and not any(True for _ in checkpoints()):
        return Work(done=set(), todo=list(stages))  # a new study, however large
    here = {key for key in chosen if key in committed}
    kept = {key for key in chosen if key in pruned and key not in here}
    kinds = {*NUMBERS}
    if not any(s.kind == "floor" for s in stages):
        kinds.add("reference")  # its rows are the floor, where that has no stage of its own
    numbers = {k for k, s in chosen.items() if s.kind in kinds}
    shown = _shown(plan)
    if len(here) == len(chosen):
        return Work(done=here, read=here & (numbers | shown))
    before = here | kept | {key for key in chosen if key in made}
    # A number that was removed is measured again without a question, from what it is measured of.
    removed = (_made_before(chosen, before) | before) - numbers - {*damaged} - here | kept
    needed = {k for s in stages for roles in (s.inputs, s.after) for k in roles.values()}
    first = [k for k in chosen if k not in needed or k in numbers]
    last = _last_checkpoints(chosen) | shown
    wanted = first + [k for k in chosen if k in last and k not in removed]
    # These are measured beside what is there: nothing that was removed is made again for it.
    late = {
        k
        for k in wanted
        if (chosen[k].kind in BESIDE or k in shown)
        and any(i in removed for i in chosen[k].inputs.values())
    }
    starts = Starts(plan, here, removed, checkpoints, stateless)
    again = [
        s
        for key, s in chosen.items()
        if s.kind == "evaluate"
        and key not in here | kept
        and (s.inputs["samples"] in here or s.inputs["samples"] in removed)
    ]
    before_them = earlier(again) if again else {}
    todo: dict[str, Stage] = {}
    pending = [key for key in wanted if key not in kept and key not in late]
    while pending:
        key = pending.pop()
        if key not in todo and key not in here and key in chosen:
            stage = chosen[key]
            if key in before_them:
                role, other = before_them[key]
                stage = replace(stage, after={**stage.after, role: other})
            stage = todo[key] = starts.of(stage) if stage.kind == "train" else stage
            pending += opened(stage.inputs, stage.after).values()
            pending += stage.after.values()
    for key in late - here - kept:
        if all(i in here or i in todo for i in chosen[key].inputs.values()):
            todo[key] = chosen[key]
    remaining = {key: todo[key] for key in chosen if key in todo}
    done = (here | kept) - remaining.keys()
    todos = remaining.values()
    reads = {k for s in todos for k in s.needs}
    gone = (last & removed | late & shown) - done - todo.keys()
    return Work(
        done=done,
        todo=list(remaining.values()),
        remade=[s for k, s in remaining.items() if k in removed],
        restarted=[s for s in todos if s.kind == "train" and starts.lost(s) - {*damaged}],
        gone=[s for k, s in chosen.items() if k in gone],
        unneeded=chosen.keys() - done - remaining.keys(),
        read=here & (reads | numbers | shown),
    )


def _last_checkpoints(chosen: Mapping[str, Stage]) -> set[str]:
    """The train stages that end a run."""
    on_the_way = {s.after["previous"] for s in chosen.values() if "previous" in s.after}
    return {k for k, s in chosen.items() if s.kind == "train" and k not in on_the_way}


def _shown(plan: Plan) -> set[str]:
    """The samples that a section of the report shows."""
    given = plan.study.settings.report.sections
    named = (s.get("name") if isinstance(s, Mapping) else getattr(s, "name", s) for s in given)
    if "samples" not in list(named):
        return set()
    return {m.sample for m in shown_samples(plan.measurements)[1].values()}


Way = tuple[bool, float, int, str]  # of sampling; see shown_samples


def shown_samples(
    measurements: Iterable[Measurement], available: Collection[str] | None = None
) -> tuple[Way | None, dict[int, Measurement]]:
    """The samples that the report shows the first of: per run those of its last checkpoint.

    All in one way (evaluation, guidance, steps), so that noise and labels are the same in every
    run: that in which most runs were sampled, then the study's `final`, the most guided, the
    longest. available: keys of the samples there are; None: all.
    """
    ways: dict[Way, dict[int, Measurement]] = {}
    for m in measurements:
        if available is None or m.sample in available:
            way = (m.evaluation == "final", m.guidance_scale, m.sampling_steps, m.evaluation)
            last = ways.setdefault(way, {})
            if m.run not in last or m.step >= last[m.run].step:
                last[m.run] = m
    if not ways:
        return None, {}
    way = max(ways, key=lambda w: (len(ways[w]), w))
    return way, dict(sorted(ways[way].items()))


def shown_milestones(
    measurements: Iterable[Measurement], available: Collection[str]
) -> tuple[Way | None, dict[int, list[Measurement]]]:
    """Per run, in the order of its steps, the samples of its milestones; those of two at least.

    All in one way, as `shown_samples`: that in which most runs were sampled more than once, then
    that of most milestones, then the study's `final`, the most guided, the longest. available: keys
    of the samples whose first images there are.
    """
    ways: dict[Way, dict[int, dict[int, Measurement]]] = {}
    for m in measurements:
        if m.sample in available:
            way = (m.evaluation == "final", m.guidance_scale, m.sampling_steps, m.evaluation)
            ways.setdefault(way, {}).setdefault(m.run, {})[m.step] = m
    grown = {
        way: {run: [m for _, m in sorted(steps.items())] for run, steps in runs.items()
              if len(steps) > 1}
        for way, runs in ways.items()
    }  # fmt: skip
    grown = {way: runs for way, runs in grown.items() if runs}
    if not grown:
        return None, {}
    way = max(grown, key=lambda w: (len(grown[w]), sum(map(len, grown[w].values())), w))
    return way, dict(sorted(grown[way].items()))


def _made_before(chosen: Mapping[str, Stage], made: Collection[str]) -> set[str]:
    """Keys that must have been made, because something that was made is made of them."""
    found: set[str] = set()
    for key in reversed(list(chosen)):
        if key in made or key in found:
            found |= {k for k in chosen[key].inputs.values() if k in chosen}
    return found


class Starts:
    """From which checkpoint each train stage starts."""

    def __init__(
        self,
        plan: Plan,
        here: Collection[str],
        removed: Collection[str],
        checkpoints: Callable[[], Iterable[Checkpoint]],
        stateless: Collection[Checkpoint],
    ) -> None:
        self.plan, self.ask, self.stateless = plan, checkpoints, stateless
        without = {c.key for c in stateless}
        self.here, self.removed = {*here} - without, {*removed} | without
        self._known: dict[str, list[Checkpoint]] | None = None

    def of(self, stage: Stage) -> Stage:
        """The stage with its `previous`, and with the Gflops that leaves.

        That is the milestone before it, unless that was removed, or the run has a later committed
        checkpoint; then the latest committed one; then none.
        """
        planned = stage.after.get("previous")
        if planned in self.here or not stage.inputs:
            return stage
        if not stage.gflops and not any(c.key == planned for c in self.stateless):
            return stage
        skipped = planned in self.removed
        if not self._committed() and not skipped:
            return stage
        run, step = trajectory(stage)
        earlier = [c for c in self._committed().get(run, ()) if c.step < step]
        best = max(earlier, key=lambda c: c.step, default=None)
        if best is None and not skipped:
            return stage
        before = 0
        if planned is not None:
            before = trajectory(self.plan.stages[planned])[1]
            if not skipped and best is not None and best.step <= before:
                return stage
        after = {role: key for role, key in stage.after.items() if role != "previous"}
        if best is not None:
            after["previous"] = best.key
        steps = step - (best.step if best else 0)
        gflops = None if stage.gflops is None else stage.gflops / (step - before) * steps
        return replace(stage, after=after, gflops=gflops)

    def lost(self, stage: Stage) -> set[str]:
        """Keys of checkpoints that it would have gone on from, had they the state to."""
        if not self.stateless:
            return set()
        run, step = trajectory(stage)
        begins = 0
        if (previous := stage.after.get("previous")) is not None:
            planned = self.plan.stages.get(previous)
            known = (c.step for c in self._committed().get(run, ()) if c.key == previous)
            begins = trajectory(planned)[1] if planned is not None else next(known, 0)
        return {c.key for c in self.stateless if c.run == run and begins < c.step < step}

    def _committed(self) -> Mapping[str, list[Checkpoint]]:
        if self._known is None:
            self._known = {}
            for found in self.ask():
                self._known.setdefault(found.run, []).append(found)
        return self._known


def trajectory(stage: Stage | Task) -> tuple[str, int]:
    """A train stage's run (keys.run_id) and step."""
    return keys.trajectory(stage.settings, stage.inputs)


def left(stage: Stage, saved: float) -> float | None:
    """Gflops that a stage still needs, if the fraction `saved` of it is on disk already."""
    return None if stage.gflops is None else stage.gflops * (1.0 - min(max(saved, 0.0), 1.0))
