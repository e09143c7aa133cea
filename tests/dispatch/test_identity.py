"""Are the files those that the committed stages were made of?"""

from __future__ import annotations

import os
from pathlib import Path

from committed import commit_stage
from tiny_study import TINY

from harness.dispatch import identity
from harness.plan import make_plan, reads
from harness.plan.plan import Plan
from harness.spec import load_study
from harness.store import Store, file_lists

FOLDER = (
    "source: image-folder, name: pets, path: images, image_size: 8, num_classes: 2, channels: 3"
)


def made(folder: Path) -> tuple[Plan, Store]:
    """A study of an image folder whose encode stage is done, with its list of files."""
    for name in ("cats", "dogs"):
        (folder / "images" / name).mkdir(parents=True)
        (folder / "images" / name / "1.png").write_bytes(b"12345")
    start, end = TINY.index("data: {"), TINY.index("model: {family")
    text = f"{TINY[:start]}data: {{{FOLDER}}}\n{TINY[end:]}".replace("glyphs-cnn", "classifier")
    (folder / "tiny.yaml").write_text(text.replace("path: images", f"path: {folder}/images"))
    plan, store = make_plan(load_study(folder / "tiny.yaml")), Store(folder / "results")
    (encode,) = [s for s in plan.stages.values() if s.kind == "encode"]
    place, source = plan.task(encode).place, plan.study.runs[0].data.source
    listed = reads.files_of("data", place, source)  # type: ignore[arg-type]
    commit_stage(store, encode)
    kept = {"data": file_lists.look(str(place.data_path), listed)}
    file_lists.write(store.folder("encode", encode.key) / file_lists.FILES, kept)
    return plan, store


def look(plan: Plan, store: Store) -> identity.Looked:
    return identity.look(plan, plan.stages.values(), store, every=True)


def test_files_that_are_as_they_were_are_not_spoken_of(tmp_path: Path) -> None:
    found = look(*made(tmp_path))
    assert found.changed == [] and found.notes == []


def test_another_size_or_another_file_is_refused_with_the_remedies(tmp_path: Path) -> None:
    plan, store = made(tmp_path)
    (tmp_path / "images" / "cats" / "1.png").write_bytes(b"123456")
    (tmp_path / "images" / "dogs" / "2.png").write_bytes(b"1")
    (sentence,) = look(plan, store).changed
    assert "1 file added" in sentence and "1 changed" in sentence
    for remedy in ("data.name", "data.fingerprint", "forget"):
        assert remedy in sentence, remedy


def test_another_time_alone_is_a_note(tmp_path: Path) -> None:
    plan, store = made(tmp_path)
    os.utime(tmp_path / "images" / "cats" / "1.png", ns=(5, 5))
    found = look(plan, store)
    assert found.changed == [] and len(found.notes) == 1


def test_a_stage_that_kept_neither_a_list_nor_a_fingerprint_is_not_spoken_of(
    tmp_path: Path,
) -> None:
    plan, store = made(tmp_path)
    (encode,) = [s for s in plan.stages.values() if s.kind == "encode"]
    (store.folder("encode", encode.key) / file_lists.FILES).unlink()
    found = look(plan, store)
    assert found.changed == [] and found.notes == []


def test_files_that_cannot_be_seen_from_here_are_left_to_others(tmp_path: Path) -> None:
    plan, store = made(tmp_path)
    (tmp_path / "images").rename(tmp_path / "elsewhere")
    assert look(plan, store).changed == []
    (sentence,) = identity.absent(plan.study)
    assert f"{tmp_path}/images is not there; nothing that is to do today needs it" in sentence
    assert identity.absent(plan.study, [f"no {tmp_path}/images"]) == [], "it is told already"
