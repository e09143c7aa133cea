"""From stages to job arrays: packing, splitting, dependencies. Pure but for the last functions.

A batch is one submission: a job array whose elements each do a pack of stages, one after another.

    results/slurm/BATCH/packs.jsonl     line i: what element i does ([]: there is none); durable
                                        before sbatch
    results/slurm/BATCH/batch.json      kind, study, profile, overrides; the job's id once
                                        sbatch gave it
    results/slurm/BATCH/submit.tried    there once sbatch was called, less where it surely said no
    results/slurm/BATCH/state/KEY.json  what a stage's task last said
    results/slurm/BATCH/*_log.out       what an element printed outside its stages
"""

from __future__ import annotations

import bisect
import itertools
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness.dispatch.ledger import Attempt, Ledger
from harness.dispatch.slurm.cluster import PREFIX
from harness.dispatch.slurm.seal import Damaged, opened, sealed
from harness.errors import HarnessError
from harness.plan.stages import Task
from harness.spec.schema import SlurmSettings
from harness.store import files
from harness.store.artifacts import Store

PACKS = {"complexity": 64, "evaluate": 8}  # stages per task where the study does not say
Place = tuple[str, int]  # (batch, array element)


@dataclass(frozen=True)
class Growth:
    """Factors on a kind's memory and time, raised after running out of them."""

    memory: float = 1.0
    time: float = 1.0


@dataclass
class Batch:
    """One submission."""

    name: str  # unique; also the job's name, by which it is found again
    kind: str
    growth: Growth
    packs: list[list[Task]]
    after: list[tuple[str, Place]] = field(default_factory=list)  # (afterok | aftercorr, parent)
    indices: list[int] = field(default_factory=list)  # of the elements; empty: 0, 1, ...
    longest: int | None = None  # minutes that its partition grants, where time has grown
    refused: bool = False  # the cluster has refused more memory for it

    def __post_init__(self) -> None:
        self.indices = self.indices or list(range(len(self.packs)))

    @property
    def elements(self) -> list[tuple[int, list[Task]]]:
        """Each element's index and pack."""
        return list(zip(self.indices, self.packs, strict=True))

    @property
    def array(self) -> str:
        """The indices as sbatch's --array has them: "0-3,7"."""
        ranges: list[list[int]] = []
        for index in self.indices:
            if ranges and index == ranges[-1][1] + 1:
                ranges[-1][1] = index
            else:
                ranges.append([index, index])
        return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in ranges)

    @property
    def parents(self) -> set[str]:
        """Names of the batches that it waits for."""
        return {place[0] for _, place in self.after}

    def dependency(self, jobs: Mapping[str, str]) -> str | None:
        """sbatch's --dependency, given the job ids of the parents."""
        words = []
        for how, (batch, index) in self.after:
            words.append(
                f"{how}:{jobs[batch]}" if how == "aftercorr" else f"{how}:{jobs[batch]}_{index}"
            )
        return ",".join(words) or None


def new_name(kind: str) -> str:
    """A name that no other batch has."""
    return f"{PREFIX}{kind}-{uuid.uuid4().hex[:12]}"


def pack_size(kind: str, settings: SlurmSettings) -> int:
    """How many stages of a kind go into one task."""
    return settings.pack or PACKS.get(kind, 1)


