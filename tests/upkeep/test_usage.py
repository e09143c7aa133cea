"""What a results folder holds: counted to the byte, by kind and by study."""

from __future__ import annotations

import pytest

from harness.store.artifacts import Store
from harness.upkeep.usage import referred, size, usage


def test_it_counts_every_byte(store: Store, commit) -> None:
    commit(store, "train", "a", payload=b"x" * 5000)
    commit(store, "train", "b", payload=b"x" * 7)
    commit(store, "sample", "c", seconds=3.5)
    (store.root / "logs").mkdir()
    (store.root / "logs" / "one.log").write_text("hello")
    found = usage(store.root)
    on_disk = sum(p.stat().st_size for p in store.root.rglob("*") if p.is_file())
    assert found.bytes == on_disk
    assert found.others["logs"] == (1, 5)
    kinds = found.by_kind()
    assert [h.payload for h in kinds["train"]] == [5000, 7]
    assert kinds["sample"][0].seconds == 3.5 and kinds["sample"][0].label == "sample c"
    assert all(h.told > 0 for h in found.artifacts)


def test_a_damaged_manifest_is_still_counted(store: Store, commit) -> None:
    key = commit(store, "train", "a")
    (store.folder("train", key) / "manifest.json").write_text("{")
    (held,) = usage(store.root).artifacts
    assert held.payload == 1000 and held.seconds is None


def test_links_count_once(store: Store) -> None:
    (store.root / "claims").mkdir(parents=True)
    (store.root / "claims" / "one").write_text("12345")
    (store.root / "claims" / "two").hardlink_to(store.root / "claims" / "one")
    assert usage(store.root).others["claims"] == (1, 5)


def test_by_study(store: Store, commit) -> None:
    a, b, c = (commit(store, "train", letter) for letter in "abc")
    groups = referred(usage(store.root).artifacts, {"one": {a, b}, "two": {b}})
    assert {name: [h.key for h in held] for name, held in groups.items()} == {
        "one": [a, b],
        "two": [b],
        "": [c],
    }


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 KB"), (1_234_567, "1.2 MB"), (10**13, "10.0 TB")],
)
def test_sizes(count: int, said: str) -> None:
    assert size(count) == said
