"""Two results folders become one: nothing lost, nothing doubled, whatever happens on the way."""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path
from typing import Any

import pytest

from harness.dispatch.ledger import Attempt, Ledger
from harness.errors import BadInput, Missing
from harness.store import file_lists, files, records
from harness.store.artifacts import Store
from harness.upkeep.merging import merge


def measured(letter: str, value: float, metric: str = "fid") -> dict[str, list[dict[str, object]]]:
    key = (letter * 64)[:64]
    row = {"key": key, "metric": metric, "value": value, "of": "samples", "model": "DiT-S/8"}
    return {"metrics": [row]}


@pytest.fixture
def other(tmp_path: Path) -> Store:
    return Store(tmp_path / "other")


def values(store: Store) -> dict[str, float]:
    frame = records.read_frames(store.root)["metrics"]
    return {key[0]: value for key, value in zip(frame["key"], frame["value"], strict=True)}


@pytest.mark.slow
def test_both_sides_numbers_are_there_once(store: Store, other: Store, commit) -> None:
    for of, letters in ((store, "ab"), (other, "bc")):
        for letter in letters:
            key = commit(of, "evaluate", letter, measured(letter, ord(letter)))
            records.reconcile_one(of, "evaluate", key)
    done = merge(other.root, store.root)
    assert [key[0] for _, key in done.artifacts] == ["c"] and done.shared == 1
    assert values(store) == {"a": 97.0, "b": 98.0, "c": 99.0}
    again = merge(other.root, store.root)
    assert not again.artifacts and not again.rows
    frame = records.read_frames(store.root)["metrics"]
    assert len(frame) == 3


@pytest.mark.slow
def test_numbers_without_artifacts_come_over(store: Store, other: Store) -> None:
    row = {**measured("d", 4.0)["metrics"][0], "samples": 50_000, "distance_dtype": "float32"}
    records.write(other.root, "metrics", "d" * 64, [row])
    done = merge(other.root, store.root)
    assert done.rows == {"metrics": {"d" * 64}}
    frame = records.read_frames(store.root)["metrics"]
    assert frame.loc[0, "samples"] == 50_000 and frame.loc[0, "value"] == 4.0
    assert not merge(other.root, store.root).rows


@pytest.mark.slow
@pytest.mark.parametrize("with_artifacts", [True, False])
def test_a_metric_that_only_the_source_has_comes_over(
    store: Store, other: Store, commit, with_artifacts: bool
) -> None:
    """Both measured a stage, and one had no memory for a metric."""
    mine, theirs = (measured("a", 1.0, metric)["metrics"] for metric in ("fid", "is"))
    for of, rows in ((store, mine), (other, [*mine, *theirs])):
        if with_artifacts:
            commit(of, "evaluate", "a", {"metrics": rows})
            records.reconcile_one(of, "evaluate", "a" * 64)
        else:
            records.write(of.root, "metrics", "a" * 64, rows)
    assert merge(other.root, store.root, dry_run=True).completed == {"metrics": {"a" * 64}}
    assert merge(other.root, store.root).completed == {"metrics": {"a" * 64}}
    frame = records.read_frames(store.root)["metrics"]
    assert list(frame["metric"]) == ["fid", "is"]
    assert not merge(other.root, store.root).completed
    assert not merge(store.root, other.root).completed
    assert len(records.read_frames(store.root)["metrics"]) == 2


@pytest.mark.slow
def test_rows_that_an_artifact_lost_come_from_the_records(
    store: Store, other: Store, commit
) -> None:
    """A checkpoint comes over though its rows were damaged where it lies: they were recorded."""
    row = {"key": "a" * 64, "model": "DiT-S/8", "step": 4, "loss": 0.5}
    key = commit(other, "train", "a", {"runs": [row]})
    records.reconcile_one(other, "train", key)
    (other.folder("train", key) / "record.json").unlink()
    assert merge(other.root, store.root).artifacts == [("train", key)]
    frame = records.read_frames(store.root)["runs"]
    assert list(frame["key"]) == [key] and list(frame["loss"]) == [0.5]
    assert merge(other.root, store.root).shared == 1
    assert len(records.read_frames(store.root)["runs"]) == 1


def test_a_contradiction_stops_everything(store: Store, other: Store, commit) -> None:
    commit(store, "evaluate", "a", measured("a", 1.0))
    commit(other, "evaluate", "a", measured("a", 2.0))
    commit(other, "evaluate", "b", measured("b", 3.0))
    with pytest.raises(BadInput, match=f"value is 1 in {store.root} and 2 in {other.root}"):
        merge(other.root, store.root)
    assert store.committed(["evaluate"]) == {"a" * 64}
    done = merge(other.root, store.root, keep_ours=True)
    assert len(done.contradictions) == 1
    assert values(store) == {"a": 1.0, "b": 3.0}
    assert json.loads((store.folder("evaluate", "a" * 64) / "record.json").read_text()) == (
        measured("a", 1.0)
    )