def arrange(
    tasks: Sequence[Task],
    in_flight: Mapping[str, Place],
    settings: Callable[[str], SlurmSettings],
    max_array: int,
    growth: Callable[[str], Growth] = lambda key: Growth(),
) -> list[Batch]:
    """Batches for `tasks` (parents before children), in the order to submit them.

    Parents that are neither in flight nor among `tasks` are taken as done. The children of an
    array's elements become an array of their own that follows it element by element: aftercorr
    pairs equal indices, so they have those of their parents, also when some of these are done. A
    child with parents at different indices becomes a job of its own after them (afterok).
    """
    placed: dict[str, Place] = dict(in_flight)
    batches: list[Batch] = []
    for level in _levels(tasks):
        groups: dict[Any, list[Task]] = {}
        for task in level:
            needs = (*task.inputs.values(), *task.after.values())
            parents = frozenset(placed[k] for k in needs if k in placed)
            groups.setdefault((task.kind, growth(task.key), parents), []).append(task)
        packs: dict[Any, list[tuple[frozenset[Place], list[Task]]]] = {}
        for (kind, grown, parents), members in groups.items():
            size = pack_size(kind, settings(kind))
            family = (kind, grown, frozenset(batch for batch, _ in parents))
            for start in range(0, len(members), size):
                packs.setdefault(family, []).append((parents, members[start : start + size]))
        for (kind, grown, _), found in packs.items():
            for after, members_, indices in _arrays(found):
                for start in range(0, len(members_), max_array):  # with indices there are no more
                    part = members_[start : start + max_array]
                    batch = Batch(new_name(kind), kind, grown, part, after, indices)
                    batches.append(batch)
                    for index, pack in batch.elements:
                        placed.update((task.key, (batch.name, index)) for task in pack)
    return batches


def with_followers(batch: Batch, batches: Sequence[Batch]) -> list[Batch]:
    """A batch and all of `batches` (parents before children) that wait for it."""
    found = [batch]
    for other in batches:
        if other.parents & {b.name for b in found}:
            found.append(other)
    return found


def fitting(
    tasks: list[Task], free: int, arranged: Callable[[list[Task]], list[Batch]]
) -> tuple[list[Batch], int]:
    """The batches of as many of the first tasks as fit into `free` elements, and how many fit.

    It shows only when they are arranged: stages that need different ones share no element.
    """

    def over(count: int) -> bool:
        return _elements(arranged(tasks[:count])) > free

    batches, fits = arranged(tasks), len(tasks)
    if _elements(batches) > free:
        fits = bisect.bisect_left(range(1, len(tasks)), True, key=over)
        batches = arranged(tasks[:fits])
    return batches, fits


def _elements(batches: list[Batch]) -> int:
    return sum(len(batch.packs) for batch in batches)


def _levels(tasks: Sequence[Task]) -> list[list[Task]]:
    """Tasks by the length of the longest chain of parents among them."""
    depth: dict[str, int] = {}
    levels: list[list[Task]] = []
    for task in tasks:
        needs = (*task.inputs.values(), *task.after.values())
        own = max((depth[k] + 1 for k in needs if k in depth), default=0)
        depth[task.key] = own
        while len(levels) <= own:
            levels.append([])
        levels[own].append(task)
    return levels


Packs = list[tuple[frozenset[Place], list[Task]]]
Arrays = list[tuple[list[tuple[str, Place]], list[list[Task]], list[int]]]


def _arrays(packs: Packs) -> Arrays:
    """Arrays of packs whose parents are elements of the same batches: (after, packs, indices)."""
    common = frozenset.intersection(*(parents for parents, _ in packs))
    shared = [("afterok", place) for place in sorted(common)]
    if all(parents == common for parents, _ in packs):
        return [(shared, [tasks for _, tasks in packs], [])]
    out: Arrays = []
    rows: dict[int, list[list[Task]]] = {}  # parents' element -> packs that follow it
    varying = {batch for parents, _ in packs for batch, _ in parents - common}
    singles: Packs = []
    for parents, tasks in packs:
        own = parents - common
        indices = {index for _, index in own}
        if len(indices) == 1 and {b for b, _ in own} == varying and len(own) == len(varying):
            rows.setdefault(indices.pop(), []).append(tasks)
        else:
            singles.append((parents, tasks))
    while rows:
        present = sorted(rows)
        follows = [("aftercorr", (batch, 0)) for batch in sorted(varying)]
        out.append((shared + follows, [rows[i].pop(0) for i in present], present))
        rows = {i: left for i, left in rows.items() if left}
    out += [([("afterok", p) for p in sorted(parents)], [tasks], []) for parents, tasks in singles]
    apart = _apart(packs, varying) if singles else []
    divided = [array for part in apart for array in _arrays(part)]
    return divided if divided and len(divided) < len(out) else out


