"""The encode stage: the study's data, onto disk, once."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import processes
import pytest
from PIL import Image

from harness.data.latents import Latents
from harness.errors import BadInput, HarnessError, Missing
from harness.stages.work import Stopped
from harness.store import files
from harness.store.artifacts import CorruptArtifact

Laboratory = Any  # conftest.py's; pytest gives it without an import


def test_the_committed_latents_are_readable_and_described(laboratory: Laboratory) -> None:
    task = laboratory.task("encode")
    latents = Latents.open(laboratory.folder(task) / "latents")
    facts = laboratory.manifest(task)["facts"]
    assert (
        (latents.count, list(latents.shape)) == (facts["count"], facts["shape"]) == (40, [1, 8, 8])
    )
    assert facts["autoencoder"] == "identity" and facts["corrupt"] == 0


def test_data_with_another_fingerprint_are_refused(laboratory: Laboratory) -> None:
    task = laboratory.task("encode", f"data.fingerprint={'f0' * 32}")
    with pytest.raises(BadInput, match="files were added, removed or replaced"):
        laboratory.run(task)


def test_another_number_of_classes_than_the_study_says_is_refused(laboratory: Laboratory) -> None:
    task = laboratory.task("encode", "data.num_classes=11")
    with pytest.raises(BadInput, match=r"10 classes, and data\.num_classes says 11"):
        laboratory.run(task)


def test_a_data_set_that_is_not_whole_is_refused(laboratory: Laboratory, tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / "images" / name).mkdir(parents=True)
        for i in range(3):
            Image.new("L", (9, 9), 40 * i).save(tmp_path / "images" / name / f"{i}.png")
    said = {
        "name": "pets",
        "source": "image-folder",
        "path": str(tmp_path / "images"),
        "image_size": 8,
        "channels": 1,
        "num_classes": 2,
    }

    def task(**more: Any) -> Any:
        return laboratory.task("encode", f"data={json.dumps({**said, **more})}", *THROUGH)

    with pytest.raises(BadInput, match=r"has 6 images, data.train_images says 7: is it complete\?"):
        laboratory.run(task(train_images=7))
    assert task(train_images=7).key == task(train_images=6).key == task().key  # only a check
    laboratory.run(task(train_images=6))
    assert laboratory.manifest(task())["facts"]["count"] == 6


# Features that fit any images; those of the study are of glyphs.
THROUGH = ("reference.extractor=clip", "evaluations.final.metrics=[fd]")
PETS = {"name": "pets", "image_size": 8, "channels": 3, "num_classes": 2, "train_images": None}


def pets(laboratory: Laboratory, source: str, path: Path, **more: Any) -> Any:
    """The encode stage of a data set on disk."""
    said = {**PETS, "source": source, "path": str(path), **more}
    return laboratory.task("encode", f"data={json.dumps(said)}", *THROUGH)


def kinds_of_images() -> dict[str, bytes]:
    """White images of all kinds that are found in the wild, as files."""
    white = np.full((9, 9), 255, np.uint8)
    rgb = Image.fromarray(np.stack([white] * 3, axis=-1))
    deep = Image.fromarray(np.full((9, 9), 65535, np.uint16))
    made = {
        "gray.png": (Image.fromarray(white), "PNG"),
        "gray.jpg": (Image.fromarray(white), "JPEG"),
        "colour.jpg": (rgb, "JPEG"),
        "print.jpg": (rgb.convert("CMYK"), "JPEG"),  # ImageNet has some
        "deep.png": (deep, "PNG"),
        "deep.tif": (deep, "TIFF"),
        "palette.png": (rgb.convert("P"), "PNG"),
        "clear.png": (rgb.convert("RGBA"), "PNG"),
        "two.png": (rgb.convert("1"), "PNG"),
    }
    files = {}
    for name, (image, kind) in made.items():
        buffer = io.BytesIO()
        image.save(buffer, kind)
        files[name] = buffer.getvalue()
    return files


def as_folder(root: Path, images: dict[str, bytes]) -> Path:
    for k, (name, content) in enumerate(images.items()):
        (root / f"class{k % 2}").mkdir(parents=True, exist_ok=True)
        (root / f"class{k % 2}" / name).write_bytes(content)
    return root


def as_tars(root: Path, images: dict[str, bytes], tars: int = 2) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    names = list(images)
    for t in range(tars):
        with tarfile.open(root / f"pets-train-{t}.tar", "w") as tar:
            for k in range(t, len(names), tars):
                label = str(k // tars % 2).encode()
                for name, content in ((f"{k:06d}.cls", label), (f"{k:06d}.png", images[names[k]])):
                    info = tarfile.TarInfo(name)
                    info.size = len(content)
                    tar.addfile(info, io.BytesIO(content))
    return root


@pytest.mark.parametrize(
    "source, made", [("image-folder", as_folder), ("webdataset", as_tars)], ids=["folder", "tars"]
)
def test_every_kind_of_image_is_encoded_as_what_it_shows(
    laboratory: Laboratory, tmp_path: Path, source: str, made: Any
) -> None:
    images = kinds_of_images()
    task = pets(laboratory, source, made(tmp_path / "images", images))
    laboratory.run(task)
    latents = Latents.open(laboratory.folder(task) / "latents")
    assert latents.count == len(images) and set(latents.labels.tolist()) == {0, 1}
    x, _ = latents.batch(np.arange(latents.count))
    assert x.shape[1:] == (3, 8, 8) and float(x.min()) > 0.98  # white, within JPEG's rounding


def test_unreadable_images_are_counted_listed_and_skipped_up_to_the_limit(
    laboratory: Laboratory, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = {**kinds_of_images(), "torn.png": b"torn", "empty.jpg": b""}
    folder = as_folder(tmp_path / "images", images)
    with pytest.raises(HarnessError, match=r"2 images cannot be read.*max_corrupt \(1\)") as caught:
        laboratory.run(pets(laboratory, "image-folder", folder, max_corrupt=1))
    assert "torn.png" in str(caught.value) and "empty.jpg" in str(caught.value)
    task = pets(laboratory, "image-folder", folder, max_corrupt=2)
    laboratory.run(task)
    assert laboratory.manifest(task)["facts"]["corrupt"] == 2
    assert laboratory.manifest(task)["facts"]["count"] == len(images) - 2
    index = json.loads((laboratory.folder(task) / "latents" / "index.json").read_text())
    assert {Path(entry["path"]).name for entry in index["corrupt"]} == {"torn.png", "empty.jpg"}
    said = capsys.readouterr().out
    assert "skipped 2 unreadable images: class0/empty.jpg, class1/torn.png (all are" in said
    assert f"listed in {laboratory.folder(task) / 'latents' / 'index.json'})" in said
    assert "0x" not in str(index["corrupt"])  # an address in memory: other bytes in every run


def test_a_class_that_has_lost_all_its_images_is_refused(
    laboratory: Laboratory, tmp_path: Path
) -> None:
    whole = kinds_of_images()
    images = {n: bytes(len(c)) if k % 2 else c for k, (n, c) in enumerate(whole.items())}
    task = pets(laboratory, "image-folder", as_folder(tmp_path / "images", images), max_corrupt=9)
    with pytest.raises(BadInput, match=r"1 of 2 classes have no image \(class1\)") as caught:
        laboratory.run(task)
    listed = laboratory.store.scratch(task.key) / "latents" / "index.json"
    assert str(listed) in str(caught.value) and len(json.loads(listed.read_text())["corrupt"]) == 4
    assert laboratory.store.manifest("encode", task.key) is None

    as_folder(tmp_path / "images", whole)  # repaired, in the same sizes
    laboratory.run(task)
    assert laboratory.manifest(task)["facts"]["count"] == 9


def test_announced_classes_that_tars_do_not_have_are_refused_before_anything_is_encoded(
    laboratory: Laboratory, tmp_path: Path
) -> None:
    tars = as_tars(tmp_path / "images", kinds_of_images())
    task = pets(laboratory, "webdataset", tars, num_classes=9)
    with pytest.raises(
        BadInput, match=r"7 of 9 classes .* \(2, 3, 4, 5, 6, \.\.\.\).*says 9; lower"
    ):
        laboratory.run(task)
    assert not list(laboratory.store.scratch(task.key).glob("latents"))


def test_an_embedded_set_smaller_than_its_classes_is_no_loss(laboratory: Laboratory) -> None:
    task = laboratory.task("encode", "data.train_images=6")
    laboratory.run(task)
    assert laboratory.manifest(task)["facts"]["num_classes"] == 10


@pytest.mark.slow
def test_one_class_is_a_data_set_like_any_other(laboratory: Laboratory, tmp_path: Path) -> None:
    (tmp_path / "images" / "cat").mkdir(parents=True)
    for name, content in kinds_of_images().items():
        (tmp_path / "images" / "cat" / name).write_bytes(content)
    task = pets(laboratory, "image-folder", tmp_path / "images", num_classes=1)
    laboratory.run(task)
    assert laboratory.manifest(task)["facts"]["num_classes"] == 1
    data = json.dumps({**PETS, "source": "image-folder", "num_classes": 1})
    train = laboratory.task("train", f"data={data}", "train.steps=2", *THROUGH)
    assert train.inputs["data"] == task.key
    laboratory.make(train, f"data={data}", "train.steps=2", *THROUGH)
    laboratory.run(train)
    with pytest.raises(BadInput, match=r"has 1 class, and data\.num_classes says 2"):
        laboratory.run(pets(laboratory, "image-folder", tmp_path / "images"))


def empty(root: Path) -> None:
    root.mkdir()


def empty_class(root: Path) -> None:
    as_folder(root, kinds_of_images())
    (root / "class9").mkdir()


def loose(root: Path) -> None:
    root.mkdir()
    for name, content in kinds_of_images().items():
        (root / name).write_bytes(content)


def text_labels(root: Path) -> None:
    as_tars(root, kinds_of_images(), 1)
    with tarfile.open(root / "pets-train-1.tar", "w") as tar:
        for name, content in (("a.cls", b"cat"), ("a.png", b"x")):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def cut_off(root: Path) -> None:
    as_tars(root, kinds_of_images(), 1)
    (tar,) = root.iterdir()
    tar.write_bytes(tar.read_bytes()[:5000])


@pytest.mark.parametrize(
    "source, make, error, says",
    [
        ("image-folder", lambda root: None, Missing, "is not a folder: give data.path"),
        ("image-folder", empty, BadInput, "has no class folders: it is empty"),
        ("image-folder", loose, BadInput, "9 images lie loose; put them into one folder per class"),
        ("image-folder", empty_class, BadInput, r"1 class folder holds no images \(class9\)"),
        ("webdataset", empty, Missing, r"holds no \.tar files; give data.path"),
        ("webdataset", text_labels, BadInput, "a.png has the label 'cat'; labels are integers"),
        ("webdataset", cut_off, BadInput, r"pets-train-0\.tar .*; copy it again"),
    ],
)
def test_what_is_no_data_set_is_refused_before_anything_is_encoded(
    laboratory: Laboratory, tmp_path: Path, source: str, make: Any, error: Any, says: str
) -> None:
    make(tmp_path / "images")
    task = pets(laboratory, source, tmp_path / "images")
    with pytest.raises(error, match=says):
        laboratory.run(task)
    assert laboratory.store.manifest("encode", task.key) is None


def test_latents_of_another_autoencoder_are_refused(laboratory: Laboratory) -> None:
    """Whoever copies a folder of latents to where another is expected."""
    task = laboratory.task("train")
    (index,) = laboratory.folder(laboratory.task("encode")).glob("latents/index.json")
    about = json.loads(index.read_text())
    about["settings"]["autoencoder"] = "sd-vae"
    index.write_text(json.dumps(about, indent=1) + "\n")
    with pytest.raises(CorruptArtifact, match=r"index\.json (has|does not match)"):
        laboratory.run(task)

    # With a manifest that vouches for it, as another results folder's would.
    manifest = index.parents[1] / "manifest.json"
    said = json.loads(manifest.read_text())
    del said["sha256"]  # its own, which the changes below would break
    said["files"]["latents/index.json"] = {
        "bytes": index.stat().st_size,
        "sha256": files.sha256(index),
    }
    manifest.write_text(json.dumps(said))
    with pytest.raises(BadInput, match=r"made by another autoencoder .*sd-vae, wanted identity"):
        laboratory.run(task)

    said["key"] = "0" * 64
    manifest.write_text(json.dumps(said))
    with pytest.raises(CorruptArtifact, match=f"is not the manifest of {task.inputs['data']}"):
        laboratory.run(task)


@pytest.mark.slow
def test_tars_encoded_by_killed_processes_are_byte_for_byte_those_of_one_undisturbed(
    laboratory: Laboratory, tmp_path: Path
) -> None:
    buffer, images = io.BytesIO(), {}
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(buffer, "PNG")
    for k in range(9000):  # three shards
        images[str(k)] = buffer.getvalue()
    task = pets(laboratory, "webdataset", as_tars(tmp_path / "images", images, tars=3))
    undisturbed = laboratory.copy(tmp_path / "undisturbed")
    undisturbed.run(task)

    root = laboratory.store.root
    for kill in ((40, 20), (140, None)):  # a look every 32 images: 128 a shard
        assert -9 in processes.attempt(root, task.to_json(), 2, kill_at=kill)
    assert laboratory.store.manifest("encode", task.key) is None
    assert list(laboratory.store.scratch(task.key).glob("latents/shard-*.json"))
    assert processes.attempt(root, task.to_json(), 2) == [0, 0]
    ours, theirs = (
        {p.name: p.read_bytes() for p in (x.folder(task) / "latents").iterdir()}
        for x in (laboratory, undisturbed)
    )
    assert ours == theirs and len([n for n in ours if n.endswith(".npy")]) == 6
    assert len(list((root / "indexes").iterdir())) == 1


@pytest.mark.slow
def test_a_process_that_is_asked_to_stop_stops_all(laboratory: Laboratory, tmp_path: Path) -> None:
    images = dict.fromkeys(map(str, range(9000)), kinds_of_images()["gray.png"])
    task = pets(laboratory, "webdataset", as_tars(tmp_path / "images", images))
    codes = processes.attempt(laboratory.store.root, task.to_json(), 2, stop_at=3)
    assert codes == [3, 3] and laboratory.store.manifest("encode", task.key) is None
    laboratory.run(task)
    assert laboratory.manifest(task)["facts"]["count"] == 9000


def test_encoding_ends_when_asked_to_and_goes_on(laboratory: Laboratory) -> None:
    task = laboratory.task("encode", "data.train_images=50")
    with pytest.raises(Stopped):
        laboratory.run(task, lambda: True)
    assert laboratory.store.manifest("encode", task.key) is None
    laboratory.run(task)
    assert laboratory.manifest(task)["facts"]["count"] == 50
