"""A part held out of training: one that cannot be, or is too small, is refused by its field."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.plan import make_plan
from harness.spec import BadStudy, load_study

STUDY = """\
study: own
data: {%s}
model: {family: DiT-micro, size: S, patch_size: 2}
train: {steps: 10}
"""


def study(folder: Path, data: str) -> Path:
    path = folder / "own.yaml"
    path.write_text(STUDY % data)
    return path


HELD = "name: a, source: image-folder, path: photos, image_size: 8, num_classes: 3, train_images: "


def held(tmp_path: Path, data: str, reference: str = "floor_images: 10") -> Path:
    path = study(tmp_path, HELD + data)
    path.write_text(path.read_text() + f"reference: {{extractor: clip, {reference}}}\n")
    return path


@pytest.mark.parametrize(
    ("data", "reference", "said"),
    [
        ("600, held_out: 0", "", "must be a share above 0 and up to 0.5, or a folder"),
        ("600, held_out: 0.6", "", "must be a share above 0 and up to 0.5, or a folder"),
        ("600, held_out: ''", "", "this one is empty"),
        ("6, held_out: 0.1", "", r"0\.1 of 6 images is 1, and a comparison needs 2"),
        (
            "600, held_out: 0.1",
            "floor_images: 61",
            r"0\.1 of 600 images leaves 60 for reference.floor_images, which is 61",
        ),
        ("600, held_out: 0.1", "images: 541", r"leaves 540 for reference.images, which is 541"),
        (
            "600, held_out: 0.1",
            "images: 61, held_out: true",
            "leaves 60 for reference.images, which is 61",
        ),
        ("600", "held_out: true", r"nothing is held out: give data\.held_out"),
        (
            "600, held_out: 0.1",
            "held_out: true, statistics: a.npz",
            "statistics are of other images",
        ),
    ],
)
def test_a_split_that_cannot_be_is_refused(
    tmp_path: Path, data: str, reference: str, said: str
) -> None:
    with pytest.raises(BadStudy, match=said):
        load_study(held(tmp_path, data, reference or "floor_images: 10"))


@pytest.mark.parametrize("asked", [60, 61])
def test_an_evaluation_asks_for_no_more_floor_images_than_are_held_out(
    tmp_path: Path, asked: int
) -> None:
    path = held(tmp_path, "600, held_out: 0.1", "floor_images: 10")
    final = f"{{final: {{samples: 100, metrics: [fd], floor_images: {asked}}}}}"
    path.write_text(path.read_text() + f"evaluations: {final}\n")
    if asked == 60:
        load_study(path)
        return
    with pytest.raises(BadStudy, match=r"leaves 60 for evaluations\.final\.floor_images, which is"):
        load_study(path)


def test_embedded_sets_hold_nothing_out(tmp_path: Path) -> None:
    with pytest.raises(BadStudy, match="source 'embedded' makes others for floors"):
        load_study(study(tmp_path, "train_images: 100, held_out: 0.1"))


def test_what_is_held_out_is_in_the_keys_that_it_changes(tmp_path: Path) -> None:
    """By rule, training has fewer images; a folder of others changes floors alone."""

    def settings(data: str, reference: str = "") -> dict[str, str]:
        path = held(tmp_path, data, f"floor_images: 10{reference}")
        final = "{final: {samples: 10, metrics: [fd]}}"
        path.write_text(path.read_text() + f"evaluations: {final}\n")
        plan = make_plan(load_study(path))
        return {stage.kind: stage.key for stage in plan.stages.values()}

    plain, rule, folder, other = (
        settings(f"600{more}")
        for more in ("", ", held_out: 0.1", ", held_out: a/val", ", held_out: b/val2")
    )
    assert rule["encode"] != plain["encode"] and rule["train"] != plain["train"]
    assert folder["encode"] == other["encode"] == plain["encode"]
    assert len({each["reference"] for each in (plain, rule, folder, other)}) == 4
    assert settings("600, held_out: c/val")["reference"] == folder["reference"]  # wherever it lies
    swapped = settings("600, held_out: 0.1", ", held_out: true")
    assert swapped["reference"] != rule["reference"] and swapped["train"] == rule["train"]
