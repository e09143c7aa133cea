"""A study as one file: all of it arrives, damage is told before anything is taken."""

from __future__ import annotations

import io
import json
import lzma
import os
import random
import re
import shutil
import tarfile
from pathlib import Path
from typing import get_args

import pytest

from harness.cli import main
from harness.errors import BadInput
from harness.spec.base import NAME, Name
from harness.store import records, studies
from harness.store.artifacts import Store
from harness.store.studies import Index, StageOf
from harness.upkeep import archive


def row(letter: str, value: float) -> dict[str, list[dict[str, object]]]:
    return {"metrics": [{"key": letter * 64, "metric": "fid", "value": value, "of": "samples"}]}


@pytest.fixture
def study(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text("study: mine\n")
    return path


@pytest.fixture
def there(tmp_path: Path) -> Store:
    return Store(tmp_path / "there")


INDEX = Index("mine", "laptop", "study: mine\n", (), {"b" * 64: StageOf("evaluate")})


def stages(store: Store) -> list[tuple[str, str]]:
    found = [(kind, key) for kind in ("train", "evaluate") for key in store.committed([kind])]
    return sorted([*found, ("sample", "9" * 64)])  # one that is not done


def written(store: Store, study: Path, light: bool = False) -> Path:
    path = study.with_name("mine-light.tar.gz" if light else "mine.tar")
    archive.write(store, stages(store), path, study=study, index=INDEX, light=light)
    return path


@pytest.mark.slow
def test_what_an_archive_contradicts_is_said_of_the_archive(
    store: Store, there: Store, study: Path
) -> None:
    """And not of the folder that it was unpacked into, which is gone by then."""
    for of, value in ((store, 1.0), (there, 2.0)):
        records.write(
            of.root, "metrics", "e" * 64, [{"key": "e" * 64, "metric": "fid", "value": value}]
        )
    path = study.with_name("mine.tar")
    archive.write(store, [("evaluate", "e" * 64)], path, study=study, index=INDEX)
    with pytest.raises(BadInput) as error:
        archive.read(path, there.root)
    said = str(error.value)
    assert f"{path} and {there.root} contradict each other" in said
    assert f"value is 2 in {there.root} and 1 in {path}" in said and "staging" not in said


@pytest.mark.slow
def test_everything_arrives(store: Store, there: Store, study: Path, commit) -> None:
    a = commit(store, "train", "a", payload=b"weights")
    commit(store, "evaluate", "b", row("b", 2.5))
    log = store.root / "logs" / f"train-{a[:12]}" / "001.log"
    log.parent.mkdir(parents=True)
    log.write_text("trained")
    path = written(store, study)
    assert archive.is_archive(path)
    arrived = archive.read(path, there.root)
    assert len(arrived.merged.artifacts) == 2
    found = there.open("train", a)
    assert found is not None and found.file("payload.bin").read_bytes() == b"weights"
    assert records.read_frames(there.root)["metrics"].value.tolist() == [2.5]
    assert (there.root / "logs" / f"train-{a[:12]}" / "001.log").read_text() == "trained"
    assert arrived.study.read_text() == "study: mine\n"
    assert not any((there.root / "staging").glob("*"))
    assert not archive.read(path, there.root).merged.artifacts  # a second time nothing is doubled


@pytest.mark.slow
def test_a_light_one_has_the_numbers_alone(store: Store, there: Store, study: Path, commit) -> None:
    commit(store, "train", "a", payload=b"w" * 100_000)
    commit(store, "evaluate", "b", row("b", 2.5))
    path = written(store, study, light=True)
    assert path.stat().st_size < 10_000
    archive.read(path, there.root)
    assert records.read_frames(there.root)["metrics"].value.tolist() == [2.5]
    assert not there.committed(["train", "evaluate"])
    assert studies.find(there.root, "mine").stages.keys() == {"b" * 64}  # what it calls them


@pytest.mark.slow
def test_component_files_stay_behind_and_are_not_run(
    store: Store, there: Store, study: Path, commit, capsys: pytest.CaptureFixture[str]
) -> None:
    study.write_text("study: mine\ncomponents: [mine.py]\n")
    study.with_name("mine.py").write_text("raise SystemExit('run')\n")
    commit(store, "evaluate", "b", row("b", 2.5))
    path = written(store, study)
    with tarfile.open(path) as tar:
        assert not any(name.endswith("mine.py") for name in tar.getnames())
    assert main(["import", str(path), "--results", str(there.root)]) == 0
    assert "they are code" in capsys.readouterr().out


def test_no_owner_and_no_time_is_told(store: Store, study: Path, commit) -> None:
    commit(store, "train", "a")
    with tarfile.open(written(store, study)) as tar:
        assert {(m.uname, m.uid, m.mtime) for m in tar} == {("", 0, 0)}


def test_a_damaged_artifact_is_left_out(store: Store, study: Path, commit) -> None:
    bad = commit(store, "train", "a")
    commit(store, "train", "b")
    (store.folder("train", bad) / "payload.bin").write_bytes(b"y" * 1000)
    done = archive.write(store, stages(store), study.with_name("x.tar"), study=study, index=INDEX)
    assert done.stages == 1 and "does not match its checksum" in done.damaged[0]


@pytest.mark.parametrize("light", [False, True])
def test_rows_that_were_changed_are_no_numbers(
    light: bool, store: Store, study: Path, commit
) -> None:
    bad = commit(store, "evaluate", "a", row("a", 2.5))
    commit(store, "evaluate", "b", row("b", 3.5))
    rows = store.folder("evaluate", bad) / "record.json"
    rows.write_text(rows.read_text().replace("2.5", "7.5"))  # JSON still, and another number
    path = study.with_name("x.tar")
    done = archive.write(store, stages(store), path, study=study, index=INDEX, light=light)
    assert done.stages == 1 and "record.json does not match its checksum" in done.damaged[0]
    with tarfile.open(path) as tar:
        assert not [name for name in tar.getnames() if bad in name]


@pytest.mark.slow
@pytest.mark.parametrize("light", [False, True])
@pytest.mark.parametrize("how", ["rows damaged", "payload damaged", "removed"])
def test_a_number_that_the_records_have_goes_out_without_a_sound_artifact(
    how: str, light: bool, store: Store, there: Store, study: Path, commit
) -> None:
    """Every reading verb shows it: an archive without it would lose it on the way."""
    bad = commit(store, "evaluate", "a", row("a", 2.5))
    commit(store, "evaluate", "b", row("b", 3.5))
    records.reconcile(store)
    wanted = [("evaluate", bad), ("evaluate", "b" * 64)]
    home = store.folder("evaluate", bad)
    if how == "removed":
        shutil.rmtree(home)
    else:
        (home / {"r": "record.json", "p": "payload.bin"}[how[0]]).write_bytes(b"y" * 1000)
    path = study.with_name("x.tar")
    done = archive.write(store, wanted, path, study=study, index=INDEX, light=light)
    sound = light and how == "payload damaged"  # which is not read
    assert (done.stages, done.recorded) == ((2, 0) if sound else (1, 1))
    assert len(done.damaged) == (0 if how == "removed" or sound else 1)
    archive.read(path, there.root)
    assert sorted(records.read_frames(there.root)["metrics"]["value"]) == [2.5, 3.5]
    assert not there.folder("evaluate", bad).exists()


@pytest.mark.slow
def test_a_study_of_records_alone_goes_out(store: Store, there: Store, study: Path) -> None:
    """As a light archive has brought them."""
    records.write(store.root, "metrics", "a" * 64, row("a", 2.5)["metrics"])
    path = study.with_name("x.tar")
    done = archive.write(
        store, [("evaluate", "a" * 64)], path, study=study, index=INDEX, light=True
    )
    assert (done.stages, done.recorded) == (0, 1)
    archive.read(path, there.root)
    assert list(records.read_frames(there.root)["metrics"]["value"]) == [2.5]


def test_a_folder_in_the_place_of_a_log_stays_behind(store: Store, study: Path, commit) -> None:
    key = commit(store, "train", "a")
    (store.root / "logs" / f"train-{key[:12]}" / "001.log").mkdir(parents=True)
    (store.root / "attempts" / key / "1.json").mkdir(parents=True)
    with tarfile.open(written(store, study)) as tar:
        assert not [name for name in tar.getnames() if "001.log" in name or "1.json" in name]


def test_nothing_to_write_and_a_file_in_the_way(store: Store, study: Path, commit) -> None:
    with pytest.raises(BadInput, match="nothing of the study is committed"):
        written(store, study)
    assert not study.with_name("mine.tar").exists()
    commit(store, "train", "a")
    study.with_name("mine.tar").write_text("precious")
    with pytest.raises(BadInput, match="is there already"):
        written(store, study)
    assert study.with_name("mine.tar").read_text() == "precious"


@pytest.mark.parametrize("keep", [0.2, 0.5, 0.9])
def test_one_that_was_cut_off_is_refused(
    store: Store, there: Store, study: Path, commit, keep: float
) -> None:
    commit(store, "train", "a", payload=bytes(range(256)) * 400)
    path = written(store, study)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(BadInput, match=r"cut off|missing|not an archive"):
        archive.read(path, there.root)
    assert not there.committed(["train"])


def changed(path: Path, change) -> None:
    """Rewrite an archive's members: change(name, data) -> data, or None to leave it out."""
    out = io.BytesIO()
    with tarfile.open(path) as tar, tarfile.open(fileobj=out, mode="w") as new:
        for member in tar:
            file = tar.extractfile(member)
            data = change(member.name, file.read() if file else b"")
            if data is not None:
                member.size = len(data)
                new.addfile(member, io.BytesIO(data))
    path.write_bytes(out.getvalue())


def newer(name: str, data: bytes) -> bytes:
    return (
        json.dumps({**json.loads(data), "format": 99}).encode() if name == "archive.json" else data
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda n, d: d[:-1] + b"!" if n.endswith("payload.bin") else d, "does not match"),
        (lambda n, d: None if n.endswith("payload.bin") else d, "payload.bin is missing"),
        (lambda n, d: None if n == "archive.json" else d, "not an archive of a study"),
        (lambda n, d: b"[]" if n == "archive.json" else d, "not an archive of a study"),
        (newer, "format 99; this version reads formats up to 1"),
    ],
    ids=["changed", "left out", "no list", "another list", "newer"],
)
def test_a_changed_one_is_refused_whole(
    store: Store, there: Store, study: Path, commit, change, said: str
) -> None:
    commit(store, "train", "a")
    path = written(store, study)
    changed(path, change)
    with pytest.raises(BadInput, match=said):
        archive.read(path, there.root)
    assert not there.committed(["train"]) and not (there.root / "staging").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    "about",
    [
        *({"format": made_in} for made_in in (0, -1, True, 1.5, "1", None, [1])),
        {"study": "a\0b"},
        {"study": "../../outside"},
        {"study": "a" * 300},
        {"study": ""},
        {"study": ["mine"]},
        {"study": None},
        {"profile": ["smoke"]},
        {"profile": "a\0b"},
        {"overrides": "train.steps=3"},
        {"overrides": [3]},
    ],
    ids=repr,
)
def test_a_format_or_a_name_that_none_can_have_is_refused_whole(
    store: Store, there: Store, study: Path, commit, about: dict[str, object]
) -> None:
    commit(store, "train", "a")
    path = written(store, study)

    def called(name: str, data: bytes) -> bytes:
        return (
            json.dumps({**json.loads(data), **about}).encode() if name == "archive.json" else data
        )

    changed(path, called)
    with pytest.raises(BadInput, match=r"(no study can have|in this version). Nothing was taken"):
        archive.read(path, there.root)
    assert not there.committed(["train"]) and not (there.root / "archives").exists()


