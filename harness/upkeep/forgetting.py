"""Letting go of stages and of all that was made of them, so that they are done again.

For data or weights that changed under their name: what was made of the old ones is moved away,
whichever study it is of that nobody else refers to. What another study refers to is not touched
unless that is asked for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.dispatch.given import still_living
from harness.dispatch.ledger import Ledger
from harness.dispatch.merging import CLAIM
from harness.errors import BadInput
from harness.plan.plan import Plan, Stage
from harness.store import forgotten
from harness.store.artifacts import Store
from harness.upkeep.usage import Held, usage


@dataclass
class Chosen:
    """The stages to set aside; those that were made of others come first."""

    stages: dict[str, str] = field(default_factory=dict)  # key -> kind
    artifacts: list[Held] = field(default_factory=list)  # of those, what is committed
    shared: dict[str, list[str]] = field(default_factory=dict)  # other study -> keys of them

    @property
    def bytes(self) -> int:
        """Bytes that would be freed."""
        return sum(held.bytes for held in self.artifacts)

    @property
    def seconds(self) -> float:
        """Device-seconds that it took to make them, as far as that is known."""
        return sum(held.seconds or 0.0 for held in self.artifacts)


def choose(
    plan: Plan,
    named: Iterable[Stage],
    store: Store,
    *,
    imported: Collection[str] = (),
    others: Mapping[str, Collection[str]] | None = None,
) -> Chosen:
    """The stages `named` and what hangs on them. others: "study (profile)" -> keys it refers to.

    Raises BadInput for an imported checkpoint, which no stage makes again.
    """
    named = list(named)
    for stage in named:
        if stage.key in imported:
            raise BadInput(
                f"{stage.label} was imported and no stage makes it again: import the other one "
                "under another --name"
            )
    edges = [
        (key, need)
        for key, stage in plan.stages.items()
        for need in [
            *stage.inputs.values(),
            *(k for r, k in stage.after.items() if r == "previous"),
        ]
    ]
    hanging = forgotten.hanging(store, [s.key for s in named], edges)
    held = {h.key: h for h in usage(store.root).artifacts if h.key in hanging}
    tried = Ledger(store.root).tried()
    found = Chosen()
    for key, kind in hanging.items():
        if key in held or key in tried:
            found.stages[key] = kind or plan.stages[key].kind
    found.artifacts = [held[key] for key in found.stages if key in held]
    for name, keys in (others or {}).items():
        if both := [key for key in found.stages if key in keys]:
            found.shared[name] = both
    return found


def remove(plan: Plan, chosen: Chosen, store: Store) -> Path:
    """Move all of it away, each stage under its claim; where to.

    Raises BadInput, and nothing was done, while somebody works on one of them.
    """
    ledger = Ledger(store.root)
    for owner in ledger.drivers():
        if owner.study == plan.study.name:
            raise BadInput(
                f"process {owner.pid} on {owner.host} drives {owner.study}: wait until it is done, "
                "or `cancel` it first"
            )
    mine = [key for key in chosen.stages if key in plan.stages]
    if living := still_living(plan, ledger, mine):
        raise BadInput(
            f"{len(living):,} of these stages are in a queue: `cancel` them first, or wait"
        )
    wanted = [*chosen.stages, CLAIM]
    try:
        for key in wanted:
            if not ledger.claim(key):
                stage = plan.stages.get(key)
                raise BadInput(
                    f"somebody works on {stage.label if stage else key[:12]} now; nothing was done"
                )
        away = forgotten.place(store)
        forgotten.forget_records(store, set(chosen.stages), away)
        for key, kind in chosen.stages.items():
            forgotten.forget(store, kind, key, away)
    finally:
        for key in wanted:
            ledger.release(key)
        ledger.leave()
    return away
