"""`fingerprint`: what a study reads, as it lies there, and if it is what its results are of."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from pets import folder_of_pets, make, study_of
from verbs import Said

from harness.store import Store


@pytest.fixture
def pets(verb: Said) -> Path:
    """A study of an image folder whose images are encoded; in the current folder."""
    study = study_of(folder_of_pets(Path("images")))
    make(study, "encode")
    return study


@pytest.mark.slow
def test_it_says_what_lies_there_and_that_it_is_the_same(pets: Path, verb: Said) -> None:
    code, said = verb("fingerprint", "pets.yaml")
    assert code == 0
    assert "pets at images\n" in said and "6 files, " in said and "6 images" in said
    assert "data at images: 6 files, the same names, sizes and times" in said
    code, said = verb("fingerprint", "pets.yaml", "--contents")
    assert code == 0 and "6 files, the same bytes" in said


@pytest.mark.slow
def test_other_files_are_named_and_exit_1(pets: Path, verb: Said) -> None:
    shutil.copy("images/cat/0.bmp", "images/cat/new.bmp")
    Path("images/dog/1.bmp").unlink()
    code, said = verb("fingerprint", "pets.yaml", "--json")
    told = json.loads(said)
    assert code == 1 and told["data"][0]["files"] == 6
    (compared,) = told["compared"]
    assert compared["other"] is True
    assert (compared["added"], compared["removed"]) == (["cat/new.bmp"], ["dog/1.bmp"])


def test_what_is_not_there_is_said_and_exits_1(pets: Path, verb: Said) -> None:
    shutil.move("images", "away")
    code, said = verb("fingerprint", "pets.yaml")
    assert code == 1 and said.count("not there") == 2


def test_a_study_of_made_images_reads_no_files(verb: Said) -> None:
    assert verb("fingerprint", "tiny.yaml") == (
        0,
        "tiny reads no files: its images are made by the harness\n",
    )


def test_fingerprint_says_what_a_study_may_say(pets: Path, verb: Said) -> None:
    _, out = verb("fingerprint", "pets.yaml")
    said = next(line for line in out.splitlines() if "data.fingerprint:" in line).split()[-1]
    overrides = (f"data.fingerprint={said}",)
    make(pets, "encode", overrides=overrides)  # which is checked against the images
    assert len(Store("results").committed(["encode"])) == 2
