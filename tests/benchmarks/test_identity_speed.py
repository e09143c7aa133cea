"""Looking at a large image folder: each file's size and time, once; then as it was left.

HARNESS_BENCHMARK=full makes 1,000,000 files (some minutes); otherwise 20,000.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from harness.components.source import Source
from harness.data.folder import listing
from harness.dispatch import identity
from harness.plan.plan import Stage
from harness.plan.stages import Place
from harness.store import Store, file_lists

FULL = os.environ.get("HARNESS_BENCHMARK") == "full"
FILES, CLASSES = (1_000_000, 1_000) if FULL else (20_000, 100)
STAT_S = 50e-6  # per file and whole look, on a machine whose processors others use as well
SECOND = 0.1  # of the first look's time, at most


class Folder(Source):
    name = "folder"

    def open(self, wanted):  # type: ignore[no-untyped-def]
        raise NotImplementedError

    def listing(self, path, split="train"):  # type: ignore[no-untyped-def]
        return listing(path, split)


@pytest.mark.benchmark
def test_a_second_look_at_an_unchanged_tree_is_cheap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity, "LARGE", 1_000)
    root = tmp_path / "images"
    for c in range(CLASSES):
        folder = root / f"n{c:08d}"
        folder.mkdir(parents=True)
        for i in range(FILES // CLASSES):
            (folder / f"n{c:08d}_{i}.JPEG").touch()
    store, source = Store(tmp_path / "results"), Folder()
    folder = store.folder("encode", "k" * 64)
    folder.mkdir(parents=True)
    spent: dict[str, float] = {}
    processor: dict[str, float] = {}

    def timed(name, do):  # type: ignore[no-untyped-def]
        began, used = time.perf_counter(), time.process_time()
        found = do()
        spent[name] = time.perf_counter() - began
        processor[name] = time.process_time() - used
        return found

    names = timed("names", lambda: listing(root))
    now = timed("stat", lambda: file_lists.look(root, names))
    timed("write", lambda: file_lists.write(folder / file_lists.FILES, {"data": now}))
    stage = Stage("encode", "k" * 64, "{}", {}, {}, ("images",), None)
    place = Place(data_path=str(root))
    read = identity.Read(stage, "data", place, source, folder / file_lists.FILES)
    whole = timed("first look", lambda: identity._compared(read, store, False, {}))
    again = timed("second look", lambda: identity._compared(read, store, False, {}))
    size = (folder / file_lists.FILES).stat().st_size
    said = ", ".join(f"{n} {s:.3f} s ({processor[n]:.3f})" for n, s in spent.items())
    print(f"\n{FILES:,} files (processor's time in brackets): {said}; list {size / 1e6:.1f} MB")
    assert whole == again == {}
    assert processor["first look"] < STAT_S * FILES
    assert spent["second look"] < SECOND * spent["first look"]
    victim = root / f"n{0:08d}" / "new.JPEG"
    victim.touch()
    assert "1 file added" in identity._compared(read, store, False, {})["changed"]
