"""Claims are stored at a study's first run; what is added later is known for it."""

from __future__ import annotations

import dataclasses

from harness.store import studies
from harness.store.studies import Index


def index(*claims, text="study: one\n"):
    return Index("one", "laptop", text, (), {}, claims=dict.fromkeys(claims))


def test_a_claim_keeps_the_time_at_which_it_was_first_stored(tmp_path):
    path = studies.write(tmp_path, index("a", "b"))
    since = studies.read(path).claims
    assert set(since) == {"a", "b"} and None not in since.values()
    assert studies.write(tmp_path, index("a", "b")) == path  # the same study again
    assert studies.read(path).claims == since
    assert studies.claims_after(tmp_path, "one", "laptop") == frozenset()


def test_what_is_added_after_the_first_run_is_known_for_it(tmp_path, monkeypatch):
    earlier = "2020-01-01T00:00:00+00:00"
    monkeypatch.setattr(studies, "_now", lambda: earlier)
    studies.write(tmp_path, index("a"))
    monkeypatch.undo()
    studies.write(tmp_path, index("a", "late", text="study: one # edited\n"))
    assert studies.stored_claims(tmp_path, "one", "laptop")["a"] == earlier
    assert studies.claims_after(tmp_path, "one", "laptop") == {"late"}
    assert studies.claims_after(tmp_path, "other", "laptop") == frozenset()


def test_claims_of_a_study_that_was_run_before_they_were_stored_are_late(tmp_path, monkeypatch):
    monkeypatch.setattr(studies, "_now", lambda: "2020-01-01T00:00:00+00:00")
    studies.write(tmp_path, dataclasses.replace(index(), claims={}))
    monkeypatch.undo()
    studies.write(tmp_path, index("a"))
    assert studies.claims_after(tmp_path, "one", "laptop") == {"a"}