def test_an_archive_may_be_called_as_a_study_may() -> None:
    (limit,) = [m.max_length for m in get_args(Name)[1].metadata if hasattr(m, "max_length")]
    for name in ("a", "a" * limit, "A.b_c-9", "a" * (limit + 1), ".a", "a/b", "", "a\n"):
        fits = re.match(NAME, name) is not None and "\n" not in name and len(name) <= limit
        assert (re.fullmatch(archive.NAME, name) is not None) == fits, name


@pytest.mark.parametrize("name", ["../outside.txt", "/outside-of-all.txt"])
def test_nothing_is_written_outside(
    there: Store, tmp_path: Path, store: Store, study: Path, commit, name: str
) -> None:
    commit(store, "train", "a")
    path = written(store, study)
    with tarfile.open(path, "a") as tar:
        info = tarfile.TarInfo(name)
        info.size = 2
        tar.addfile(info, io.BytesIO(b"no"))
    with pytest.raises(BadInput):
        archive.read(path, there.root)
    assert not list(tmp_path.rglob("outside*")) and not Path("/outside-of-all.txt").exists()


def member(kind: bytes, size: int = 0, name: str = "results/more") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, size, "study.yaml"
    return info


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (member(tarfile.SYMTYPE), "results/more is not a plain file"),
        (member(tarfile.LNKTYPE), "results/more is not a plain file"),
        (member(tarfile.FIFOTYPE), "results/more is not a plain file"),
        (member(tarfile.REGTYPE, name="study.yaml"), "study.yaml is in it twice"),
        (member(tarfile.REGTYPE, size=1 << 60), "needs more than the"),
    ],
    ids=["link", "hard link", "pipe", "twice", "huge"],
)
def test_what_no_archive_holds_is_refused_before_it_is_unpacked(
    store: Store, there: Store, study: Path, commit, more: tarfile.TarInfo, said: str
) -> None:
    commit(store, "train", "a")
    path = written(store, study)
    with tarfile.open(path, "a") as tar:
        tar.addfile(more)
    with pytest.raises(BadInput, match=said):
        archive.read(path, there.root)
    assert not there.committed(["train"])


