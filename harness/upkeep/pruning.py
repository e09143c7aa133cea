"""Chooses artifacts that may lose their payload (checkpoints, samples, latents); numbers stay.

A number outlives what it was measured on: manifest and rows of a pruned artifact are kept, so that
`results` and `report` say what they said before. What anybody may still need is not chosen:

- inputs of the study's stages that are not done, the samples that its report shows, and the last
  checkpoint of each run;
- imported checkpoints, which cannot be made again here;
- whatever another study that was run into the same folder refers to.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.dispatch.ledger import Ledger
from harness.errors import BadInput
from harness.plan.plan import Plan
from harness.plan.wanted import Work, shown_samples
from harness.store import studies
from harness.store.artifacts import CorruptArtifact, Store
from harness.store.pruned import prune
from harness.store.studies import Index
from harness.upkeep.usage import Held

KINDS = ("sample", "train", "encode", "reference")  # whose payload is worth removing
USUAL = ("sample", "train")


@dataclass
class Chosen:
    """The artifacts to prune, and those that are kept for somebody else."""

    artifacts: list[Held] = field(default_factory=list)
    kept: dict[str, list[Held]] = field(default_factory=dict)  # "study (profile)" -> artifacts

    @property
    def bytes(self) -> int:
        """Bytes that would be freed."""
        return sum(held.payload for held in self.artifacts)

    @property
    def seconds(self) -> float:
        """Device-seconds that it took to make them, as far as that is known."""
        return sum(held.seconds or 0.0 for held in self.artifacts)


def of_study(
    plan: Plan,
    work: Work,
    artifacts: Iterable[Held],
    *,
    kinds: Collection[str] = USUAL,
    last: bool = False,
    imported: Collection[str] = (),
    others: Mapping[str, Collection[str]] | None = None,
) -> Chosen:
    """Choose those of a study's artifacts that nothing in it needs any more.

    last: also the checkpoints that end a run. others: "study (profile)" -> keys that it refers to.
    """
    needed = {need for stage in work.todo for need in stage.needs} | {*imported}
    needed |= {m.sample for m in shown_samples(plan.measurements)[1].values()}
    if not last:
        before = {s.after["previous"] for s in plan.stages.values() if "previous" in s.after}
        needed |= {k for k, s in plan.stages.items() if s.kind == "train" and k not in before}
    free = [h for h in artifacts if h.key in plan.stages and h.kind in kinds and h.payload]
    return _share([h for h in free if h.key not in needed], others or {})


def unreferenced(
    artifacts: Iterable[Held],
    referred: Collection[str],
    *,
    kinds: Collection[str] = KINDS,
    imported: Collection[str] = (),
) -> Chosen:
    """Choose artifacts that no study refers to. referred: the keys of all studies."""
    known = {*referred, *imported}
    return Chosen([h for h in artifacts if h.kind in kinds and h.payload and h.key not in known])


def _share(free: list[Held], others: Mapping[str, Collection[str]]) -> Chosen:
    found = Chosen()
    for held in free:
        of = [name for name, keys in others.items() if held.key in keys]
        for name in of:
            found.kept.setdefault(name, []).append(held)
        if not of:
            found.artifacts.append(held)
    return found


def others_here(root: Path, mine: Index | None = None) -> dict[str, set[str]]:
    """ "study (profile)" -> keys, of the studies that were run into a results folder.

    mine: left out, also as it was before it was edited, and however it was run (`--workers 1`).
    A damaged file of a study is an error: what it refers to would be taken for free.
    """
    found: dict[str, set[str]] = {}
    for path in sorted((root / studies.FOLDER).glob("[!_]*-*-*.json")):
        index = studies.read(path)
        if mine is not None and _same(index, mine):
            continue
        more = f" --set {' --set '.join(index.overrides)}" if index.overrides else ""
        name = f"{index.study} ({index.profile}){more}"
        found.setdefault(name, set()).update(index.stages)
    return found


def _same(one: Index, other: Index) -> bool:
    if (one.study, one.profile) != (other.study, other.profile):
        return False
    set_ = studies.of_numbers
    return set_(one.overrides) == set_(other.overrides) or one.stages.keys() == other.stages.keys()


def refuse_strangers(root: Path, known: Collection[str]) -> None:
    """Raise BadInput when a process works here on a study whose needs are not known."""
    for owner in Ledger(root).drivers():
        if owner.study is None or owner.study not in known:
            raise BadInput(
                f"process {owner.pid} on {owner.host} works in {root} on "
                f"{owner.study or 'something'}, and nothing here says what it needs: wait until it "
                "is done"
            )


@dataclass(frozen=True)
class Pruned:
    """The result of pruning."""

    count: int
    bytes: int
    in_use: tuple[str, ...]  # labels of artifacts that somebody has claimed
    damaged: tuple[str, ...]


def remove(store: Store, artifacts: Iterable[Held]) -> Pruned:
    """Remove payloads, each under its claim. Killed at any moment, it can be done again."""
    ledger = Ledger(store.root)
    count = freed = 0
    in_use, damaged = [], []
    for held in artifacts:
        if not ledger.claim(held.key):
            in_use.append(held.label or held.key[:12])
            continue
        try:
            freed += prune(store, held.kind, held.key)
            count += 1
        except CorruptArtifact as error:
            damaged.append(str(error))
        finally:
            ledger.release(held.key)
    ledger.leave()
    return Pruned(count, freed, tuple(in_use), tuple(damaged))
