"""What made a number."""

from __future__ import annotations

import importlib.metadata
import subprocess
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from harness.store import provenance, tables
from harness.version import __version__


@pytest.fixture(autouse=True)
def asked_anew() -> Iterator[None]:
    provenance.commit.cache_clear()
    provenance.versions.cache_clear()
    yield
    provenance.commit.cache_clear()
    provenance.versions.cache_clear()


def test_every_row_ends_with_what_made_it() -> None:
    made = provenance.made("cpu", 3)
    assert set(made) == {column.name for column in tables.MADE}
    assert made["harness"] == __version__ and made["threads"] == 3 and made["device"] == "cpu"
    assert made["torch"] == importlib.metadata.version("torch")
    assert datetime.fromisoformat(made["committed"]).utcoffset() is not None


def test_a_package_that_is_not_there_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "PACKAGES", ("torch", "no-such-package"))
    found = provenance.versions()
    assert found["no-such-package"] is None and found["torch"] is not None


def test_a_changed_checkout_is_not_its_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"rev-parse": "abc", "status": " M harness/cli.py"}
    monkeypatch.setattr(provenance, "_git", lambda _, verb, *__: answers[verb])
    assert provenance.commit() == "abc+changes"
    provenance.commit.cache_clear()
    answers["status"] = ""
    assert provenance.commit() == "abc"


@pytest.mark.parametrize(
    "error", [FileNotFoundError("git"), subprocess.CalledProcessError(128, "git")]
)
def test_outside_a_checkout_there_is_no_commit(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> str:
        raise error

    monkeypatch.setattr(provenance, "_git", fail)
    assert provenance.commit() is None
