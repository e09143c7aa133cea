"""Results folders with a few artifacts, made in milliseconds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tiny_study import TINY

from harness.plan import make_plan
from harness.plan.index import index
from harness.plan.plan import Plan, Stage
from harness.spec import load_study
from harness.store import records, studies
from harness.store.artifacts import Store


def commit(
    store: Store,
    kind: str,
    letter: str,
    rows: dict[str, list[dict[str, Any]]] | None = None,
    payload: bytes = b"x" * 1000,
    seconds: float = 2.0,
    key: str | None = None,
    **about: Any,
) -> str:
    """Commit an artifact of one file under a key of one letter, or under `key`; the key."""
    key = key or (letter * 64)[:64]
    staging = store.staging(key)
    (staging / "payload.bin").write_bytes(payload)
    told = {
        "settings": {},
        "inputs": {},
        "label": f"{kind} {letter}",
        "provenance": {},
        "measured": {"seconds": seconds, "gflops": None, "model": None, "device": ""},
        **about,
    }
    assert store.commit(kind, key, staging, rows or {}, {}, told)
    return key


def commit_stage(store: Store, stage: Stage) -> None:
    """A planned stage done and recorded: a kilobyte, and of an evaluation one number."""
    rows = {}
    if stage.kind == "evaluate":
        rows = {"metrics": [{"key": stage.key, "metric": "fd", "value": 1.0, "of": "samples"}]}
    about = {"settings": json.loads(stage.settings), "inputs": stage.inputs}
    commit(store, stage.kind, "", rows, key=stage.key, label=stage.label, **about)
    records.reconcile_one(store, stage.kind, stage.key)


def all_done(folder: Path) -> Plan:
    """tiny.yaml in `folder`, with every stage of it done."""
    (folder / "tiny.yaml").write_text(TINY)
    plan = make_plan(load_study(folder / "tiny.yaml"))
    store = Store(folder / "results")
    for stage in plan.stages.values():
        commit_stage(store, stage)
    studies.write(store.root, index(plan))
    return plan


def there(plan: Plan, store: Store) -> set[str]:
    """The stages of a plan that are committed."""
    return store.committed({s.kind for s in plan.stages.values()}) & plan.stages.keys()
