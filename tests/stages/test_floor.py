"""The floor: real images measured as samples are, and never those that the reference is made of."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from harness.components import registry
from harness.errors import BadInput, HarnessError
from harness.metrics import Reference
from harness.stages import real_images
from harness.store import component_files
from harness.store.frames import read_frames

EXTRACTOR = Path(__file__).parents[1] / "example_components" / "harness_example" / "extractor.py"

Laboratory = Any  # conftest.py's; pytest gives it without an import
pytestmark = pytest.mark.filterwarnings("ignore:.*covariance is rank-deficient")
SIX = ("fd", "is", "precision", "density", "coverage", "kid")
METRICS = (
    "evaluations.final.metrics=[fd, is, precision, density, coverage, {name: kid, subset_size: 20}]"
)


@pytest.fixture
def laboratory(prepared: Laboratory, tmp_path: Path) -> Laboratory:
    return prepared.copy(tmp_path)


def floor(laboratory: Laboratory, *overrides: str) -> dict[str, dict[str, Any]]:
    """The rows of a floor stage by metric."""
    task = laboratory.task("floor", *overrides)
    laboratory.make(task, *overrides)
    laboratory.run(task)
    return {row["metric"]: row for row in laboratory.rows(task, "metrics")}


@pytest.mark.slow
def test_it_is_measured_for_every_metric_asked_with_the_k_asked(laboratory: Laboratory) -> None:
    rows = floor(laboratory, METRICS, "evaluations.final.k=5", "reference.floor_images=200")
    assert set(rows) == {f"{name}_glyphs_cnn" for name in SIX}
    assert rows["precision_glyphs_cnn"]["k"] == 5
    for row in rows.values():
        assert row["of"] == "floor" and row["floor"] == row["value"]
        assert row["samples"] == row["floor_images"] == 40  # as many as samples: there are enough
        assert row["data"] == "glyphs" and len(row["reference_sha256"]) == 64
    other = floor(laboratory, METRICS, "evaluations.final.k=3", "reference.floor_images=200")
    name = "precision_glyphs_cnn"
    assert other[name]["k"] == 3 and other[name]["key"] != rows[name]["key"]


@pytest.mark.slow
def test_with_fewer_real_images_it_is_of_those_in_one_chunk(laboratory: Laboratory) -> None:
    rows = floor(laboratory)
    assert {row["samples"] for row in rows.values()} == {30}
    assert rows["is_glyphs_cnn"]["split_size"] == 30


def test_its_key_holds_what_it_is_measured_with_and_no_sample_depends_on_it(
    laboratory: Laboratory,
) -> None:
    first = laboratory.task("floor")
    for change in ("metrics=[fd]", "k=4", "split_size=20", "floor_images=25"):
        assert laboratory.task("floor", f"evaluations.final.{change}").key != first.key, change
    for same in ("sampling_steps=2", "seed=2", "batch_size=8", "floor_images=30"):
        assert laboratory.task("floor", f"evaluations.final.{same}").key == first.key, same
    for kind in ("sample", "evaluate", "reference"):
        own = laboratory.task(kind).key
        assert laboratory.task(kind, "evaluations.final.floor_images=25").key == own
    stages = laboratory.plan("evaluations.final.keep_images=none").stages.values()
    assert not [s for s in stages if first.key in s.needs]
    without = laboratory.plan("reference.floor_images=0").stages.values()
    assert "floor" not in {s.kind for s in without}


@pytest.mark.slow
def test_what_stands_beside_the_samples_is_the_floor_of_their_number_and_k(
    laboratory: Laboratory,
) -> None:
    enough = "reference.floor_images=40"
    values = {name: row["value"] for name, row in floor(laboratory, enough).items()}
    for k in (3, 4):
        task = laboratory.task("evaluate", enough, f"evaluations.final.k={k}")
        laboratory.make(task, enough, f"evaluations.final.k={k}")
        laboratory.run(task)
        assert {row.get("floor") for row in laboratory.rows(task, "metrics")} == {None}
        metrics = read_frames(laboratory.store.root)["metrics"]
        beside = metrics[metrics["key"] == task.key].set_index("metric")["floor"]
        assert beside["fd_glyphs_cnn"] == values["fd_glyphs_cnn"]
        assert bool(beside.isna()["precision_glyphs_cnn"]) is (k == 4)


def folder(root: Path, count: int, held_out: int = 0) -> Path:
    """Images of two classes, each of its own noise; `held_out` of them in val/."""
    random = np.random.default_rng(0)
    for part, images in (("train", count), ("val", held_out)):
        for i in range(images):
            place = root / part / f"class-{i % 2}" if held_out else root / f"class-{i % 2}"
            place.mkdir(parents=True, exist_ok=True)
            pixels = random.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(place / f"{part}-{i:03d}.png")
    return root


def on_files(path: Path, *more: str) -> tuple[str, ...]:
    data = "{name: own, source: image-folder, image_size: 8, channels: 3, num_classes: 2, "
    return (
        f"data={data}path: {path}, train_images: 30}}",
        "components=[extractor.py]",
        "reference.extractor=random-filters",
        "reference.images=null",
        "evaluations.final.metrics=[fd]",
        *more,
    )


@pytest.fixture
def shown(laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[np.ndarray]]:
    """Every image that the stages show an extractor that takes any, as it comes."""
    shutil.copy(EXTRACTOR, laboratory.root)
    seen: list[np.ndarray] = []
    for module in ("reference", "floor"):
        monkeypatch.setattr(f"harness.stages.{module}.batches", spy(seen))
    yield seen
    registry.forget_files()


def spy(seen: list[np.ndarray]) -> Any:
    def batches(*args: Any) -> Iterator[np.ndarray]:
        for batch in real_images.batches(*args):
            seen.extend(batch)
            yield batch

    return batches


def images_of(laboratory: Laboratory, kind: str, shown: list[np.ndarray], *more: str) -> set[bytes]:
    """What one stage shows its extractor."""
    shown.clear()
    component_files.keep(laboratory.plan(*more).study.components, laboratory.store.root)
    laboratory.run(laboratory.task(kind, *more))
    assert shown
    return {image.tobytes() for image in shown}


@pytest.mark.slow
@pytest.mark.parametrize("held_out", [0, 12])
def test_the_images_of_a_floor_are_never_those_of_the_reference(
    held_out: int, laboratory: Laboratory, tmp_path: Path, shown: list[np.ndarray]
) -> None:
    """By folder where there is a val/, else by index: what the reference leaves over."""
    path = folder(tmp_path / "images", 30, held_out)
    said = on_files(path, *([] if held_out else ["reference.images=20"]))
    of_reference = images_of(laboratory, "reference", shown, *said)
    of_floor = images_of(laboratory, "floor", shown, *said)
    assert len(of_reference) == (30 if held_out else 20)
    assert len(of_floor) == (12 if held_out else 10) and not of_floor & of_reference


@pytest.mark.parametrize("kind", ["reference", "floor"])
def test_real_images_of_a_gray_study_are_gray_as_its_samples_are(
    kind: str, laboratory: Laboratory, tmp_path: Path, shown: list[np.ndarray]
) -> None:
    """Of colours, the distance of gray samples would hold what no model can learn."""
    said = on_files(folder(tmp_path / "images", 30, 12), "data.channels=1")
    images_of(laboratory, "reference", shown, *said)
    if kind == "floor":
        images_of(laboratory, "floor", shown, *said)
    assert all((image == image[..., :1]).all() for image in shown)
    of = "train" if kind == "reference" else "val"
    files = sorted((tmp_path / "images" / of).rglob("*.png"))
    wanted = {np.asarray(Image.open(f).convert("L")).tobytes() for f in files}
    assert {image[..., 0].tobytes() for image in shown} == wanted


@pytest.mark.slow
def test_images_that_cannot_be_read_are_left_out_of_both_where_the_study_allows_them(
    laboratory: Laboratory, tmp_path: Path, shown: list[np.ndarray]
) -> None:
    path = folder(tmp_path / "images", 28)
    for name in ("a", "z"):
        (path / "class-0" / f"{name}.png").write_bytes(b"not an image")
    said = on_files(path, "reference.images=20")
    with pytest.raises(HarnessError, match=r"\.png: cannot be decoded.*raise data\.max_corrupt"):
        images_of(laboratory, "reference", shown, *said)
    some = (*said, "data.max_corrupt=2")
    of_reference = images_of(laboratory, "reference", shown, *some)
    of_floor = images_of(laboratory, "floor", shown, *some)
    assert len(of_reference | of_floor) == len(of_reference) + len(of_floor) == 28


def test_where_the_reference_is_made_of_all_images_there_is_no_floor(
    laboratory: Laboratory, tmp_path: Path, shown: list[np.ndarray]
) -> None:
    said = on_files(folder(tmp_path / "images", 30))
    images_of(laboratory, "reference", shown, *said)
    with pytest.raises(BadInput, match=r"no image is left for a floor.*folder `val`"):
        laboratory.run(laboratory.task("floor", *said))


@pytest.mark.slow
def test_features_come_from_the_extractor_of_the_reference(laboratory: Laboratory) -> None:
    rows = floor(laboratory)
    known = laboratory.store.open("reference", laboratory.task("reference").key)
    reference = Reference.load(known.file("reference.npz"))
    assert {row["extractor_sha256"] for row in rows.values()} == {reference.extractor_sha256}
