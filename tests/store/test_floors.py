"""Which floor stands beside which number, in records of today and of before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from harness.store import floors, records
from harness.store.frames import read_frames

REFERENCE = "f" * 64


def put(root: Path, key: str, *rows: dict[str, Any]) -> None:
    whole = [{"key": key * 64, "reference_key": REFERENCE, **row} for row in rows]
    records.write(root, "metrics", key * 64, whole)


def samples(metric: str, count: int, **more: Any) -> dict[str, Any]:
    return {"metric": metric, "value": 9.0, "of": "samples", "samples": count, **more}


def floor(metric: str, count: int, value: float, **more: Any) -> dict[str, Any]:
    return {"metric": metric, "value": value, "of": "floor", "samples": count, **more}


def read(root: Path) -> pd.DataFrame:
    return read_frames(root)["metrics"].set_index("key")


BALLS = {"distance_dtype": "float32"}


def test_a_floor_stands_beside_numbers_of_as_many_images_and_the_same_k(tmp_path: Path) -> None:
    put(tmp_path, "1", floor("precision", 40, 0.9, k=3, **BALLS))
    put(tmp_path, "2", floor("precision", 20, 0.7, k=3, **BALLS))
    put(tmp_path, "3", floor("precision", 40, 0.8, k=5, **BALLS))
    put(tmp_path, "a", samples("precision", 40, k=3, **BALLS))
    put(tmp_path, "b", samples("precision", 20, k=3, **BALLS))
    put(tmp_path, "c", samples("precision", 40, k=5, **BALLS))
    put(tmp_path, "d", samples("precision", 50, k=3, **BALLS))
    put(tmp_path, "e", samples("recall", 40, k=3, **BALLS))
    found = read(tmp_path)
    beside = {key[0]: found["floor"][key] for key in found.index if key[0] in "abcde"}
    assert [beside[k] for k in "abc"] == [0.9, 0.7, 0.8]
    assert pd.isna(beside["d"]) and pd.isna(beside["e"])
    assert found["floor_images"]["a" * 64] == 40


def test_another_references_floor_is_none(tmp_path: Path) -> None:
    put(tmp_path, "1", floor("fd", 40, 1.5, reference_key="e" * 64))
    put(tmp_path, "a", samples("fd", 40))
    assert pd.isna(read(tmp_path)["floor"]["a" * 64])


def test_two_floors_that_records_do_not_tell_apart_are_none(tmp_path: Path) -> None:
    """As those of `kid` with two sizes of subsets, which is no column."""
    put(tmp_path, "1", floor("kid", 40, 1.5))
    put(tmp_path, "2", floor("kid", 40, 1.6))
    put(tmp_path, "a", samples("kid", 40))
    assert pd.isna(read(tmp_path)["floor"]["a" * 64])


VAE = {"autoencoder": "sd-vae", "decoder": "mse"}


def test_a_ceiling_stands_beside_numbers_of_the_same_decoder(tmp_path: Path) -> None:
    """Noise that was decoded as the samples were, and as many images of it."""
    put(tmp_path, "1", {**samples("fd", 40, **VAE), "of": "ceiling", "value": 300.0})
    put(tmp_path, "2", floor("fd", 40, 1.5))
    put(tmp_path, "a", samples("fd", 40, **VAE))
    put(tmp_path, "b", samples("fd", 40, **{**VAE, "decoder": "ema"}))
    put(tmp_path, "c", samples("fd", 40, **{**VAE, "autoencoder": "identity"}))
    put(tmp_path, "d", samples("fd", 50, **VAE))
    put(tmp_path, "e", samples("kid", 40, **VAE))
    found = read(tmp_path)
    have = {key[0]: value for key, value in found["ceiling"].items() if pd.notna(value)}
    assert have == {"1": 300.0, "a": 300.0}
    floored = {key[0] for key, value in found["floor"].items() if pd.notna(value)}
    assert floored == {"a", "b", "c"}  # a ceiling has none


def test_rows_that_do_not_say_what_they_are_of_are_of_samples(tmp_path: Path) -> None:
    put(tmp_path, "1", floor("fd", 40, 1.5))
    put(tmp_path, "a", samples("fd", 40, of=None))
    put(tmp_path, "b", samples("fd", 40, of=None, reference_key=None))
    found = read(tmp_path)
    assert found["floor"]["a" * 64] == 1.5 and found["floor_images"]["a" * 64] == 40
    assert pd.isna(found["floor"]["b" * 64])


def before(root: Path) -> None:
    """As version 5 wrote: the floor is the reference's, and stands in the rows of the samples."""
    put(
        root,
        "f",
        floor("fd", 20, 1.5, floor=1.5),
        floor("precision", 20, 0.9, floor=0.9, **BALLS),
    )
    put(root, "a", samples("fd", 40, floor=1.5), samples("precision", 40, floor=0.9, k=3, **BALLS))
    put(root, "b", samples("precision", 40, floor=0.9, k=5, **BALLS))


def test_a_floor_of_before_stays_and_is_one_of_k_3(tmp_path: Path) -> None:
    before(tmp_path)
    found = read(tmp_path)
    own = found[found["of"] == "floor"].set_index("metric")
    assert own["k"]["precision"] == 3 and pd.isna(own["k"]["fd"])
    assert own["floor_images"].tolist() == [20, 20]
    one, other = found.loc["a" * 64].set_index("metric"), found.loc["b" * 64]
    assert one["floor"].to_dict() == {"fd": 1.5, "precision": 0.9}
    assert one["floor_images"].tolist() == [20, 20]
    assert pd.isna(other["floor"]) and pd.isna(other["floor_images"])  # its k is 5


def test_a_floor_of_today_goes_before_one_of_then(tmp_path: Path) -> None:
    before(tmp_path)
    put(tmp_path, "1", floor("fd", 40, 1.2))
    found = read(tmp_path).loc["a" * 64].set_index("metric")
    assert found["floor"]["fd"] == 1.2 and found["floor_images"]["fd"] == 40


def test_a_floor_of_images_that_the_reference_had_is_marked_and_stands_beside_nothing(
    tmp_path: Path,
) -> None:
    before(tmp_path)
    put(tmp_path, "c", samples("fd", 40, of=None, floor=1.5))
    frame = read_frames(tmp_path)["metrics"]
    floors.mark(frame, {"9" * 64: "of another"})
    assert frame["invalid"].isna().all() and frame["floor"].notna().sum() == 5
    floors.mark(frame, {REFERENCE: "its images are among the reference's"})
    own = (frame["of"] == "floor").fillna(False)
    assert (frame["invalid"].notna() == own).all()
    assert set(frame.loc[own, "invalid"]) == {"its images are among the reference's"}
    assert frame.loc[own, "value"].tolist() == [1.5, 0.9]  # what was measured is still told
    assert frame.loc[~own, ["floor", "floor_images"]].isna().all(axis=None)


@pytest.mark.parametrize("rows", [(), (samples("fd", 40),)])
def test_nothing_is_made_of_nothing(tmp_path: Path, rows: tuple[dict[str, Any], ...]) -> None:
    if rows:
        put(tmp_path, "a", *rows)
    assert read(tmp_path)["floor"].isna().all()
