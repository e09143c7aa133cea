"""What must be there before anything is started."""

from __future__ import annotations

import errno
import io
import os
import tarfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_study import TINY

from harness.data.sources import ImageFolderSource
from harness.dispatch.preflight import problems, unreadable
from harness.plan import make_plan
from harness.plan.plan import Plan
from harness.spec import load_study

FOLDER = (
    """source: image-folder, name: pets, path: images, image_size: 8, num_classes: 2, channels: 3"""
)


def plan_of(folder: Path, data: str | None = None, *overrides: str) -> Plan:
    text = TINY
    if data is not None:
        start, end = text.index("data: {"), text.index("model: {family")
        text = f"{text[:start]}data: {{{data}}}\n{text[end:]}"
        text = text.replace("extractor: glyphs-cnn", "extractor: classifier")
    (folder / "tiny.yaml").write_text(text)
    return make_plan(load_study(folder / "tiny.yaml", None, list(overrides)))


def said(plan: Plan, *kinds: str) -> list[str]:
    return problems(plan, [s for s in plan.stages.values() if not kinds or s.kind in kinds])


def test_a_study_of_what_is_made_lacks_nothing(tmp_path: Path) -> None:
    assert said(plan_of(tmp_path)) == []


def test_nothing_to_do_needs_nothing(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, FOLDER.replace("path: images", f"path: {tmp_path}/absent"))
    assert problems(plan, []) == []
    assert said(plan, "train", "evaluate") == [], "latents were encoded already"


def test_images_that_are_not_there_are_named_with_the_option(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, FOLDER.replace("path: images", f"path: {tmp_path}/absent"))
    (sentence,) = said(plan, "encode")
    assert f"the images of 'pets' are not at {tmp_path}/absent" in sentence
    assert "--set data.path=FOLDER" in sentence


@pytest.mark.parametrize(("labels", "said"), [("uniform", True), ("data", False)])
def test_uneven_classes_are_told_where_they_are_sampled_alike(
    tmp_path: Path, labels: str, said: bool
) -> None:
    pixels = np.zeros((60, 8, 8, 3), np.uint8)
    np.savez(tmp_path / "a.npz", images=pixels, labels=np.repeat([0, 1], [55, 5]))
    plan = plan_of(
        tmp_path,
        f"source: arrays, name: pets, path: {tmp_path}/a.npz, image_size: 8, num_classes: 2, "
        "channels: 3",
        f"evaluations.final.labels={labels}",
    )
    notes: list[str] = []
    encode = [s for s in plan.stages.values() if s.kind == "encode"]
    assert problems(plan, encode, None, notes) == []
    assert any("the classes of 'pets' have 5 to 55 images" in note for note in notes) == said


def test_another_number_of_classes_is_seen_in_the_folders_names(tmp_path: Path) -> None:
    for name in ("cats", "dogs", "owls"):
        (tmp_path / "images" / name).mkdir(parents=True)
        (tmp_path / "images" / name / "0.png").touch()
    plan = plan_of(tmp_path, FOLDER.replace("path: images", f"path: {tmp_path}/images"))
    (sentence,) = said(plan, "encode")
    assert "has 3 classes, and data.num_classes says 2: one of the two is wrong" in sentence
    (tmp_path / "images" / "owls" / "0.png").unlink()
    (sentence,) = said(plan, "encode")
    assert sentence.endswith(
        "says 2: "
        f"{tmp_path}/images: 1 class folder holds no images (owls); remove it or fill it: every "
        "folder is a class"
    )
    plan = plan_of(tmp_path, FOLDER.replace("path: images", f"path: {tmp_path}"))
    (sentence,) = said(plan, "encode")
    assert "has 1 class, and data.num_classes says 2" in sentence


@pytest.mark.parametrize("said_to_be", [199, 200, 201])
def test_another_number_of_images_is_seen_before_they_are_encoded(
    tmp_path: Path, said_to_be: int
) -> None:
    for name in ("cats", "dogs"):
        (tmp_path / "images" / name).mkdir(parents=True)
        for i in range(100):
            (tmp_path / "images" / name / f"{i}.png").write_bytes(b"not opened")
        (tmp_path / "images" / name / "Thumbs.db").write_bytes(b"")
    folder = FOLDER.replace("path: images", f"path: {tmp_path}/images")
    plan = plan_of(tmp_path, folder.replace("source:", f"train_images: {said_to_be}, source:"))
    found = said(plan, "encode")
    if said_to_be == 200:
        assert found == []
    else:
        (sentence,) = found
        assert f"has 200 images, and data.train_images says {said_to_be}" in sentence
    assert said(plan, "train") == [], "latents were encoded already"


