"""What of a study is done, to do and failed; and whether what is done is whole."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from harness.dispatch import earlier
from harness.dispatch.ledger import Attempt, Ledger, is_final
from harness.plan import keys, wanted
from harness.plan.plan import Plan, Stage
from harness.plan.wanted import Checkpoint, Work
from harness.store import files
from harness.store.artifacts import SPARE, CorruptArtifact, Store, UnreadableArtifact
from harness.store.pruned import KEPT, mark, pruned_keys


@dataclass
class StudyState:
    """Where a study's stages stand."""

    done: set[str]
    missing: list[Stage]  # to do, in the plan's order, each as it will be done
    failed: dict[str, Attempt]
    latest: dict[str, Attempt] = field(default_factory=dict)  # of the missing ones that were tried
    stages: list[Stage] = field(default_factory=list)  # done or to do: what counts
    work: Work = field(default_factory=lambda: Work(set()))
    stateless: list[Checkpoint] = field(default_factory=list)  # nothing can go on from them

    @property
    def remade(self) -> list[Stage]:
        """Missing stages that were there before and were removed."""
        return self.work.remade

    @property
    def asks(self) -> list[Stage]:
        """Missing stages that do again what was done and removed: only where that is asked for."""
        return self.work.remade + self.work.restarted


def study_state(
    plan: Plan,
    stages: Iterable[Stage],
    store: Store,
    ledger: Ledger,
    history: Mapping[str, list[Attempt]] | None = None,
) -> StudyState:
    """Read what is done, to do and failed; change nothing. From directory listings, and of what is
    needed for something to do, from its manifest: are its files there?

    history: all attempts, where they were read already.
    """
    stages = list(stages)
    committed = store.committed({s.kind for s in stages})
    lacking = [s for s in stages if s.key not in committed]
    pruned = pruned_keys(store)
    if pruned:
        pruned &= {s.key for s in stages}
    if history is None:
        latest = ledger.latest(s.key for s in lacking)
    else:
        latest = {s.key: history[s.key][-1] for s in lacking if s.key in history}
    asked: set[str] = set()
    stateless: dict[str, Checkpoint] = {}
    while True:
        work = wanted.decide(
            plan,
            stages,
            committed - pruned if pruned else committed,
            pruned,
            made={k for k, a in latest.items() if a.state == "done"},
            damaged=quarantined(store) if lacking else (),
            checkpoints=lambda: (c for c in checkpoints(plan, store) if c.key not in stateless),
            earlier=lambda again: earlier.found(again, plan, store),
            stateless=stateless.values(),
        )
        starts = (_stateless_start(s, store) for s in work.todo)
        lost = {c.key: c for c in starts if c is not None and c.key not in stateless}
        stateless.update(lost)
        needed = {key for stage in work.todo for key in stage.needs} & work.read - asked
        emptied = {s.key for s in stages if s.key in needed and lacks_files(store, s.kind, s.key)}
        asked |= needed
        if not emptied and not lost:
            break
        pruned = pruned | emptied
    if latest:
        todo = {s.key for s in work.todo}
        latest = {k: a for k, a in latest.items() if k in todo}
    failed = {k: a for k, a in latest.items() if is_final(a)}
    counted = work.counted(stages)
    return StudyState(work.done, work.todo, failed, latest, counted, work, [*stateless.values()])


def _stateless_start(stage: Stage, store: Store) -> Checkpoint | None:
    """The committed checkpoint that a stage is to go on from, if the state for that is gone."""
    key = stage.after.get("previous", "")
    with contextlib.suppress(CorruptArtifact, KeyError):  # an imported one's training is not known
        manifest = store.manifest("train", key) if key else None
        if manifest is not None and any(
            name in manifest.files and files.gone(store.folder("train", key) / name)
            for name in SPARE["train"]
        ):
            text = keys.canonical(manifest.settings)
            return Checkpoint(*keys.trajectory(text, manifest.inputs), key)
    return None


