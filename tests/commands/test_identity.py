"""Data, weights and statistics that changed under their name are noticed before they are used."""

from __future__ import annotations

import io
import json
import os
import shutil
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pets import bmp, folder_of_pets, make, study_of
from tiny_study import Harness
from verbs import Said

from harness.plan.build import make_plan
from harness.spec import load_study
from harness.store import Store, codec
from harness.store import files as durable
from harness.store.file_lists import FILES, read, write


def tar_of_pets(path: Path, value: int = 0) -> Path:
    with tarfile.open(path, "w") as tar:
        for i in range(4):
            for ending, content in ((".bmp", bmp(value + i)), (".cls", b"%d" % (i % 2))):
                info = tarfile.TarInfo(f"{i}{ending}")
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return path


@pytest.fixture
def pets(verb: Said) -> Path:
    """A study of an image folder whose images are encoded; in the current folder."""
    study = study_of(folder_of_pets(Path("images")))
    make(study, "encode")
    return study


def overwrite(path: Path, content: bytes, later_s: float = 5.0) -> None:
    """In place, as `cp` does: the folder's own time stays."""
    with open(path, "r+b") as file:
        file.write(content)
        file.truncate()
    about = os.stat(path)
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns + int(later_s * 1e9)))


def kept(store: Store, kind: str = "encode") -> dict[str, Any]:
    (key,) = store.committed([kind])
    return read(store.folder(kind, key) / FILES, contents=True)


def test_encode_keeps_a_list_of_relative_paths_sizes_times_and_checksums(pets: Path) -> None:
    files = kept(Store("results"))["data"]
    assert files.paths == [b"%s/%d.bmp" % (c, i) for c in (b"cat", b"dog") for i in range(3)]
    first = Path("images/cat/0.bmp")
    assert (files.sizes[0], files.times[0]) == (first.stat().st_size, first.stat().st_mtime_ns)
    import hashlib

    assert files.sha256[0].tobytes() == hashlib.sha256(first.read_bytes()).digest()


def test_unchanged_data_are_not_a_word(pets: Path, verb: Said) -> None:
    for name in ("plan", "status"):
        code, out = verb(name, "pets.yaml")
        assert code == 0 and "note:" not in out and "changed" not in out
    assert "changed here" not in verb("run", "pets.yaml", "--dry-run")[1]


@pytest.mark.parametrize("raised", [(), ("--set", "train.steps=8")], ids=["same", "more steps"])
def test_images_of_other_sizes_are_refused_by_run_and_said_by_plan_and_status(
    pets: Path, verb: Said, raised: tuple[str, ...]
) -> None:
    overwrite(Path("images/cat/1.bmp"), bmp(1, side=9))
    Path("images/dog/2.bmp").unlink()
    Path("images/dog/new one.bmp").write_bytes(bmp(3))
    code, out = verb("run", "pets.yaml", "--no-report", *raised)
    assert code == 2
    words = "1 file added (dog/new one.bmp), 1 removed (dog/2.bmp), 1 changed (cat/1.bmp)"
    assert words in out
    for remedy in ("another data.name", "data.fingerprint", "forget pets.yaml"):
        assert remedy in out
    assert words in verb("plan", "pets.yaml", *raised)[1]
    assert words in json.loads(verb("plan", "pets.yaml", "--json")[1])["changed"][0]
    assert words in verb("status", "pets.yaml", *raised)[1]
    assert not (Path("results") / "attempts").exists()  # nothing was tried


def test_another_name_is_another_data_set(pets: Path, verb: Said) -> None:
    overwrite(Path("images/cat/1.bmp"), bmp(1, side=9))
    code, out = verb("plan", "pets.yaml", "--set", "data.name=new-pets")
    assert code == 0 and "changed here" not in out


def test_bytes_of_the_same_size_are_a_note_and_found_by_contents(pets: Path, verb: Said) -> None:
    overwrite(Path("images/cat/1.bmp"), bmp(99))
    code, out = verb("plan", "pets.yaml")
    assert code == 0 and "changed here" not in out
    assert "1 of 6 files were written at another time" in out
    code, out = verb("fingerprint", "pets.yaml")
    assert code == 0 and "written at another time" in out
    code, out = verb("fingerprint", "pets.yaml", "--contents")
    assert code == 1 and "1 file changed (cat/1.bmp)" in out


def test_times_alone_are_no_note_any_more_once_the_bytes_were_compared(
    pets: Path, verb: Said
) -> None:
    for path in Path("images").glob("*/*"):
        overwrite(path, path.read_bytes())
    assert "6 of 6 files were written at another time" in verb("plan", "pets.yaml")[1]
    code, out = verb("fingerprint", "pets.yaml", "--contents")
    assert code == 0 and "the same bytes" in out
    assert "note:" not in verb("plan", "pets.yaml")[1]
    overwrite(Path("images/cat/1.bmp"), bmp(99))
    assert "written at another time" in verb("plan", "pets.yaml")[1]


