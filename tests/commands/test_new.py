"""`new`: a study that is valid at once, says what its settings mean, and fits the user's images."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.cli import main
from harness.commands import new
from harness.components import registry
from harness.components.source import Source
from harness.plan import make_plan
from harness.spec import load_study, profiles


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Twelve images of two classes, 20 to 31 pixels high; the working folder is theirs."""
    monkeypatch.chdir(tmp_path)
    draws = np.random.default_rng(0)
    for name in ("cats", "my dogs"):
        folder = tmp_path / "photos" / name
        folder.mkdir(parents=True)
        for i in range(6):
            pixels = draws.integers(0, 256, (20 + i, 40, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{i}.png")
    return tmp_path / "photos"


@pytest.mark.slow
@pytest.mark.parametrize("template", new.templates())
@pytest.mark.parametrize("with_data", [True, False], ids=["own images", "its data"])
def test_every_template_gives_a_study_that_can_be_planned(
    photos: Path, template: str, with_data: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ["--data", "photos"] if with_data else []
    assert main(["new", "mine", "--from", template, *data]) == 0
    said = capsys.readouterr().out
    assert "laptop: " in said and "checked" in said
    assert ("left out" in said) == (template == "decoders" and with_data)  # which needs latents
    assert main(["validate", "mine.yaml"]) == 0
    for profile in profiles("mine.yaml"):
        assert len(load_study("mine.yaml", profile).runs)
    if with_data:
        data_section = load_study("mine.yaml", "laptop").settings.data
        assert (data_section.num_classes, data_section.train_images) == (2, 12)
        assert data_section.path == "photos" and data_section.image_size == 16
        grids = load_study("mine.yaml", "laptop").settings.report.grids
        assert [g.label for g in grids] == ([0, 0, 1] if template == "guidance" else [])
    else:
        assert make_plan(load_study("mine.yaml")).stages.keys() == (
            make_plan(load_study(template)).stages.keys()
        ), "a study under another name has the same keys"


@pytest.mark.slow
def test_a_folder_with_enough_images_gets_an_extractor_of_its_own(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Which needs no network; the parts of the images that it names are disjoint and fit."""
    for name in ("cats", "my dogs"):
        for i in range(6, 160):
            (photos / name / f"{i}.png").write_bytes((photos / name / "0.png").read_bytes())
    assert main(["new", "mine", "--data", "photos"]) == 0
    for profile in ("laptop", "gpu"):
        reference = load_study("mine.yaml", profile).settings.reference
        assert reference is not None and reference.extractor.name == "classifier"  # type: ignore[union-attr]
        assert (reference.extractor_images, reference.floor_images) == (144, 32)
        assert reference.images in (None, 144) and reference.recall_images == 144
        evaluations = load_study("mine.yaml", profile).evaluations
        asked = {n: [getattr(m, "name", m) for m in e.metrics] for n, e in evaluations.items()}
        copies = {name for name, metrics in asked.items() if "near_copies" in metrics}
        assert copies == {"final"}  # of so few images; once, at the end


@pytest.mark.slow
def test_what_it_says_of_the_folder(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (photos / "cats" / "0.png").write_bytes(b"no image")
    assert main(["new", "mine", "--data", "photos"]) == 0
    said = capsys.readouterr().out
    assert "12 images of 2 classes (cats, my dogs)" in said
    assert "shorter side 20 to 25 pixels" in said and "1 of 12 cannot be read" in said


@pytest.mark.slow
@pytest.mark.slow
@pytest.mark.parametrize(("counts", "uneven"), [((30, 32), False), ((90, 6), True)])
def test_samples_are_as_uneven_as_the_classes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, counts: tuple[int, int], uneven: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, count in zip("ab", counts, strict=True):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for i in range(count):
            Image.new("RGB", (24, 24), (i, 0, 0)).save(tmp_path / "pets" / name / f"{i}.png")
    assert main(["new", "own", "--data", "pets"]) == 0
    text = Path("own.yaml").read_text()
    assert ("6 to 90 images a class" in text) == ("labels: data" in text) == uneven
    for profile in ("laptop", "gpu"):
        study = load_study("own.yaml", profile)
        drawn = {each.labels for each in study.evaluations.values()}
        assert drawn == ({"data"} if uneven else {"uniform"})


@pytest.mark.slow
def test_it_tells_editors_where_the_schema_is(photos: Path) -> None:
    assert main(["new", "mine"]) == 0
    first = Path("mine.yaml").read_text().splitlines()[0]
    assert first == "# yaml-language-server: $schema=study.schema.json"
    assert '"$schema"' in Path("study.schema.json").read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["a/b"], "use letters"),
        ([".."], "use letters"),
        (["x", "--from", "complexity"], "begin with one of blocks"),
        (["x", "--from", "../scaling"], "begin with one of blocks"),
        (["x", "--data", "nowhere"], "there is no such folder"),
        (["x", "--data", "empty"], "no source of images recognises it; image-folder reads"),
        (["x", "--data", "packed/val.tgz"], "val.tgz: an empty file (0 bytes); was its copying"),
        (["x", "--data", "packed"], "; unpack train.zip and 1 more first; image-folder reads"),
        (["x", "--data", "narrow"], "none of 4 images looked at can be read: a/0.png: is 3 x 400"),
        (["x", "--data", "bell\a"], r"no study can hold '\x07' in a path; rename the folder"),
        (["x", "--data", os.fsdecode(b"\xff")], r"no study can hold '\udcff' in a path"),
        (["taken"], "is there already"),
    ],
)
def test_bad_input_writes_nothing(
    photos: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos.parent / "empty").mkdir()
    for name in ("packed/train.zip", "packed/val.tgz"):
        (photos.parent / "packed").mkdir(exist_ok=True)
        (photos.parent / name).touch()
    (photos.parent / "narrow" / "a").mkdir(parents=True)
    for i in range(4):
        Image.new("RGB", (3, 400)).save(photos.parent / "narrow" / "a" / f"{i}.png")
    for name in ("bell\a", os.fsdecode(b"\xff")):
        shutil.copytree(photos, photos.parent / name)
    Path("taken.yaml").write_text("mine\n")
    assert main(["new", *arguments]) == 2
    assert said in capsys.readouterr().err
    assert Path("taken.yaml").read_text() == "mine\n" and not Path("x.yaml").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["line\nbreak", "a: b # c", "{x}", "~", "-x", "caf\u00e9 '\"", "tab\t"]
)
def test_a_folder_of_any_name_gives_a_study_that_can_be_read(
    photos: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line break in the name ended the comment at the study's top."""
    photos.rename(photos.parent / name)
    assert main(["new", "mine", "--data", f"./{name}"]) == 0
    assert load_study("mine.yaml").settings.data.path == f"./{name}"


@pytest.mark.slow
def test_a_template_that_does_not_go_with_the_images_is_named(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And not a temporary file, which was all that it said."""
    assert main(["new", "mine", "--from", "guidance", "--data", "photos/cats"]) == 2
    said = capsys.readouterr().err
    assert "--from guidance does not go with these images: guidance.scale is other than 1" in said
    assert "mine.yaml" not in said and not Path("mine.yaml").exists()


@pytest.mark.slow
def test_a_single_folder_may_hold_all_images(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos.parent / "set").mkdir()
    photos.rename(photos.parent / "set" / "photos")
    assert main(["new", "mine", "--data", "set"]) == 0
    assert "or their class folders, say --data set/photos" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "said", "classes"),
    [
        ("cifar", "15 images of 10 classes", 10),
        ("parquet", "12 images of 3 classes", 3),
        ("arrays", "12 images of 3 classes", 3),
        ("webdataset", "12 images of 3 classes", 3),
        ("imagenet-npz", "12 images of 1,000 classes", 1000),
        ("unlabelled-folder", "12 images without labels", 0),
    ],
)
def test_it_finds_the_source_of_whatever_lies_there(
    photos: Path, name: str, said: str, classes: int, capsys: pytest.CaptureFixture[str]
) -> None:
    source = registry.get("source", name)()
    assert isinstance(source, Source)
    path = source.example(photos.parent / "mine", 0)
    assert main(["new", "x", "--data", str(path)]) == 0
    assert said in capsys.readouterr().out
    found = load_study("x.yaml").settings.data
    assert found.source == source and found.num_classes == classes
    extractor = load_study("x.yaml").settings.reference.extractor  # type: ignore[union-attr]
    assert classes or not extractor.needs_labels  # type: ignore[union-attr]


@pytest.mark.slow
def test_where_the_schema_cannot_be_written_the_name_is_not_taken(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    schema = Path("study.schema.json")
    schema.mkdir()
    assert main(["new", "mine"]) == 2
    assert "study.schema.json cannot be written" in capsys.readouterr().err
    schema.rmdir()
    assert main(["new", "mine"]) == 0


@pytest.mark.slow
def test_gray_images_and_transparency_are_said(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in photos.rglob("*.png"):
        Image.open(path).convert("L" if path.stem != "0" else "RGBA").save(path)
    assert main(["new", "x", "--data", "photos"]) == 0
    said = capsys.readouterr().out
    assert "2 of 12 with transparency, which is dropped; 10 of 12 gray" in said
    assert load_study("x.yaml").settings.data.channels == 3


@pytest.mark.slow
def test_an_embedded_sets_name_is_not_taken(photos: Path) -> None:
    photos.rename(photos.parent / "digits")
    assert main(["new", "mine", "--data", "digits"]) == 0
    assert load_study("mine.yaml").settings.data.name == "my-digits"


@pytest.mark.slow
def test_what_lies_there_and_is_not_read_is_told(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (20, 20)).save(photos / "loose.png")
    assert main(["new", "mine", "--data", "photos"]) == 0
    assert "note: photos: 1 image lies beside the class folders" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(("images", "labels"), [("x", "y"), ("X", "y"), ("image", "label")])
def test_arrays_of_usual_names_are_recognised(photos: Path, images: str, labels: str) -> None:
    arrays = {images: np.zeros((40, 16, 16, 3), np.uint8), labels: np.arange(40) % 4}
    np.savez("data.npz", **arrays)
    assert main(["new", "mine", "--data", "data.npz"]) == 0
    data = load_study("mine.yaml").settings.data
    assert (data.num_classes, data.train_images) == (4, 40)
