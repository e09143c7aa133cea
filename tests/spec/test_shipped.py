"""Studies by name: from any folder, with a file of that name first, and an error that helps."""

from __future__ import annotations

from pathlib import Path

import pytest

import harness
from harness.errors import BadInput
from harness.plan import make_plan
from harness.spec import Study, profiles, shipped


def keys(study: Study) -> set[str]:
    return set(make_plan(study).stages)


def test_a_study_is_found_by_name_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    by_name = harness.load_study("scaling", "smoke")
    by_path = harness.load_study(shipped.folder() / "scaling.yaml", "smoke")
    assert keys(by_name) == keys(by_path) and by_name.path == by_path.path
    assert by_name.path.is_file() and by_name.path.is_absolute()
    assert profiles("scaling") == ["laptop", "smoke", "cifar10", "imagenet64", "imagenet256"]


@pytest.mark.slow
def test_every_study_of_the_repository_has_its_name() -> None:
    here = Path(__file__).resolve().parents[2] / "studies"
    assert shipped.names() == sorted(path.stem for path in here.glob("*.yaml"))
    for name in shipped.names():
        study = harness.load_study(name)
        itself = harness.load_study(study.name)  # also by what the study calls itself
        assert itself.path == study.path and keys(itself) == keys(study)


def test_a_file_of_the_same_name_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("scaling").write_text("study: mine\n")
    assert shipped.find("scaling") == Path("scaling")


@pytest.mark.parametrize("path", ["a/b", "./scaling", "scaling.yml", "/absent/scaling", ".."])
def test_a_path_is_left_as_it_is(path: str) -> None:
    assert shipped.find(path) == Path(path)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("scalling", "did you mean 'scaling'?"),
        ("zzz", "blocks, complexity"),
        ("zzz", "my_study.yaml"),
    ],
)
def test_an_unknown_name_lists_those_that_there_are(given: str, said: str) -> None:
    with pytest.raises(BadInput, match="no such file") as error:
        shipped.find(given)
    assert said in str(error.value)


def test_a_name_without_its_ending_is_recognised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text("study: mine\n")
    with pytest.raises(BadInput, match=r"did you mean 'mine\.yaml'\?"):
        shipped.find("mine")


def test_commands_name_an_installed_study_as_the_user_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipped, "_PACKAGE", tmp_path)
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "scaling.yaml").write_text("study: scaling\n")
    assert shipped.names() == ["scaling"]
    assert shipped.given(shipped.find("scaling")) == "scaling"
    assert shipped.given(Path("studies/mine.yaml")) == "studies/mine.yaml"


@pytest.mark.parametrize("name", ["", "  "])
def test_no_name_is_told_as_none(name: str) -> None:
    with pytest.raises(
        BadInput, match=r"the study's name is empty .*give a file, or one of blocks"
    ):
        shipped.find(name)


def test_a_folder_in_the_place_of_a_study_says_what_it_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine").mkdir()
    for given in ("mine", "./mine", "."):
        with pytest.raises(BadInput, match=r"it is a folder, and a study is a YAML file$"):
            harness.load_study(given)
    Path("mine/a.yaml").touch()
    with pytest.raises(BadInput, match=r"mine: it is a folder, .* file; it holds a.yaml$"):
        harness.load_study("mine")