def test_damaged_compression_and_a_list_without_end_are_refused(
    store: Store, there: Store, study: Path, commit
) -> None:
    commit(store, "train", "a", payload=random.Random(0).randbytes(200_000))
    path = written(store, study)
    pressed = lzma.compress(path.read_bytes())
    other = path.with_name("other.tar.xz")
    other.write_bytes(pressed[: len(pressed) // 2] + b"\xff" * (len(pressed) // 2))
    with pytest.raises(BadInput, match="damaged or cut off"):
        archive.read(other, there.root)
    changed(path, lambda n, d: b"[" * 200_000 if n == "archive.json" else d)
    with pytest.raises(BadInput, match="not an archive of a study"):
        archive.read(path, there.root)


@pytest.mark.slow
def test_the_verbs(
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    commit,
) -> None:
    from harness.plan import make_plan
    from harness.spec import load_study

    monkeypatch.chdir(tmp_path)
    stage = next(iter(make_plan(load_study("scaling", "smoke")).stages.values()))
    made = store.folder(stage.kind, commit(store, stage.kind, "", key=stage.key))
    assert main(["export", "--study", "scaling", "--profile", "smoke"]) == 0
    assert "1 of 184 stages" in capsys.readouterr().out
    assert main(["import", "scaling-smoke.tar", "--results", "there"]) == 0
    assert "--profile smoke --results there" in capsys.readouterr().out
    for wrong in (
        ["export"],
        ["export", "abc", "--light"],
        ["export", "--study", "scaling", "one", "two"],
        ["export", "--study", "scaling", "--profile", "smoke"],  # the file is there
        ["import", "absent.tar"],
        ["import", str(made / "manifest.json")],
    ):
        assert main(wrong) == 2, wrong


@pytest.mark.slow
def test_what_killed_ones_left_is_removed_by_the_next(
    store: Store, study: Path, commit, there: Store
) -> None:
    commit(store, "evaluate", "b", row("b", 3.0))
    half = study.with_name("_mine.tar.0123abcd")
    of_another = study.with_name("_mine.tar.gz.0123abcd")
    unpacked = there.root / "staging" / "archive.0123abcd"
    unpacked.mkdir(parents=True)
    for path in (half, of_another):
        path.write_bytes(b"cut off")
    for path in (half, of_another, unpacked):
        os.utime(path, (0, 0))
    archive.read(written(store, study), there.root)
    assert not half.exists() and of_another.exists() and not unpacked.exists()