def test_a_place_that_is_not_there_is_said_though_nothing_needs_it(pets: Path, verb: Said) -> None:
    shutil.move("images", "elsewhere")
    for name in ("plan", "status"):
        code, out = verb(name, "pets.yaml")
        assert code == 0
        assert "data.path (the images of 'pets'): images is not there; nothing" in " ".join(
            out.split()
        )
    code, out = verb("plan", "pets.yaml", "--set", "data.path=elsewhere")  # moved is not changed
    assert "note:" not in out and "changed" not in out


def test_tars(verb: Said) -> None:
    tar_of_pets(Path("pets.tar"))
    study = study_of(Path("pets.tar"), source="webdataset")
    make(study, "encode")
    assert kept(Store("results"))["data"].paths == [b""]  # the file itself
    overwrite(Path("pets.tar"), tar_of_pets(Path("other.tar"), 50).read_bytes())
    assert "1 of 1 files were written at another time" in verb("plan", "pets.yaml")[1]
    code, out = verb("fingerprint", "pets.yaml", "--contents")
    assert code == 1 and "1 file changed (the file itself)" in out
    with tarfile.open("pets.tar", "a") as tar:
        tar.add("pets.yaml", "x" * 200)
    code, out = verb("run", "pets.yaml")
    assert code == 2 and "1 file changed" in out


def test_an_artifact_of_before_says_changed_without_details(pets: Path, verb: Said) -> None:
    (key,) = Store("results").committed(["encode"])
    (Path("results/artifacts/encode") / key / FILES).unlink()
    assert "changed" not in verb("plan", "pets.yaml")[1]
    overwrite(Path("images/cat/1.bmp"), bmp(1, side=9))
    code, out = verb("run", "pets.yaml")
    assert code == 2 and "changed, details unknown" in out