def _apart(packs: Packs, varying: set[str]) -> list[Packs]:
    """Packs by their parents in the one batch that parts them least; [] if it parts them all.

    Evaluations against two references, which are elements of one array, follow their samples
    element by element once those of either reference stand apart.
    """
    ways: list[dict[frozenset[Place], Packs]] = []
    for batch in sorted(varying):
        parts: dict[frozenset[Place], Packs] = {}
        for parents, tasks in packs:
            in_it = frozenset(place for place in parents if place[0] == batch)
            parts.setdefault(in_it, []).append((parents, tasks))
        ways.append(parts)
    least = min(ways, key=len)
    return list(least.values()) if 1 < len(least) < len(packs) else []


# --- on disk --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Entry:
    """One stage of a pack."""

    task: Task
    attempt: Attempt


def folder(root: Path, name: str) -> Path:
    """Where a batch's files lie."""
    return root / "slurm" / name


def write(root: Path, batch: Batch, attempts: Mapping[str, Attempt], about: dict[str, Any]) -> Path:
    """Write down what a batch will do, before sbatch. Its folder."""
    path = folder(root, batch.name)
    lines = ["[]"] * (max(batch.indices, default=-1) + 1)
    for index, pack in batch.elements:
        entries = [
            {"task": json.loads(t.to_json()), "attempt": asdict(attempts[t.key])} for t in pack
        ]
        lines[index] = json.dumps(sealed({"entries": entries}))
    try:
        (path / "state").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise files.explain(error, path) from error
    files.write_atomic(path / "packs.jsonl", ("\n".join(lines) + "\n").encode())
    files.write_json(path / "batch.json", sealed({"kind": batch.kind, "job": None, **about}))
    return path


def set_job(root: Path, name: str, job: str) -> None:
    """Write down the id that sbatch gave."""
    files.write_json(folder(root, name) / "batch.json", sealed({**about(root, name), "job": job}))


def about(root: Path, name: str) -> dict[str, Any]:
    """batch.json; {} when it is not there as it was written."""
    try:
        return opened(json.loads((folder(root, name) / "batch.json").read_bytes()))
    except (OSError, ValueError):
        return {}


class DamagedPack(HarnessError):
    """The order of an array element cannot be read as it was written."""


def read_pack(root: Path, name: str, index: int) -> list[Entry]:
    """The stages of one array element. Raises DamagedPack, which says what is wrong."""
    path = folder(root, name) / "packs.jsonl"
    try:
        with open(path, "rb") as file:
            line = next(itertools.islice(file, index, None), None)
        if line is None:
            raise Damaged(f"it has no line {index + 1}")
        return [
            Entry(Task.from_json(json.dumps(e["task"])), Attempt(**e["attempt"]))
            for e in _entries(line)
        ]
    except OSError as error:
        raise DamagedPack(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        why = error if isinstance(error, Damaged) else "it is not the JSON that was written"
        raise DamagedPack(f"{path} is damaged, element {index}: {why}") from None


def _entries(line: bytes) -> list[dict[str, Any]]:
    """A line of packs.jsonl; those of release 0.1 are lists without a checksum."""
    found = json.loads(line)
    entries: list[dict[str, Any]] = found if isinstance(found, list) else opened(found)["entries"]
    return entries


def keys_of(root: Path, name: str) -> list[list[str]]:
    """The keys of each element; [] when they cannot be read."""
    try:
        with open(folder(root, name) / "packs.jsonl", "rb") as file:
            return [[e["task"]["key"] for e in _entries(line)] for line in file]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def busy(ledger: Ledger, store: Store, name: str, index: int) -> bool:
    """Has an element stages to do yet, whoever asked for them? Yes, where it cannot be read."""
    try:
        entries = read_pack(ledger.root, name, index)
    except DamagedPack:
        return True
    return any(
        ledger.read(e.attempt).state == "running"
        and not store.folder(e.task.kind, e.task.key).exists()
        for e in entries
    )
