"""`plan` leaves out floors that would say nothing, and old ones are shown as such."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from verbs import Said

from harness.commands.results import floor_lines

STUDY = """
study: own
title: A study of files
data: {{name: own, source: image-folder, path: {path}, image_size: 8, channels: 3, num_classes: 2,
  train_images: 8}}
autoencoder: {{name: identity}}
model: {{depth: 1, width: 8, heads: 2, patch_size: 4}}
train: {{steps: 2, batch_size: 4}}
reference: {{extractor: inception-2015, images: {images}, recall_images: 4, floor_images: 4}}
evaluations: {{final: {{sampling_steps: 2, samples: 4, metrics: [precision], k: 1}}}}
profiles: {{laptop: {{}}}}
"""


def images(root: Path, *parts: str) -> Path:
    for part in parts:
        for i in range(8):
            place = root / part / f"class-{i % 2}"
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((8, 8, 3), i * 8, np.uint8)).save(place / f"{i}.png")
    return root


@pytest.mark.parametrize(
    ("parts", "kept", "planned"),
    [
        (("",), "null", 0),  # the reference is the whole folder
        (("",), "8", 0),
        (("",), "5", 1),  # three are left over
        (("train", "val"), "null", 1),
        ((), "null", 1),  # the folder is not on this machine: the stage itself looks
    ],
)
def test_a_floor_without_images_of_its_own_is_not_planned_and_the_plan_says_what_to_do(
    parts: tuple[str, ...], kept: str, planned: int, tmp_path: Path, verb: Said
) -> None:
    path = images(tmp_path / "images", *parts)
    (tmp_path / "own.yaml").write_text(STUDY.format(path=path, images=kept))
    code, out = verb("plan", str(tmp_path / "own.yaml"), "--stages")
    assert code in (0, 3), out
    assert out.count("floor own inception-2015: 4 real images for final") == planned
    note = "no floor is measured"
    assert (note in out) is not planned
    if not planned:
        assert (
            "hold a folder `val` beside `train`" in out
            and "data.held_out" in out
            and str(path) in out
        )


@pytest.mark.parametrize(
    ("held_out", "planned"), [("0.5", False), ("others", True), ("null", False)]
)
def test_a_share_that_is_held_out_is_part_of_what_statistics_are_of(
    held_out: str, planned: bool, tmp_path: Path, verb: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file does not say of which images it is: all of them, as far as anybody knows."""
    monkeypatch.chdir(tmp_path)
    images(tmp_path / "images", "")
    images(tmp_path / "others", "")
    text = STUDY.format(path="images", images="null").replace("recall_images: 4, ", "")
    Path("own.yaml").write_text(text)
    given = (f"data.held_out={held_out}", "reference.statistics=adm.npz")
    code, out = verb("plan", "own.yaml", "--stages", *(w for o in given for w in ("--set", o)))
    assert code in (0, 3), out
    assert ("real images for final" in out) is planned
    assert ("adm.npz are taken to be of all images of own" in out) is (held_out == "0.5")


def test_the_plan_says_of_how_few_images_a_floor_is(tmp_path: Path, verb: Said) -> None:
    path = images(tmp_path / "images", "train", "val")
    file = tmp_path / "own.yaml"
    file.write_text(STUDY.format(path=path, images="null"))
    few = ("--set", "evaluations.final.floor_images=3")
    said = "the floor of final is of 3 real images beside 4 samples"
    assert said in verb("plan", str(file), *few)[1]
    assert "the floor of final" not in verb("plan", str(file))[1]
    more = ("--set", "evaluations.late={samples: 4, split_size: 2, k: 1, floor_images: 3}")
    out = verb("plan", str(file), *few, *more)[1]
    assert "the floors of final, late are of 3 real images beside 4 samples" in out
    assert "say evaluations.NAME.floor_images: 4" in out and out.count("real images beside") == 1


def test_floors_are_listed_by_images_and_k_with_old_ones_where_there_is_no_newer() -> None:
    rows = [
        ("r", "r", "fd", 1.5, 20, None, None),
        ("r", "r", "precision", 0.9, 20, 3, None),
        ("f", "r", "fd", 1.25, 1000, None, None),
        ("q", "q", "sfd", 0.0, 20, None, "its images are among the reference's"),
    ]
    columns = ["key", "reference_key", "metric", "value", "samples", "k", "invalid"]
    frame = pd.DataFrame(rows, columns=columns).astype({"samples": "Int64", "k": "Int64"})
    assert floor_lines(frame) == [
        "floor (real images): precision 0.9 (20 images, k = 3)",
        "floor (real images): fd 1.25 (1,000 images)",
        "floor (real images): sfd 0 (20 images), invalid: its images are among the reference's",
    ]
    assert floor_lines(frame.iloc[:0]) == []


@pytest.mark.parametrize(
    ("held_out", "advice"),
    [
        (0.5, "For as many say evaluations.final.floor_images: 4"),
        (0.25, "leaves 2: a line needs more held out, or evaluations.final.samples of at most 2"),
    ],
)
def test_no_more_floor_images_are_advised_than_are_held_out(
    held_out: float, advice: str, tmp_path: Path, verb: Said
) -> None:
    text = STUDY.format(path=images(tmp_path / "images", ""), images="4")
    text = text.replace("floor_images: 4", "floor_images: 2")
    text = text.replace("train_images: 8", f"train_images: 8, held_out: {held_out}")
    (tmp_path / "own.yaml").write_text(text)
    code, out = verb("plan", str(tmp_path / "own.yaml"))
    assert code in (0, 3), out
    assert advice in out
