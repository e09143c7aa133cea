"""Are the files those that the committed stages were made of?"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from committed import commit_stage
from tiny_study import TINY

from harness import components
from harness.dispatch import identity
from harness.errors import BadInput
from harness.plan import make_plan, reads
from harness.plan.plan import Plan, Stage
from harness.plan.stages import Place
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


def example(name: str, folder: Path) -> tuple[identity.Read, Store, list[Path]]:
    """The example of a data source, read by a stage that kept its list; and the files listed."""
    found = components.get("source", name)
    place = found().example(folder / "images", 0)  # type: ignore[attr-defined]
    assert place is not None
    source = found.model_validate(found.recognise(place) or {})  # type: ignore[attr-defined]
    listed = [Path(each) for each in source.listing(str(place))]
    store = Store(folder / "results")
    kept = store.folder("encode", "e" * 64) / file_lists.FILES
    kept.parent.mkdir(parents=True)
    file_lists.write(kept, {"data": file_lists.look(place, listed)})
    stage = Stage("encode", "e" * 64, "{}", {}, {}, ("pets",), None)
    where = Place(data_path=str(place))
    return identity.Read(stage, "data", where, source, kept), store, listed


READ = [n for n in components.names("source") if not components.get("source", n).made]  # type: ignore[attr-defined]


@pytest.mark.parametrize("how", ["removed", "renamed", "longer"])
@pytest.mark.parametrize("name", READ)
def test_each_file_of_each_source_is_missed(name: str, how: str, tmp_path: Path) -> None:
    """A file of a published layout under another name was "cannot be compared", and a note."""
    read, store, listed = example(name, tmp_path)
    assert identity._compared(read, store, True, {}) == {}
    for path in listed if len(listed) > 1 else []:
        content = path.read_bytes()
        beside = path.with_name(f"0{path.name}")
        if how == "longer":
            path.write_bytes(content + b"0")
        elif how == "renamed":
            path.rename(beside)
        else:
            path.unlink()
        found = identity._compared(read, store, True, {})
        word = "changed" if how == "longer" else "removed"
        assert f"1 {word} (" in found["changed"] or f"1 file {word} (" in found["changed"], path
        beside.unlink(missing_ok=True)
        path.write_bytes(content)
        os.utime(path, ns=(0, 0))


@pytest.mark.parametrize("name", READ)
def test_of_an_empty_folder_all_files_are_missed(name: str, tmp_path: Path) -> None:
    read, store, listed = example(name, tmp_path)
    for path in listed:
        path.unlink()
    Path(read.path).mkdir(exist_ok=True)
    found = identity._compared(read, store, True, {})
    assert f"{len(listed)} file{'s' if len(listed) > 1 else ''} removed" in found["changed"]


def test_files_that_are_all_there_and_cannot_be_listed_are_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, store = made(tmp_path)

    def refuses(*_: Any, **__: Any) -> Any:
        raise BadInput("two layouts lie there")

    monkeypatch.setattr(reads, "files_of", refuses)
    found = look(plan, store)
    assert found.changed == [] and "two layouts lie there" in found.notes[0]


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
