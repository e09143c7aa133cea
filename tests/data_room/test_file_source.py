"""Which files serve which split, by their names, and what sources of files refuse."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.components.source import Images, Wanted
from harness.data.file_source import FileSource, content_sha256, of_split
from harness.errors import BadInput, Missing


class Lines(FileSource):
    """The smallest source of files: it opens nothing."""

    name = "lines"
    layout = "a folder of lines"

    def open(self, wanted: Wanted) -> Images:
        raise NotImplementedError

    def listing(self, path: str, split: Any = "train") -> list[Path]:
        if not Path(path).is_dir():
            raise Missing(path)
        return of_split(list(Path(path).iterdir()), split)


def names(split: Any, *files: str) -> list[str]:
    return [path.name for path in of_split([Path("x") / name for name in files], split)]


@pytest.mark.parametrize(
    ("files", "train", "floor"),
    [
        ("train-1 train-0 validation-0 test-0", "train-0 train-1", "validation-0"),
        ("x_train x_test", "x_train", "x_test"),
        ("XTrain XVal", "XTrain", "XVal"),
        ("trainset testset", "trainset", "testset"),
        ("part-0 part-1 val-0", "part-0 part-1", "val-0"),  # what nothing says is for training
        ("part-0 part-1", "part-0 part-1", "part-0 part-1"),
        ("train-0 extra-0", "train-0", "train-0"),  # the floor is of what the reference leaves
        ("test-0", "test-0", "test-0"),
        ("test-0 val-0", "test-0", "val-0"),
        ("train-val-0 train-val-1", "train-val-0 train-val-1", "train-val-0 train-val-1"),
    ],
)
def test_names_say_what_files_are_for(files: str, train: str, floor: str) -> None:
    for split in ("train", "reference", "classifier", "classifier-test"):
        assert names(split, *files.split()) == train.split()
    assert names("floor", *files.split()) == floor.split()


@pytest.mark.parametrize("name", ["latest", "greatest-hits", "carnival", "medieval", "interval_2"])
def test_a_word_within_a_word_says_nothing(name: str) -> None:
    """Such a file would be left out of training without a word."""
    assert names("train", name, "other") == sorted([name, "other"])
    assert names("train", "constrained", "strain") == ["constrained", "strain"]


WORDS = st.sampled_from(["train", "val", "validation", "test", "part", "latest", "strain"])
FILES = st.lists(st.tuples(WORDS, st.integers(0, 9)), min_size=1, unique=True, max_size=6)


@pytest.mark.slow
@given(FILES, st.randoms())
def test_splits_are_the_same_or_disjoint_and_never_empty(files: Any, random: Any) -> None:
    """Else a floor would be measured of images that the reference was made of."""
    paths = [Path(f"{word}-{number}.npz") for word, number in files]
    train, floor = of_split(paths, "train"), of_split(paths, "floor")
    assert train and floor
    assert train == floor or not set(train) & set(floor)
    random.shuffle(paths)
    assert (of_split(paths, "train"), of_split(paths, "floor")) == (train, floor)


def test_floors_are_apart_where_their_files_are(tmp_path: Path) -> None:
    assert Lines().floors_apart(str(tmp_path / "no")) is None
    (tmp_path / "train-0").write_text("x")
    assert Lines().floors_apart(str(tmp_path)) is False
    (tmp_path / "val-0").write_text("x")
    assert Lines().floors_apart(str(tmp_path)) is True


def test_the_path_is_asked_for_and_has_to_be_there(tmp_path: Path) -> None:
    def wanted(path: str | None) -> Wanted:
        return Wanted("mine", path, "train", 8, 3, None, None, 0)

    assert Lines().path_of(wanted(str(tmp_path))) == tmp_path
    with pytest.raises(BadInput, match=r"data 'mine' is read from files: give data\.path"):
        Lines().path_of(wanted(None))
    with pytest.raises(Missing, match=r"no is not there: give data\.path a folder of lines"):
        Lines().path_of(wanted(str(tmp_path / "no")))


def test_an_embedded_sets_name_is_not_for_files() -> None:
    Lines().check(SimpleNamespace(name="mine"))
    with pytest.raises(BadInput, match=r"'glyphs' is an embedded set's, and source 'lines' reads"):
        Lines().check(SimpleNamespace(name="glyphs"))


def test_the_checksum_is_of_names_contents_and_order(tmp_path: Path) -> None:
    def paths(**contents: bytes) -> list[Path]:
        for name, content in contents.items():
            (tmp_path / name).write_bytes(content)
        return [tmp_path / name for name in contents]

    first = content_sha256(paths(a=b"12", b=b"3"))
    assert first == content_sha256(paths(a=b"12", b=b"3"))
    assert first != content_sha256(paths(b=b"3", a=b"12"))
    assert first != content_sha256(paths(a=b"1", b=b"23"))  # the seam between files counts
    assert first != content_sha256(paths(a=b"12", c=b"3"))