@pytest.mark.parametrize(
    ("folders", "said_of_it"),
    [
        (("cats", "dogs", "empty"), "1 class folder holds no images (empty)"),
        ((), "its 1 image lies loose"),
    ],
)
def test_a_folder_that_encode_would_refuse_is_refused_before_anything_starts(
    folders: tuple[str, ...], said_of_it: str, tmp_path: Path
) -> None:
    for name in (*folders, "."):
        (tmp_path / "images" / name).mkdir(parents=True, exist_ok=True)
        if name != "empty":
            (tmp_path / "images" / name / "0.png").write_bytes(b"not opened")
    data = FOLDER.replace("path: images", f"path: {tmp_path}/images")
    plan = plan_of(tmp_path, data.replace("num_classes: 2", f"num_classes: {len(folders) or 2}"))
    (sentence,) = said(plan, "encode")
    assert said_of_it in sentence and "the images of 'pets'" in sentence


def test_a_folder_that_holds_itself_is_refused_before_anything_starts(tmp_path: Path) -> None:
    for name in ("cats", "dogs"):
        (tmp_path / "images" / name).mkdir(parents=True)
        (tmp_path / "images" / name / "0.png").write_bytes(b"not opened")
    (tmp_path / "images" / "cats" / "up").symlink_to("..")
    plan = plan_of(tmp_path, FOLDER.replace("path: images", f"path: {tmp_path}/images"))
    (sentence,) = said(plan, "encode")
    assert "are one folder (a link)" in sentence


def folders(root: Path, *names: str) -> None:
    for name in names:
        (root / name).mkdir(parents=True)
        (root / name / "0.png").write_bytes(b"not opened")


