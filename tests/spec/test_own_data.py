"""A study of one's own images says what planning needs, or is told what to paste."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from PIL import Image

from harness.cli import main
from harness.components import registry
from harness.components.source import Source
from harness.dispatch.preflight import problems
from harness.plan import make_plan
from harness.spec import BadStudy, load_study

STUDY = """\
study: own
data: {%s}
model: {family: DiT-micro, size: S, patch_size: 2}
train: {steps: 10}
"""


REFERENCE = """\
reference: {extractor: random-conv, floor_images: 3}
evaluations: {final: {samples: 10, metrics: [fd]}}
"""


def study(folder: Path, data: str) -> Path:
    path = folder / "own.yaml"
    path.write_text(STUDY % data)
    return path


@pytest.fixture(autouse=True)
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for k in range(6):
        path = tmp_path / "photos" / f"kind{k % 3}" / f"{k}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (40, 33 + k), 20 * k).save(path)
    return tmp_path / "photos"


def test_the_lines_to_paste_make_the_study_valid(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = study(tmp_path, "source: image-folder, path: photos")
    for verb in ("plan", "validate", "run"):
        assert main([verb, str(path)]) == 2
    said = capsys.readouterr().err
    assert "own.yaml:2: data does not say name, image_size, num_classes" in said
    assert "photos has 6 images of 3 classes (kind0, kind1, kind2), shorter side 33 to 38" in said
    assert "6 of 6 gray" in said
    block = said[: said.index("\nerror:", said.index("paste these lines"))]
    lines = "\n".join(line for line in block.splitlines() if line.startswith("  "))
    data = yaml.safe_load(lines)["data"]
    assert data == {
        "name": "photos",
        "source": "image-folder",
        "path": "photos",
        "image_size": 32,
        "channels": 1,
        "num_classes": 3,
        "train_images": 6,
    }
    pasted = path.read_text().replace("data: {source: image-folder, path: photos}", lines.lstrip())
    path.write_text(pasted.replace("data:\n", "data:\n", 1))
    assert main(["validate", str(path)]) == 0


def test_what_was_said_stays_as_it_was_said(tmp_path: Path) -> None:
    with pytest.raises(BadStudy, match=r"does not say num_classes(.|\n)*name: mine(.|\n)*size: 16"):
        load_study(
            study(tmp_path, "name: mine, source: image-folder, path: photos, image_size: 16")
        )


def test_without_a_path_or_with_a_bad_one_it_says_which_fields(tmp_path: Path) -> None:
    with pytest.raises(BadStudy, match=r"does not say name, image_size, num_classes.*data\.path"):
        load_study(study(tmp_path, "source: parquet"))
    with pytest.raises(BadStudy, match=r"What lies at nowhere does not tell: nowhere is not"):
        load_study(study(tmp_path, "source: parquet, path: nowhere"))


@pytest.mark.parametrize("name", [n for n in registry.names("source") if n != "embedded"])
def test_every_source_tells(name: str, tmp_path: Path) -> None:
    source = registry.get("source", name)()
    assert isinstance(source, Source)
    path = source.example(tmp_path / "example", 0)
    with pytest.raises(BadStudy, match=rf"paste(.|\n)*source: {name}(.|\n)*num_classes: \d+"):
        load_study(study(tmp_path, f"source: {name}, path: {path}"))


LABELLED = "name: a, source: image-folder, path: photos, image_size: 8, num_classes: %d"
UNLABELLED = "name: a, source: unlabelled-folder, path: photos, image_size: 8, num_classes: %d"
GUIDED = """\
reference: {extractor: clip}
evaluations: {final: {samples: 10, metrics: [fd], guidance: {scale: 2.0}}}
"""


def test_classes_and_labels_go_together(tmp_path: Path) -> None:
    assert load_study(study(tmp_path, LABELLED % 3)).runs[0].data.num_classes == 3
    assert load_study(study(tmp_path, UNLABELLED % 0)).runs[0].data.num_classes == 0
    with pytest.raises(BadStudy, match=r"num_classes is 3, and these images have no labels.*: 0"):
        load_study(study(tmp_path, UNLABELLED % 3))
    with pytest.raises(BadStudy, match=r"num_classes is 0, and source 'image-folder' reads labels"):
        load_study(study(tmp_path, LABELLED % 0))


def test_guidance_without_classes_is_refused(tmp_path: Path) -> None:
    path = study(tmp_path, UNLABELLED % 0)
    path.write_text(path.read_text() + GUIDED)
    with pytest.raises(
        BadStudy, match=r"guidance\.scale is other than 1 .* but the data have no classes"
    ):
        load_study(path)


@pytest.mark.parametrize(
    ("path", "held_out", "said"),
    [
        ("photos", "photos", "8 of the files at photos"),
        ("photos", "photos/../photos", "8 of the files"),
        ("photos", "photos/part", "2 of the files at photos/part"),
        ("photos", "linked", "8 of the files at linked"),
        ("photos", "others", None),
        ("parts", "parts/val", None),  # of which training has train/
        ("photos", "nowhere", "are not at nowhere"),
        ("photos", "flat", "do not lie as its others do (one folder of images per class)"),
    ],
)
def test_images_that_are_held_out_are_others_than_those_trained_on(
    path: str, held_out: str, said: str | None, tmp_path: Path
) -> None:
    """A floor of training images would be a number that no model can reach by learning."""

    def write(*places: str) -> None:
        for k, place in enumerate(places):
            Path(place).mkdir(parents=True, exist_ok=True)
            Image.new("L", (8, 8), 20 * k).save(Path(place, f"{k}.png"))

    write("photos/part/x", "photos/part/y", "flat")
    write(*(f"others/kind{k}" for k in range(3)))
    write(*(f"parts/{split}/kind{k}" for split in ("train", "val") for k in range(3)))
    Path("linked").symlink_to("photos")
    classes = 3 if path == "parts" else 4
    said_ = f"name: a, source: image-folder, path: {path}, image_size: 8, num_classes: {classes}"
    text = study(tmp_path, f"{said_}, held_out: {held_out}").read_text()
    Path("own.yaml").write_text(text + REFERENCE)
    plan = make_plan(load_study("own.yaml"))
    found = [each for each in problems(plan, plan.stages.values()) if "held" in each]
    assert len(found) == (said is not None) and (said is None or said in found[0])


@pytest.mark.parametrize("name", ["image-folder", "cifar"])
def test_another_number_of_classes_is_told_before_anything_is_encoded(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = registry.get("source", name)()
    assert isinstance(source, Source)
    path = source.example(tmp_path / "example", 0)
    told = {"image-folder": 2, "cifar": 10}[name]
    said = f"name: a, source: {name}, path: {path}, image_size: 8, num_classes: "
    right = load_study(study(tmp_path, f"{said}{told}"))
    plan = make_plan(right)
    assert problems(plan, plan.stages.values()) == []
    wrong = study(tmp_path, f"{said}{told + 1}")
    assert main(["plan", str(wrong)]) == 0
    assert f"has {told} classes, and data.num_classes says {told + 1}" in capsys.readouterr().out
    for verb in ("run", "validate"):
        assert main([verb, str(wrong)]) == 2
        assert f"has {told} classes" in capsys.readouterr().err
    assert main(["validate", str(study(tmp_path, f"{said}{told}"))]) == 0
