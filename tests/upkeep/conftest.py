"""Results folders with a few artifacts, made in milliseconds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.store.artifacts import Store

Commit = Callable[..., str]


@pytest.fixture
def commit() -> Commit:
    """commit(store, kind, "a", rows={"metrics": [...]}, payload=b"..."): the key."""

    def make(
        store: Store,
        kind: str,
        letter: str,
        rows: dict[str, list[dict[str, Any]]] | None = None,
        payload: bytes = b"x" * 1000,
        seconds: float = 2.0,
        key: str | None = None,
    ) -> str:
        key = key or (letter * 64)[:64]
        staging = store.staging(key)
        (staging / "payload.bin").write_bytes(payload)
        about = {
            "settings": {},
            "inputs": {},
            "label": f"{kind} {letter}",
            "provenance": {},
            "measured": {"seconds": seconds, "gflops": None, "model": None, "device": ""},
        }
        assert store.commit(kind, key, staging, rows or {}, {}, about)
        return key

    return make


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results")
