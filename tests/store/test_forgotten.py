"""What is let go of lies in a results folder of its own, with what was made of it."""

from __future__ import annotations

from pathlib import Path

from committed import commit

from harness.store import forgotten, records
from harness.store.artifacts import Store


def test_what_hangs_on_a_stage_comes_before_it(tmp_path: Path) -> None:
    store = Store(tmp_path)
    data = commit(store, "encode", "a")
    model = commit(store, "train", "b", inputs={"data": data})
    samples = commit(store, "sample", "c", inputs={"checkpoint": model})
    commit(store, "train", "d")
    found = forgotten.hanging(store, [data])
    assert list(found) == [samples, model, data]
    assert found == {samples: "sample", model: "train", data: "encode"}
    assert list(forgotten.hanging(store, [model])) == [samples, model]


def test_what_manifests_do_not_say_can_be_added(tmp_path: Path) -> None:
    store = Store(tmp_path)
    first, second = commit(store, "train", "a"), commit(store, "train", "b")
    assert list(forgotten.hanging(store, [first])) == [first]
    assert list(forgotten.hanging(store, [first], [(second, first)])) == [second, first]


def test_an_artifact_is_moved_with_its_attempts_and_its_progress_is_deleted(tmp_path: Path) -> None:
    store = Store(tmp_path)
    key = commit(store, "train", "a")
    for folder, file in (("attempts", "1.json"), ("scratch", "step-3")):
        (tmp_path / folder / key).mkdir(parents=True)
        (tmp_path / folder / key / file).write_text("{}")
    away = forgotten.place(store)
    forgotten.forget(store, "train", key, away)
    assert not store.committed(["train"]) and not (tmp_path / "scratch" / key).exists()
    assert Store(away).committed(["train"]) == {key}
    assert (away / "attempts" / key / "1.json").exists()
    forgotten.forget(store, "train", key, away)  # again, as after a kill
    assert Store(away).committed(["train"]) == {key}


def test_its_rows_leave_the_records_and_are_kept(tmp_path: Path) -> None:
    store = Store(tmp_path)
    keys = []
    for letter in "ab":
        row = {"key": letter * 64, "metric": "fd", "value": 1.0, "of": "samples"}
        keys.append(commit(store, "evaluate", letter, {"metrics": [row]}))
        records.reconcile_one(store, "evaluate", keys[-1])
    away = forgotten.place(store)
    forgotten.forget_records(store, keys[:1], away)
    forgotten.forget(store, "evaluate", keys[0], away)
    assert list(records.read_frames(tmp_path)["metrics"]["key"]) == keys[1:]
    assert list(records.read_frames(away)["metrics"]["key"]) == keys[:1]


def test_two_folders_of_one_second_are_two(tmp_path: Path) -> None:
    assert forgotten.place(Store(tmp_path)) != forgotten.place(Store(tmp_path))