@pytest.mark.parametrize("kinds", [("encode",), ("reference",), ("floor",)])
def test_a_class_folder_that_may_not_be_read_is_told_before_anything_starts(
    tmp_path: Path, kinds: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    images = tmp_path / "images"
    folders(images, "cats", "dogs")
    plan = plan_of(tmp_path, FOLDER.replace("path: images", f"path: {images}"))
    assert said(plan, *kinds) == [] and unreadable(plan.study, set()) == []
    forbid(monkeypatch, "dogs")
    why = f"the images of 'pets': {images}/dogs cannot be read: Permission denied (data.path)"
    assert said(plan, *kinds) == [why]
    passed: set[tuple[str, str]] = set()
    assert unreadable(plan.study, passed) == [f"{plan.study.path}: {why}"]
    assert unreadable(plan.study, passed) == [], "once is enough"
    forbid(monkeypatch, "images")
    why = f"the images of 'pets': {images} cannot be read: Permission denied (data.path)"
    assert unreadable(plan.study, set()) == [f"{plan.study.path}: {why}"]


def test_a_folder_of_floors_that_may_not_be_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = tmp_path / "images"
    folders(images, "train/cats", "train/dogs", "val/cats", "val/owls")
    plan = plan_of(tmp_path, FOLDER.replace("path: images", f"path: {images}"))
    forbid(monkeypatch, "owls")
    why = f"the images of 'pets': {images}/val/owls cannot be read: Permission denied (data.path)"
    assert said(plan, "encode") == [], "which reads others"
    assert said(plan, "encode", "floor") == [why]
    assert unreadable(plan.study, set()) == [f"{plan.study.path}: {why}"]


def test_held_out_images_that_may_not_be_read_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders(tmp_path / "images", "cats", "dogs")
    folders(tmp_path / "others", "cats", "owls")
    data = FOLDER.replace("path: images", f"path: {tmp_path}/images, held_out: {tmp_path}/others")
    plan = plan_of(tmp_path, data)
    assert said(plan, "encode") == []
    forbid(monkeypatch, "owls")
    assert said(plan, "encode") == [
        f"the held-out images of 'pets': {tmp_path}/others/owls cannot be read: Permission denied "
        "(data.held_out)"
    ]


def test_a_folder_in_one_that_may_not_be_entered_is_not_called_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = tmp_path / "secret" / "images"
    folders(images, "cats", "dogs")
    plan = plan_of(tmp_path, FOLDER.replace("path: images", f"path: {images}"))
    stat = os.stat

    def refused(path: Any, **how: Any) -> os.stat_result:
        if isinstance(path, (str, Path)) and "secret/" in str(path):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return stat(path, **how)

    monkeypatch.setattr(os, "stat", refused)
    (sentence,) = said(plan, "encode")
    assert (
        sentence == f"the images of 'pets': {images} cannot be read: Permission denied (data.path)"
    )


def forbid(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Folders of this name cannot be listed, as by another user; root may read all."""
    scandir, listdir = os.scandir, os.listdir

    def refused(listed: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def call(path: Any = ".") -> Any:
            if Path(path).name == name:
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return listed(path)

        return call

    monkeypatch.setattr(os, "scandir", refused(scandir))
    monkeypatch.setattr(os, "listdir", refused(listdir))


def test_other_images_than_the_fingerprint_says_are_seen_before_they_are_encoded(
    tmp_path: Path,
) -> None:
    folder = ImageFolderSource().example(tmp_path / "images", 0)
    right = ImageFolderSource().quick_fingerprint(str(folder))
    data = FOLDER.replace("path: images", f"path: {folder}")
    assert said(plan_of(tmp_path, f"{data}, fingerprint: {right}"), "encode") == []
    plan = plan_of(tmp_path, f"{data}, fingerprint: {'0a' * 32}")
    (sentence,) = said(plan, "encode")
    assert f"{folder} has the fingerprint {right}, and data.fingerprint says 0a0a" in sentence
    assert said(plan, "train") == [], "latents were encoded already"
    (folder / "class0" / "new.png").write_bytes(b"one more")
    assert said(plan_of(tmp_path, f"{data}, fingerprint: {right}"), "encode")


def test_embedded_images_have_the_fingerprint_that_is_said_of_them(tmp_path: Path) -> None:
    from harness.data.images import open_images

    data = "name: glyphs, image_size: 8, num_classes: 4, train_images: 20, seed: 3"
    right = open_images("glyphs", count=20, seed=3).fingerprint
    for found, problems_ in ((right, 0), ("0a" * 32, 1)):
        plan = plan_of(tmp_path, f"{data}, fingerprint: {found}")
        assert len(said(plan, "encode")) == problems_


def test_a_package_that_measuring_needs_is_asked_for_where_something_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    plan = plan_of(tmp_path)
    assert said(plan, "evaluate") == ["the package torch-fidelity is not installed"]
    assert said(plan, "train") == []


def test_an_executor_that_cannot_do_it_says_so_once(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, None, "dispatch.local.train=9")
    assert len([s for s in said(plan) if "dispatch.local gives train 9 devices" in s]) == 1


def test_a_decoder_that_is_not_here_is_named_before_anything_is_trained(tmp_path: Path) -> None:
    """An evaluation's own: its weights lie beside those that encode, or they do not."""
    for name in ("config.json", "diffusion_pytorch_model.safetensors"):
        (tmp_path / "vae" / "original").mkdir(parents=True, exist_ok=True)
        (tmp_path / "vae" / "original" / name).write_bytes(b"{}")
    more = (
        f"autoencoder={{name: sd-vae, weights: {tmp_path}/vae}}",
        "evaluations.final.decoder=ft-ema",
        "train.milestones=[6]",
    )
    data = "name: glyphs, image_size: 64, channels: 3, train_images: 64"
    plan = plan_of(tmp_path, data, "reference.extractor=glyphs-cnn", *more)
    wanted = [s for s in said(plan, "sample") if "decoder" in s or "ft-ema" in s]
    assert len(wanted) == 1 and f"no weights of sd-vae (ft-ema) in {tmp_path}/vae" in wanted[0]
    assert not [s for s in said(plan, "encode", "train") if "ft-ema" in s]
    (tmp_path / "vae" / "original").rename(tmp_path / "vae" / "ft-ema")
    assert not [s for s in said(plan, "sample") if "ft-ema" in s]
    assert [s for s in said(plan, "encode") if "(original)" in s]


RGB = np.zeros((4, 8, 8, 3), np.uint8)
TARS = FOLDER.replace("image-folder", "webdataset")
# The labels of twelve images, other members, and what `plan` says.
OF_TARS: dict[str, tuple[Sequence[object], dict[str, bytes], str]] = {
    "no labels": ([None] * 12, {}, "000.png has no label"),
    "one without": ([0, 1, None] * 4, {}, "002.png has no label, and 3 other images have none"),
    "texts": (["cat"] * 12, {}, "has the label 'cat'; labels are integers from 0"),
    "too large": ([0, 7] * 6, {}, "labels 0 to 7; expected 0 to 1 (data.num_classes)"),
    "one class": ([0] * 12, {}, "1 of 2 classes have no image (1)"),
    "a second image": ([0, 1] * 6, {"000.jpg": b"x"}, "the sample 000 has two images"),
}


def write_tar(path: Path, labels: Sequence[object], others: Mapping[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    members = {f"{k:03d}.png": b"x" * 60 for k in range(len(labels))} | dict(others)
    members |= {
        f"{k:03d}.cls": f"{label}".encode() for k, label in enumerate(labels) if label is not None
    }
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


@pytest.mark.parametrize("case", OF_TARS)
def test_tars_that_cannot_be_encoded_are_told_by_their_headers(case: str, tmp_path: Path) -> None:
    labels, others, expected = OF_TARS[case]
    write_tar(tmp_path / "images" / "train-0.tar", labels, others)
    plan = plan_of(tmp_path, TARS.replace("path: images", f"path: {tmp_path}/images"))
    (sentence,) = said(plan, "encode")
    assert expected in sentence


def test_an_archive_of_another_kind_among_many_gigabytes_of_tars_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.data.file_source.QUICK_BYTES", 0)
    write_tar(tmp_path / "images" / "train-0.tar", [0, 1], {})
    plan = plan_of(tmp_path, TARS.replace("path: images", f"path: {tmp_path}/images"))
    notes: list[str] = []
    encode = [s for s in plan.stages.values() if s.kind == "encode"]
    assert problems(plan, encode, None, notes) == []
    (note,) = [n for n in notes if "are not looked at before `encode`" in n]
    assert "(1 file): their count, labels and fingerprint" in note
    (tmp_path / "images" / "train-1.tar").write_bytes(b"PK\3\4" + bytes(600))
    (sentence,) = said(plan, "encode")
    assert "train-1.tar is a zip archive, whatever its name says" in sentence


def test_fingerprint_and_count_of_tars_are_compared_before_they_are_encoded(tmp_path: Path) -> None:
    write_tar(tmp_path / "images" / "train-0.tar", [0, 1] * 6, {})
    data = TARS.replace("path: images", f"path: {tmp_path}/images")
    (sentence,) = said(plan_of(tmp_path, f"{data}, fingerprint: '{'0' * 64}'"), "encode")
    assert "has the fingerprint" in sentence and "data.fingerprint says 000" in sentence
    (sentence,) = said(plan_of(tmp_path, f"{data}, train_images: 130"), "encode")
    assert "has 12 images, and data.train_images says 130" in sentence


def test_what_is_no_fault_of_the_images_is_noted_before_they_are_encoded(tmp_path: Path) -> None:
    write_tar(tmp_path / "images" / "train-0.tar", [0, 1] * 6, {"099.avif": b"x", "099.cls": b"0"})
    plan = plan_of(tmp_path, TARS.replace("path: images", f"path: {tmp_path}/images"))
    notes: list[str] = []
    assert (
        problems(plan, [s for s in plan.stages.values() if s.kind == "encode"], None, notes) == []
    )
    assert ["left out are 1 image of a kind that is not read (1 .avif)" in n for n in notes] == [
        True
    ]


@pytest.mark.parametrize(
    ("arrays", "expected"),
    [
        ({"images": np.zeros((4, 8, 8, 3)), "labels": np.arange(4) % 2}, "images are float64"),
        ({"images": np.zeros((4, 8, 8, 3), np.uint8), "labels": np.arange(3)}, "4 images"),
        (
            {"images": np.zeros((4, 8, 8, 7), np.uint8), "labels": np.arange(4)},
            "1, 3 or 4 channels",
        ),
        ({"images": np.zeros((4, 8, 8, 3), np.uint8), "labels": np.arange(4)}, "expected 0 to 1"),
        ({"images": np.zeros((4, 8, 8, 3), np.uint8)}, "labels"),
        ({"x": np.zeros((4, 8, 8, 3), np.uint8)}, "images"),
    ],
)
def test_arrays_that_cannot_be_read_are_told_before_anything_is_started(
    arrays: dict[str, np.ndarray], expected: str, tmp_path: Path
) -> None:
    np.savez(tmp_path / "data.npz", **arrays)  # type: ignore[arg-type]
    data = FOLDER.replace("image-folder", "arrays")
    plan = plan_of(tmp_path, data.replace("path: images", f"path: {tmp_path}/data.npz"))
    (sentence,) = said(plan, "encode")
    assert expected in sentence and "the images of 'pets'" in sentence
