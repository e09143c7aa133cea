"""What of a study is done, missing and failed; and whether what is done is whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from harness.dispatch.ledger import Attempt, Ledger, is_final
from harness.plan.plan import Plan, Stage
from harness.store.artifacts import CorruptArtifact, Store


@dataclass
class Standing:
    """Where a study's stages stand."""

    done: set[str]
    missing: list[Stage]
    failed: dict[str, Attempt]
    latest: dict[str, Attempt] = field(default_factory=dict)  # of the missing ones that were tried


def standing(
    plan: Plan,
    stages: Iterable[Stage],
    store: Store,
    ledger: Ledger,
    history: Mapping[str, list[Attempt]] | None = None,
) -> Standing:
    """What is done, missing and failed, from directory listings; changes nothing.

    history: all attempts, where they were read already.
    """
    stages = list(stages)
    committed = store.committed({s.kind for s in stages})
    done = {s.key for s in stages if s.key in committed}
    missing = [s for s in stages if s.key not in committed]
    if history is None:
        latest = ledger.latest(s.key for s in missing)
    else:
        latest = {s.key: history[s.key][-1] for s in missing if s.key in history}
    return Standing(done, missing, {k: a for k, a in latest.items() if is_final(a)}, latest)


def check_artifacts(stages: Iterable[Stage], done: set[str], store: Store) -> list[str]:
    """Quarantine committed artifacts whose files do not fit their manifest. Returns sentences."""
    notes = []
    for stage in stages:
        if stage.key not in done:
            continue
        try:
            store.open(stage.kind, stage.key, verify=False)
        except CorruptArtifact as error:
            aside = store.quarantine(stage.kind, stage.key)
            done.discard(stage.key)
            notes.append(f"{stage.label}: {error}; moved to {aside}, the stage runs again")
    return notes
