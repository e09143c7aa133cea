"""The commit protocol: an artifact is whole and valid, or it is not there."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.store import CorruptArtifact, Store, files
from harness.store.artifacts import DAY, UnreadableArtifact
from harness.store.files import DiskFull, NotWritable

KEY = "a" * 64
ABOUT = {"settings": {}, "inputs": {}, "measured": {}}


def commit(store: Store, content: bytes = b"weights", key: str = KEY) -> bool:
    staging = store.staging(key)
    (staging / "model.bin").write_bytes(content)
    return store.commit("train", key, staging, {"runs": []}, {"n": 1}, ABOUT)


def test_a_folder_that_comes_between_two_looks_is_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network disk showed another machine's commit after the manifest had been looked for: the
    artifact went to quarantine/, and its stage was done again."""
    store, read = Store(tmp_path), files.read_bytes
    commit(store)
    looks: list[Path] = []

    def late(path: Path) -> bytes:
        looks.append(path)
        if len(looks) == 1:
            raise FileNotFoundError(path)
        return read(path)

    monkeypatch.setattr(files, "read_bytes", late)
    assert store.open("train", KEY) is not None
    (store.folder("train", KEY) / "manifest.json").unlink()
    with pytest.raises(CorruptArtifact, match="has no manifest"):
        store.open("train", KEY)


def test_a_folder_that_cannot_be_looked_at_is_not_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, look = Store(tmp_path), Path.lstat

    def trouble(path: Path) -> os.stat_result:
        if path.name == KEY:
            raise OSError(errno.ESTALE, "Stale file handle")
        return look(path)

    monkeypatch.setattr(Path, "lstat", trouble)
    with pytest.raises(UnreadableArtifact, match="Stale"):
        store.open("train", KEY)


def test_a_committed_artifact_can_be_opened_and_read(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.open("train", KEY) is None
    assert commit(store)
    artifact = store.open("train", KEY)
    assert artifact is not None
    assert artifact.file("model.bin").read_bytes() == b"weights"
    assert artifact.manifest.facts == {"n": 1}
    assert store.committed(["train", "sample"]) == {KEY}
    assert not list((tmp_path / "staging").iterdir())


def test_the_first_valid_commit_wins(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert commit(store, b"first")
    assert not commit(store, b"second")
    artifact = store.open("train", KEY)
    assert artifact is not None and artifact.file("model.bin").read_bytes() == b"first"


RACE = """
import sys
import time
from harness.store import Store
store = Store(sys.argv[1])
staging = store.staging(sys.argv[2])
(staging / "model.bin").write_text(sys.argv[3])
sys.stdin.readline()  # all start together
about = {"settings": {}, "inputs": {}, "measured": {}}
print(int(store.commit("train", sys.argv[2], staging, {"runs": []}, {}, about)))
"""


@pytest.mark.slow
def test_of_many_processes_that_commit_one_key_exactly_one_wins(tmp_path: Path) -> None:
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACE, str(tmp_path), KEY, f"from {i}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for i in range(5)
    ]
    won = [racer.communicate("\n", timeout=300)[0].strip() for racer in racers]
    assert sorted(won) == ["0", "0", "0", "0", "1"]
    artifact = Store(tmp_path).open("train", KEY)
    assert artifact is not None
    assert artifact.file("model.bin").read_text() == f"from {won.index('1')}"


@pytest.mark.parametrize("damage", ["truncate", "alter", "delete", "no manifest", "bad manifest"])
def test_damage_is_found_and_named_and_a_new_commit_replaces_it(
    tmp_path: Path, damage: str
) -> None:
    store = Store(tmp_path)
    commit(store)
    file, manifest = (
        store.folder("train", KEY) / "model.bin",
        store.folder("train", KEY) / "manifest.json",
    )
    if damage == "truncate":
        file.write_bytes(b"weigh")
    elif damage == "alter":
        file.write_bytes(b"weightX")
    elif damage == "delete":
        file.unlink()
    elif damage == "no manifest":
        manifest.unlink()
    else:
        manifest.write_text("{")
    with pytest.raises(CorruptArtifact) as caught:
        store.open("train", KEY)
    assert str(store.folder("train", KEY)) in str(caught.value)
    assert commit(store, b"again")
    artifact = store.open("train", KEY)
    assert artifact is not None and artifact.file("model.bin").read_bytes() == b"again"
    assert len(list((tmp_path / "quarantine").iterdir())) == 1


def test_a_cheap_check_still_finds_a_missing_or_short_file(tmp_path: Path) -> None:
    store = Store(tmp_path)
    commit(store)
    (store.folder("train", KEY) / "model.bin").write_bytes(b"")
    with pytest.raises(CorruptArtifact, match="0 bytes, its manifest says 7"):
        store.open("train", KEY, verify=False)


def test_numbers_that_are_not_finite_cannot_be_committed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    staging = store.staging(KEY)
    with pytest.raises(ValueError, match="JSON"):
        store.commit("train", KEY, staging, {"runs": [{"loss": float("nan")}]}, {}, ABOUT)
    assert store.open("train", KEY) is None


def test_a_folder_that_cannot_be_written_is_told_before_anything_starts(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")
    with pytest.raises(NotWritable, match="cannot write"):
        Store(blocker / "results").check_writable()


def test_a_full_disk_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(DiskFull, match="no space left while writing"):
        files.write_json(tmp_path / "x.json", {})
    assert not list(tmp_path.iterdir())


def test_create_exclusive_lets_one_creator_through(tmp_path: Path) -> None:
    assert files.create_exclusive(tmp_path / "claim", b"1")
    assert not files.create_exclusive(tmp_path / "claim", b"2")
    assert (tmp_path / "claim").read_bytes() == b"1"
    assert [p.name for p in tmp_path.iterdir()] == ["claim"]


def test_manifests_say_sizes_and_checksums_of_every_file(tmp_path: Path) -> None:
    store = Store(tmp_path)
    commit(store)
    manifest = json.loads((store.folder("train", KEY) / "manifest.json").read_text())
    assert set(manifest["files"]) == {"model.bin", "record.json"}
    assert manifest["files"]["model.bin"]["bytes"] == 7
    assert manifest["files"]["model.bin"]["sha256"] == files.sha256(
        store.folder("train", KEY) / "model.bin"
    )


def test_only_what_no_attempt_can_need_is_swept(tmp_path: Path) -> None:
    """A training may fill its folder weeks after it made it."""
    store = Store(tmp_path)
    living, loser, fresh = store.staging("a" * 64), store.staging("b" * 64), store.staging("b" * 64)
    commit(store, key="b" * 64)
    long_ago = time.time() - 3 * DAY
    for folder in (living, loser):
        os.utime(folder, (long_ago, long_ago))
    store.sweep()
    assert living.exists() and fresh.exists() and not loser.exists()
    store.sweep(abandoned_s=2 * DAY)
    assert not living.exists() and fresh.exists()


def test_a_folder_of_another_user_is_refused_by_its_name_and_not_by_that_of_a_probe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(NotWritable, match=rf"may not write in {tmp_path}: .*--results"):
        Store(tmp_path).check_writable()
    assert not list(tmp_path.iterdir())