@pytest.mark.parametrize("how", ["removed", "other bytes", "truncated", "a folder"])
def test_a_damaged_list_accuses_nobody_and_takes_no_stage_with_it(
    pets: Path, verb: Said, how: str
) -> None:
    """Damage is no change of the images, and what was made of them is not made again for it."""
    store = Store("results")
    (key,) = store.committed(["encode"])
    path = store.folder("encode", key) / FILES
    data, lists = path.read_bytes(), kept(store)
    path.unlink()
    if how == "other bytes":  # that can be read, and say other sizes
        write(path, {r: replace(f, sizes=f.sizes ^ 4) for r, f in lists.items()})
    elif how == "truncated":
        path.write_bytes(data[: len(data) // 2])
    elif how == "a folder":
        path.mkdir()
    assert store.open("encode", key) is not None
    for words in (("plan",), ("run", "--dry-run"), ("fingerprint",), ("fingerprint", "--contents")):
        code, out = verb(words[0], "pets.yaml", *words[1:])
        assert code == 0 and "changed here" not in out, (words, out)
        assert how == "removed" or words[0] == "run" or "cannot be compared" in out, (words, out)
    overwrite(Path("images/cat/1.bmp"), bmp(1, side=9))
    code, out = verb("run", "pets.yaml", "--no-report")
    assert code == 2 and "changed, details unknown" in out  # by the images' fingerprint


def test_files_that_change_while_they_are_encoded_are_refused(
    verb: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.errors import BadInput
    from harness.stages import files_read

    study = study_of(folder_of_pets(Path("images")))
    real = files_read.checksums

    def checksums(*given: Any) -> None:
        real(*given)
        overwrite(Path("images/cat/1.bmp"), bmp(99))

    monkeypatch.setattr(files_read, "checksums", checksums)
    with pytest.raises(BadInput, match="have changed while they were read"):
        make(study, "encode")
    monkeypatch.setattr(files_read, "checksums", real)
    store = make(study, "encode")  # anew: what was encoded before the change is not gone on from
    (key,) = store.committed(["encode"])
    (shard,) = (store.folder("encode", key) / "latents").glob("shard-*.npy")
    assert (np.load(shard)[1] == np.array([99, 198, 77]).reshape(3, 1, 1)).all()


@pytest.mark.parametrize(
    "field, role",
    [("autoencoder.weights", "autoencoder"), ("reference.statistics", "statistics")],
)
def test_weights_and_statistics_are_compared_too(
    pets: Path, verb: Said, field: str, role: str
) -> None:
    """By what is kept of them; the stages that make such lists are tested with theirs."""
    from harness.store import file_lists

    store, place = Store("results"), Path("given.bin")
    place.write_bytes(b"as they were")
    more = (
        "reference: {extractor: inception-2015, statistics: given.bin}\n"
        "evaluations: {final: {metrics: [fd]}}"
    )
    study_of(Path("images"), more=more if role == "statistics" else "")
    kind = "reference" if role == "statistics" else "encode"
    given = ("--set", f"{field}=given.bin")
    plan = make_plan(load_study("pets.yaml", None, given[1:]))
    (stage,) = [s for s in plan.stages.values() if s.kind == kind]
    folder = store.folder(kind, stage.key)
    folder.mkdir(parents=True, exist_ok=True)
    file_lists.write(folder / FILES, {role: file_lists.look(place, [place])})
    data = (folder / FILES).read_bytes()
    entries = {FILES: codec.FileEntry(len(data), durable.digest(data))}
    manifest = codec.written(kind, stage.key, entries, {}, {}, {})
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert "changed here" not in verb("plan", "pets.yaml", *given)[1]
    place.write_bytes(b"other ones, longer")
    _, out = verb("plan", "pets.yaml", *given)
    assert f"{field}: " in out and "1 file changed (the file itself)" in out
    code, out = verb("run", "pets.yaml", "--skip", "train", "--skip", "evaluate", *given)
    # a file that is no statistics at all is said before anything else
    assert code == 2 and (f"{field}: " in out or role == "statistics")


def test_images_of_a_floor_are_compared_too(pets: Path, verb: Said) -> None:
    from harness.store import file_lists

    more = (
        "reference: {extractor: random-conv, images: 4, floor_images: 4}\n"
        "evaluations: {final: {metrics: [fd]}}"
    )
    folder_of_pets(Path("others"))
    study = study_of(Path("images"), more=more)
    given = ("--set", "data.held_out=others")
    plan = make_plan(load_study(study, None, given[1:]))
    (stage,) = [s for s in plan.stages.values() if s.kind == "floor"]
    folder = Store("results").folder("floor", stage.key)
    folder.mkdir(parents=True)
    there = sorted(Path("others").glob("*/*.bmp"))
    file_lists.write(folder / FILES, {"floor": file_lists.look("others", there)})
    assert "changed here" not in verb("plan", "pets.yaml", *given)[1]
    overwrite(Path("others/cat/1.bmp"), bmp(1, side=9))
    out = verb("plan", "pets.yaml", *given)[1]
    assert "the held-out images of 'pets' at others are not those that floor" in out
    assert "1 file changed (cat/1.bmp)" in out


def test_a_large_tree_is_not_looked_at_whole_twice(
    pets: Path, verb: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.dispatch import identity
    from harness.store import file_lists

    monkeypatch.setattr(identity, "LARGE", 2)
    asked: list[Any] = []
    real = file_lists.look
    monkeypatch.setattr(file_lists, "look", lambda *given: asked.append(given) or real(*given))
    verb("plan", "pets.yaml")
    assert len(asked) == 1
    verb("plan", "pets.yaml")
    assert len(asked) == 1
    Path("images/cat/more.bmp").write_bytes(bmp(1))
    assert "1 file added" in verb("plan", "pets.yaml")[1]
    assert "1 file added" in verb("status", "pets.yaml")[1]  # as kept
    overwrite(Path("images/cat/1.bmp"), bmp(1, side=9))
    code, out = verb("run", "pets.yaml")  # which looks at all
    assert code == 2 and "1 file added (cat/more.bmp), 1 changed (cat/1.bmp)" in out


@pytest.mark.slow
def test_overwritten_images_are_trained_on_only_once_the_old_stages_are_let_go_of(
    verb: Said, harness: Harness
) -> None:
    """The whole way: run, images of other sizes, refused, forget, run."""
    study_of(folder_of_pets(Path("images")))
    done = harness("run", "pets.yaml", "--no-report")
    assert done.returncode == 0, done.stdout + done.stderr
    before = kept(Store("results"))["data"]
    for path in Path("images").glob("*/*.bmp"):
        overwrite(path, bmp(200, side=9))
    for more in ((), ("--set", "train.steps=8")):
        refused = harness("run", "pets.yaml", "--no-report", *more)
        assert refused.returncode == 2 and "6 files changed" in refused.stderr
        assert "Traceback" not in refused.stderr
    dry = harness("forget", "pets.yaml", "encode")
    assert dry.returncode == 0 and "nothing was done" in dry.stdout
    assert harness("forget", "pets.yaml", "encode", "--yes").returncode == 0
    again = harness("run", "pets.yaml", "--no-report", "--set", "train.steps=8")
    assert again.returncode == 0, again.stdout + again.stderr
    assert (kept(Store("results"))["data"].sizes != before.sizes).all()