@pytest.mark.parametrize("content, times", [(b"cat", 0), (b"cat", 9), (b"dog", 0)])
def test_one_key_of_other_files_is_a_contradiction(
    tmp_path: Path, store: Store, other: Store, content: bytes, times: int
) -> None:
    """Of the same names and sizes: their contents tell; when they were written does not matter."""
    for of, said in ((store, b"cat"), (other, content)):
        place = of.root.parent / "images" / of.root.name
        place.mkdir(parents=True)
        (place / "a.png").write_bytes(said)
        os.utime(place / "a.png", ns=(0, times))
        staging = of.staging("e" * 64)
        files_there = file_lists.look(place, [place / "a.png"])
        whole = file_lists.with_contents(place, files_there)
        file_lists.write(staging / file_lists.FILES, {"data": whole})
        about = {"label": "encode pets", "inputs": {}, "measured": {}, "settings": {}}
        of.commit("encode", "e" * 64, staging, {}, {}, about)
    if content == b"cat":
        assert merge(other.root, store.root).shared == 1
        return
    with pytest.raises(
        BadInput, match=r"encode pets was made of other files there \(data\): 1 fil"
    ):
        merge(other.root, store.root)


def test_without_lists_the_manifests_checksums_tell(store: Store, other: Store) -> None:
    for of, said in ((store, "a" * 64), (other, "b" * 64)):
        staging = of.staging("e" * 64)
        about = {"label": "encode pets", "inputs": {}, "measured": {}, "settings": {}}
        facts = {"autoencoder_sha256": said, "fingerprint": "f" * 64}
        of.commit("encode", "e" * 64, staging, {}, facts, about)
    with pytest.raises(BadInput, match="autoencoder_sha256 is aaaaaaaaaaaa here, bbbbbbbbbbbb the"):
        merge(other.root, store.root)


@pytest.mark.parametrize(
    ("fact", "training", "contradicts"),
    [
        ("autoencoder_sha256", {}, True),  # downloaded: no path of the study names it
        ("extractor_sha256", {}, True),
        ("extractor_sha256", {"steps": 4}, False),  # of the images, on two processors
        ("reference_sha256", {}, False),
    ],
)
def test_lists_of_the_same_images_do_not_speak_for_weights(
    tmp_path: Path, store: Store, other: Store, fact: str, training: Any, contradicts: bool
) -> None:
    """Weights that have no list went unnoticed beside images that have one."""
    place = tmp_path / "images"
    place.mkdir()
    (place / "a.png").write_bytes(b"cat")
    whole = file_lists.with_contents(place, file_lists.look(place, [place / "a.png"]))
    for of, said in ((store, "a" * 64), (other, "b" * 64)):
        staging = of.staging("e" * 64)
        file_lists.write(staging / file_lists.FILES, {"data": whole})
        about = {"label": "encode pets", "inputs": {}, "measured": {}, "settings": {}}
        facts = {fact: said, "fingerprint": "f" * 64, "training": training}
        of.commit("encode", "e" * 64, staging, {}, facts, about)
    if contradicts:
        with pytest.raises(BadInput, match=f"{fact} is aaaaaaaaaaaa here, bbbbbbbbbbbb there"):
            merge(other.root, store.root)
    else:
        assert merge(other.root, store.root).shared == 1


def test_a_damaged_artifact_stays_behind(store: Store, other: Store, commit) -> None:
    bad = commit(other, "train", "a")
    commit(other, "train", "b")
    (other.folder("train", bad) / "payload.bin").write_bytes(b"y" * 1000)
    done = merge(other.root, store.root)
    assert [key[0] for _, key in done.artifacts] == ["b"]
    assert "does not match its checksum" in done.damaged[0]


@pytest.mark.parametrize("both", [False, True], ids=["theirs", "ours too"])
def test_rows_that_were_changed_are_no_numbers(
    both: bool, store: Store, other: Store, commit
) -> None:
    key = commit(other, "evaluate", "a", measured("a", 2.5))
    if both:
        commit(store, "evaluate", "a", measured("a", 2.5))
    for of in (other, store) if both else (other,):
        rows = of.folder("evaluate", key) / "record.json"
        rows.write_text(rows.read_text().replace("2.5", "7.5"))
        for file in (of.root / "records" / "metrics").glob("*"):
            file.unlink()
    merge(other.root, store.root)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert values(store) == {}


def test_a_pruned_artifact_stays_pruned(store: Store, other: Store, commit) -> None:
    key = commit(other, "evaluate", "a", measured("a", 5.0))
    (other.folder("evaluate", key) / "payload.bin").unlink()
    (other.root / "pruned").mkdir()
    (other.root / "pruned" / key).write_text("evaluate\n")
    merge(other.root, store.root)
    assert values(store) == {"a": 5.0}
    assert (store.root / "pruned" / key).exists()
    assert (store.folder("evaluate", key) / "manifest.json").exists()


