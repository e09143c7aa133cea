"""Which files from outside a stage reads."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from harness.plan.reads import FIELDS, OF_KIND, PATHS, SPLITS, files_of, where
from harness.plan.stages import STAGE_SETTINGS, Place

SOURCE: Any = SimpleNamespace(made=False, listing=lambda path, split: [f"{path}/{split}.png"])


def test_every_role_has_a_path_of_the_place_and_a_field_of_the_study() -> None:
    roles = {role for roles in OF_KIND.values() for role in roles}
    assert roles == set(PATHS) == set(FIELDS)
    assert set(PATHS.values()) <= {field.name for field in fields(Place)}
    assert set(OF_KIND) <= set(STAGE_SETTINGS) and set(SPLITS) <= roles


def test_held_out_images_lie_where_the_study_says() -> None:
    place = Place(data_path="images")
    assert where("data", place) == where("floor", place) == "images"
    apart = Place(data_path="images", held_out_path="others")
    assert where("data", apart) == "images" and where("floor", apart) == "others"
    assert where("statistics", place) is None


def test_a_source_lists_its_part_of_the_images() -> None:
    place = Place(data_path="images")
    assert files_of("data", place, SOURCE) == ["images/train.png"]
    assert files_of("floor", place, SOURCE) == ["images/floor.png"]
    apart = Place(data_path="images", held_out_path="others")
    assert files_of("floor", apart, SOURCE) == ["others/train.png"], "all of that folder"


def test_images_that_are_made_and_paths_that_are_not_given_have_no_files() -> None:
    made: Any = SimpleNamespace(made=True)
    assert files_of("data", Place(data_path="images"), made) == []
    assert files_of("extractor", Place(), made) == []


def test_weights_are_every_file_below_their_path(tmp_path: Path) -> None:
    (tmp_path / "vae").mkdir()
    for name in ("config.json", "model.safetensors"):
        (tmp_path / "vae" / name).write_text("")
    found = files_of("autoencoder", Place(autoencoder_weights=str(tmp_path / "vae")), SOURCE)
    assert sorted(Path(each).name for each in found) == ["config.json", "model.safetensors"]
