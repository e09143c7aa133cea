"""Records from before a column existed compare with those that have it."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from record_files import put_parquet

from harness.plan.keys import canonical
from harness.plan.stages import TrainStage
from harness.store import Store, completed, records, tables
from harness.store.records import UnreadableRecords, read_frames

SETTINGS = {
    "architecture": {
        **{"depth": 2, "width": 32, "heads": 2, "patch_size": 4, "block": "adaln-zero"},
        **{"input_size": 8, "channels": 1, "num_classes": 10},
    },
    "diffusion_steps": 1000,
    "recipe": {
        **{"batch_size": 8, "learning_rate": 1e-4, "weight_decay": 0.0, "betas": [0.9, 0.999]},
        **{"ema": 0.9999, "label_dropout": 0.1, "grad_clip": None, "precision": "float32"},
        "tf32": False,
    },
    "flip": True,
    "seed": 0,
    "step": 20,
}


def write_as_before(root: Path, table: str, key: str, row: dict[str, object]) -> None:
    """A fragment of version 1: Parquet, and the columns that came since are not there."""
    content = pa.Table.from_pylist([row], schema=records.schema(table))
    since = ["recipe", "guidance_low", "guidance_high", "clip", "sampling_precision", "objective"]
    content = content.drop_columns([c for c in since if c in content.column_names])
    put_parquet(root, table, key, content.replace_schema_metadata({"version": "1"}))


def test_the_recipe_is_what_the_train_stage_writes_today() -> None:
    from harness.stages.trained import recipe_of

    text = canonical(SETTINGS)
    assert completed.recipe(text) == canonical(recipe_of(TrainStage.model_validate_json(text)))


def test_older_records_are_filled_in_from_what_they_and_their_artifacts_say(tmp_path: Path) -> None:
    train, sample, evaluate, lone = ("a" * 64, "b" * 64, "c" * 64, "d" * 64)
    write_as_before(tmp_path, "runs", train, {"key": train, "settings": canonical(SETTINGS)})
    row = {"key": evaluate, "metric": "fd_x", "value": 2.0, "checkpoint_key": train}
    drawn = {"sampler": "ddim", "sample_key": sample}
    write_as_before(tmp_path, "metrics", evaluate, {**row, **drawn})
    floor = {"key": lone, "metric": "fd_x", "value": 1.0, "of": "floor"}
    write_as_before(tmp_path, "metrics", lone, floor)
    store = Store(tmp_path)
    about = {"settings": {"precision": "float32", "tf32": True}}
    store.commit("sample", sample, store.staging(sample), {}, {}, about)

    frames = read_frames(tmp_path)
    assert json.loads(frames["runs"]["recipe"][0])["ema"] == 0.9999
    measured, real = (frames["metrics"].iloc[i] for i in (0, 1))
    assert measured["recipe"] == frames["runs"]["recipe"][0]
    assert measured["clip"] is False and measured["sampling_precision"] == "tf32"
    assert real[["recipe", "clip", "sampling_precision"]].isna().all()


def test_before_version_5_all_was_trained_by_ddpm_and_a_floor_by_nothing(tmp_path: Path) -> None:
    train, evaluate, floor = ("a" * 64, "c" * 64, "d" * 64)
    write_as_before(tmp_path, "runs", train, {"key": train, "settings": canonical(SETTINGS)})
    row = {"key": evaluate, "metric": "fd_x", "checkpoint_key": train, "sample_key": "b" * 64}
    write_as_before(tmp_path, "metrics", evaluate, {**row, "sampler": "ddim"})
    write_as_before(tmp_path, "metrics", floor, {"key": floor, "metric": "fd_x", "of": "floor"})
    today = {"objective": "flow", "recipe": "its own"}
    records.write(tmp_path, "runs", "e" * 64, [{"key": "e" * 64, **today}])
    row = {"key": "f" * 64, "metric": "fd_x", "checkpoint_key": "e" * 64, **today}
    drawn = {"sampler": "flow-euler", "sample_key": "9" * 64, "clip": True}
    records.write(tmp_path, "metrics", "f" * 64, [{**row, **drawn, "sampling_precision": "bf16"}])
    frames = read_frames(tmp_path)
    assert frames["runs"]["objective"].tolist() == ["ddpm", "flow"]
    assert frames["runs"]["recipe"].tolist()[1] == "its own"
    metrics = frames["metrics"].set_index("key")
    assert metrics.loc[evaluate, "objective"] == "ddpm" and pd.isna(metrics.loc[floor, "objective"])
    new = metrics.loc["f" * 64]
    found = [new[name] for name in ("objective", "recipe", "clip", "sampling_precision")]
    assert found == ["flow", "its own", True, "bf16"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "precision"),
    [
        ({"precision": "float32", "tf32": True}, "tf32"),
        ({"precision": "float32", "tf32": False}, "float32"),
        ({"precision": "bf16", "tf32": True}, "bf16"),
        ({"precision": "bf16", "tf32": False}, "bf16"),
        ({}, None),
    ],
)
def test_a_precision_is_what_the_samples_were_drawn_in(
    tmp_path: Path, settings: dict[str, object], precision: str | None
) -> None:
    key, sample = "c" * 64, "b" * 64
    row = {"key": key, "metric": "fd_x", "sampler": "ddim", "sample_key": sample}
    write_as_before(tmp_path, "metrics", key, row)
    store = Store(tmp_path)
    store.commit("sample", sample, store.staging(sample), {}, {}, {"settings": settings})
    found = read_frames(tmp_path)["metrics"]["sampling_precision"]
    assert [None if pd.isna(each) else each for each in found] == [precision]


def test_what_nothing_says_any_more_stays_null(tmp_path: Path) -> None:
    key = "c" * 64
    row = {"key": key, "metric": "fd_x", "sampler": "ddim", "sample_key": "b" * 64}
    write_as_before(tmp_path, "metrics", key, {**row, "checkpoint_key": "a" * 64})
    frame = read_frames(tmp_path)["metrics"]
    assert frame[["recipe", "sampling_precision"]].isna().all(axis=None)


def test_records_of_a_newer_harness_are_refused_and_not_rewritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "VERSION", tables.VERSION + 1)
    records.write(tmp_path, "metrics", "a" * 64, [{"key": "a" * 64, "metric": "m"}])
    monkeypatch.undo()
    before = sorted((tmp_path / "records" / "metrics").iterdir())
    with pytest.raises(UnreadableRecords, match="newer harness"):
        read_frames(tmp_path)
    records.compact(tmp_path, above=0)  # would lose the columns that are not known here
    assert sorted((tmp_path / "records" / "metrics").iterdir()) == before
