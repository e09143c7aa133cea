"""The study's file: read back as written, named for its content, damage said."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from harness.errors import BadInput
from harness.store import studies
from harness.store.studies import Index, Point, StageOf

INDEX = Index(
    study="rates",
    profile="laptop",
    text="study: rates\n# Größe\n",
    runs=(
        Point("S lr=0.1", {"train.learning_rate": 0.1, "seed": 0}, "DiT-S/2", "DiT", "S"),
        Point("S lr=1e-05", {"train.learning_rate": 1e-5, "seed": 0}, "DiT-S/2", "DiT", "S"),
    ),
    stages={
        "a" * 64: StageOf("encode"),
        "b" * 64: StageOf("evaluate", (0,), ("final", "sweep"), 400),
        "c" * 64: StageOf("complexity", (0, 1)),
    },
    overrides=("seed=0",),
)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = studies.write(tmp_path, INDEX)
    assert path.parent == tmp_path / "studies" and path.name.startswith("rates-laptop-")
    found = studies.read(path)
    assert found.written is not None and dataclasses.replace(found, written=None) == INDEX
    assert studies.write(tmp_path, INDEX) == path  # the same study again
    other = dataclasses.replace(INDEX, overrides=("seed=1",))
    assert studies.write(tmp_path, other) != path


def test_a_stage_of_several_points_has_the_values_they_share() -> None:
    assert INDEX.axes == ("train.learning_rate", "seed")
    assert INDEX.axis("b" * 64, "train.learning_rate") == 0.1
    assert INDEX.axis("c" * 64, "train.learning_rate") is None
    assert INDEX.axis("c" * 64, "seed") == 0
    assert INDEX.label("b" * 64) == "S lr=0.1" and INDEX.label("a" * 64) is None


def test_a_study_is_found_by_its_name_and_the_last_one_is_meant(tmp_path: Path) -> None:
    old = studies.write(tmp_path, dataclasses.replace(INDEX, overrides=("seed=3",)))
    content = json.loads(old.read_text())
    old.write_text(json.dumps({**content, "written": "2020-01-01T00:00:00+00:00"}))
    studies.write(tmp_path, INDEX)
    assert studies.find(tmp_path, "rates").overrides == ("seed=0",)
    assert studies.find(tmp_path, "rates-laptop").overrides == ("seed=0",)
    studies.write(tmp_path, dataclasses.replace(INDEX, profile="im 256/x"))
    with pytest.raises(BadInput, match="several profiles here: say rates-im 256/x or rates-laptop"):
        studies.find(tmp_path, "rates")
    assert studies.find(tmp_path, "rates-im 256/x").profile == "im 256/x"


def test_a_study_that_is_not_there_names_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"known: none"):
        studies.find(tmp_path, "rates")
    studies.write(tmp_path, INDEX)
    with pytest.raises(BadInput, match=r"no study 'rate' was run into .*known: rates-laptop"):
        studies.find(tmp_path, "rate")


@pytest.mark.parametrize("damage", ["empty", "half", "flipped", "folder", "list"])
def test_a_damaged_file_is_named(tmp_path: Path, damage: str) -> None:
    path = studies.write(tmp_path, INDEX)
    data = path.read_bytes()
    if damage == "folder":
        path.unlink()
        path.mkdir()
    else:
        flipped = data.replace(b"0.1", b"0.7", 1)
        contents = {"empty": b"", "half": data[: len(data) // 2], "flipped": flipped, "list": b"[]"}
        path.write_bytes(contents[damage])
    with pytest.raises(BadInput, match="rates-laptop"):
        studies.find(tmp_path, "rates-laptop")


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    path = studies.write(tmp_path, INDEX)
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 2}))
    with pytest.raises(BadInput, match="written by a newer harness"):
        studies.read(path)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2, None], "int64"),
        ([1, 0.5], "float64"),
        ([True, False], "bool"),
        ([True, 1], "string"),
        (["S", 1], "string"),
        ([None], "string"),
    ],
)
def test_an_axis_has_the_type_of_all_its_values(values: list[studies.Value], kind: str) -> None:
    assert studies.kinds(values) == kind