def test_a_dry_run_creates_nothing(store: Store, other: Store, commit) -> None:
    commit(other, "train", "a")
    done = merge(other.root, store.root, dry_run=True)
    assert len(done.artifacts) == 1 and not store.root.exists()


@pytest.mark.slow
@pytest.mark.parametrize("point", range(1, 48))
def test_killed_anywhere_the_same_command_completes_it(
    store: Store, other: Store, commit, point: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill is an exception that nothing may catch, at each change to the file system in turn."""
    for letter in "ab":
        key = commit(other, "evaluate", letter, measured(letter, 1.0), provenance={"at": letter})
        tried(other, "evaluate", key, 2.0, "failed")
        tried(other, "evaluate", key, 3.0)
    steps = 0

    def step(name: str, path: Path) -> None:
        nonlocal steps
        steps += name not in ("list", "read")
        if steps == point:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(files, "step", step)
        with pytest.raises(KeyboardInterrupt):
            merge(other.root, store.root)
    merge(other.root, store.root)
    assert values(store) == {"a": 1.0, "b": 1.0}
    assert times(store) == {"a": [2, 3], "b": [2, 3]}
    for letter in "ab":
        assert store.open("evaluate", letter * 64) is not None


def tried(store: Store, kind: str, key: str, seconds: float, state: str = "done") -> Attempt:
    """An attempt that took so long, with a log."""
    ledger = Ledger(store.root)
    attempt = ledger.begin(key, kind, f"{kind} {key[0]}")
    Path(attempt.log).parent.mkdir(parents=True, exist_ok=True)
    Path(attempt.log).write_text(attempt.id)
    if state == "running":
        return attempt
    return ledger.end(attempt, state, at=attempt.started + seconds)


def times(store: Store) -> dict[str, list[int]]:
    """Seconds of the attempts at each key, by its letter."""
    ledger = Ledger(store.root)
    found = {key[0]: ledger.attempts(key) for key in sorted(ledger.tried())}
    return {letter: [round(a.seconds) for a in attempts] for letter, attempts in found.items()}


def test_attempts_and_logs_of_what_came_over(store: Store, other: Store, commit) -> None:
    key = commit(other, "train", "a")
    for seconds, state in ((3.0, "failed"), (5.0, "done"), (7.0, "running")):
        tried(other, "train", key, seconds, state)
    done = merge(other.root, store.root)
    failed, well = Ledger(store.root).attempts(key)  # those that ended
    assert (failed.state, well.state) == ("failed", "done")
    assert Path(well.log).read_text() == well.id and store.root in Path(well.log).parents
    path = store.root / "attempts" / key / f"{well.id}.json"
    assert json.loads(path.read_text())["log"] == well.log
    assert times(store) == {"a": [3, 5]} and done.behind_s == 0
    merge(other.root, store.root)
    assert times(store) == {"a": [3, 5]}, "nothing is counted twice"


def test_attempts_of_what_both_made_or_nobody_finished_stay_behind(
    store: Store, other: Store, commit
) -> None:
    for of, host, seconds in ((store, "here", 2.0), (other, "there", 60.0)):
        key = commit(of, "train", "a", provenance={"host": host})
        tried(of, "train", key, seconds)
    tried(other, "train", "b" * 64, 600.0, "failed")
    done = merge(other.root, store.root)
    assert times(store) == {"a": [2]} and done.behind_s == pytest.approx(660)


@pytest.mark.slow
def test_attempts_of_numbers_that_came_alone_are_counted(store: Store, other: Store) -> None:
    for letter in "de":
        key = letter * 64
        records.write(other.root, "metrics", key, measured(letter, 4.0)["metrics"])
        tried(other, "evaluate", key, 5.0, "failed")
        tried(other, "evaluate", key, 3.0)
    tried(store, "evaluate", "e" * 64, 2.0, "failed")  # it is not done here, and was tried
    done = merge(other.root, store.root)
    assert times(store) == {"d": [3], "e": [2]}
    assert done.behind_s == pytest.approx(5 + 5 + 3)


def test_names_of_imported_checkpoints(store: Store, other: Store, commit) -> None:
    commit(other, "train", "a")
    (other.root / "checkpoints").mkdir()
    (other.root / "checkpoints" / "mine.json").write_text('{"key": "a"}')
    (other.root / "checkpoints" / "folder.json").mkdir()
    assert merge(other.root, store.root).names == ["mine"]
    (store.root / "checkpoints" / "mine.json").write_text('{"key": "b"}')
    with pytest.raises(BadInput, match="mine is another one here"):
        merge(other.root, store.root)


def test_folders_that_cannot_be_merged(store: Store, other: Store, tmp_path: Path, commit) -> None:
    commit(store, "train", "a")
    with pytest.raises(Missing, match="no results folder"):
        merge(other.root, store.root)
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="neither artifacts/ nor records/"):
        merge(tmp_path / "empty", store.root)
    with pytest.raises(BadInput, match="the same folder"):
        merge(store.root, store.root / ".." / store.root.name)