def lacks_files(store: Store, kind: str, key: str) -> bool:
    """Were files of a committed artifact removed by hand, its manifest and rows kept?

    Then it is as if it had been pruned: it stays done, and is made again only where that is said.
    """
    if kind in wanted.NUMBERS:
        return False  # measured again without a question
    try:
        manifest = store.manifest(kind, key)
    except CorruptArtifact:
        return False
    names = set() if manifest is None else manifest.files.keys() - {*KEPT, *SPARE.get(kind, ())}
    folder = store.folder(kind, key)
    return any(files.gone(folder / name) for name in names)


def quarantined(store: Store) -> set[str]:
    """Keys of artifacts that were moved away because they were damaged."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        names = os.listdir(store.root / "quarantine")
        return {name.partition("-")[2].partition(".")[0] for name in names}
    return set()


def checkpoints(plan: Plan, store: Store) -> Iterator[Checkpoint]:
    """All committed train stages, of this plan and of others, that can be gone on from."""
    for key in store.committed(["train"]) - pruned_keys(store):
        stage = plan.stages.get(key)
        with contextlib.suppress(CorruptArtifact, KeyError, ValueError, TypeError, AttributeError):
            if stage is not None:
                yield Checkpoint(*wanted.trajectory(stage), key)
            elif (manifest := store.manifest("train", key)) is not None:
                text = keys.canonical(manifest.settings)
                yield Checkpoint(*keys.trajectory(text, manifest.inputs), key)


def removed(state: StudyState, remake: bool = False) -> str:
    """Why nothing is started: what would be made again, which was removed. remake: it is done."""
    remade, again = state.remade, {s.key for s in state.remade}
    needed = {key for s in state.missing if s.key not in again for key in s.needs} & again
    verb = "would be" if remake else "would have to be"
    said = []
    if remade:
        why = "something that is to be measured needs it" if needed else "it is asked for"
        count = "1 stage that was" if len(remade) == 1 else f"{len(remade):,} stages that were"
        said += [f"{count} done and then removed {verb} done again, because {why}:"]
        said += _shown(remade)
    if restarted := state.work.restarted:
        count = "1 training" if len(restarted) == 1 else f"{len(restarted):,} trainings"
        whose = (
            f"{' and '.join(SPARE['train'])} was removed from a later checkpoint of the same run"
        )
        said += [f"{count} {verb} begun at an earlier step, because {whose}:", *_shown(restarted)]
    if not remake:
        without = "out what needs it" if needed else "it out"
        said += [
            "Nothing was started: `plan` says what it would cost; say --remake to do it, or leave "
            f"{without} with --skip"
        ]
    return "\n".join(said)


def _shown(stages: list[Stage]) -> list[str]:
    more = [f"  and {len(stages) - 10:,} more"] if len(stages) > 10 else []
    return [f"  {s.label}" for s in stages[:10]] + more


def check_artifacts(stages: Iterable[Stage], read: set[str], store: Store) -> list[str]:
    """Quarantine those of `read`, committed and needed, whose files do not fit their manifest; what
    was emptied by hand is marked as pruned.

    Returns sentences. What nothing wanted reads is left where it is.
    """
    notes = []
    for stage in stages:
        if stage.key not in read:
            continue
        try:
            store.open(stage.kind, stage.key, verify=False)
        except UnreadableArtifact as error:
            notes.append(f"{stage.label}: {error}; it is left where it is: let it be read")
        except CorruptArtifact as error:
            if lacks_files(store, stage.kind, stage.key):
                mark(store, stage.kind, stage.key)
                notes.append(
                    f"{stage.label}: {error}; as one whose files were removed, it stays done"
                )
                continue
            aside = store.quarantine(stage.kind, stage.key)
            notes.append(f"{stage.label}: {error}; moved to {aside}, the stage runs again")
    return notes
