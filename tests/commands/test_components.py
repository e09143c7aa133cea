"""`components`: what a study may name, who brings it, and what its settings mean."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from verbs import Said

from harness.components import registry


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    yield
    registry.forget_files()


MINE = '''
from typing import ClassVar
from harness.components import Schedule


class Halved(Schedule):
    """Half the rate."""

    name: ClassVar[str] = "halved"

    share: float
    "Of the rate."

    def factor(self, step: int, horizon: int) -> float:
        return self.share
'''


@pytest.mark.slow
def test_a_kind_is_listed_by_name_meaning_and_source(verb: Said) -> None:
    code, said = verb("components", "schedule")
    assert code == 0 and "cosine" in said and "[built in]" in said
    assert "ddim" not in said and "ddim" in verb("components")[1]


def test_one_is_shown_with_its_settings_and_what_a_program_reads_is_the_same(verb: Said) -> None:
    code, said = verb("components", "sampler", "ddim")
    assert code == 0 and said.startswith("sampler ddim, version 1") and "  eta: " in said
    assert "it has no settings" in verb("components", "schedule", "constant")[1]
    (row,) = json.loads(verb("components", "sampler", "ddim", "--json")[1])
    assert (row["name"], row["version"], row["settings"]["eta"]["default"]) == ("ddim", 1, 0.0)


def test_a_studys_own_files_are_among_them(verb: Said, study: Path) -> None:
    (study.parent / "mine.py").write_text(MINE)
    study.write_text(study.read_text() + "components: [mine.py]\n")
    code, said = verb("components", "schedule", "halved", "--study", "tiny.yaml")
    assert code == 0 and "schedule halved, version 1" in said
    assert "share: Of the rate. (a number; must be given)" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("samplers2",), "no kind of component 'samplers2'"),
        (("sampler", "dim"), "unknown sampler 'dim' (did you mean 'ddim'?)"),
        (("--study", "nowhere.yaml"), "nowhere.yaml: no such file"),
    ],
)
def test_what_there_is_not_is_said(words: tuple[str, ...], said: str, verb: Said) -> None:
    code, told = verb("components", *words)
    assert code == 2 and said in told


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("mine.py", "components is 'mine.py'; it should be a list of Python files"),
        ("5", "components is 5; it should be a list"),
        ("[1]", "components is (1,); it should be a list"),
        ("[absent.py]", "absent.py: No such file"),
    ],
)
def test_what_is_no_list_of_files_is_refused_with_its_line(
    verb: Said, study: Path, written: str, said: str
) -> None:
    study.write_text(study.read_text() + f"components: {written}\n")
    code, found = verb("components", "--study", "tiny.yaml")
    assert code == 2 and "tiny.yaml:" in found and said in found
