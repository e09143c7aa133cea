"""What the verbs share: which stages are meant, how costs are told, what to type next."""

from __future__ import annotations

from pathlib import Path

import pytest
from verbs import Said


@pytest.mark.parametrize(
    "words",
    [
        ["cancel", "tiny.yaml", "trian"],
        ["cancel", "tiny.yaml", "train", "trian"],
        ["logs", "trian", "tiny.yaml"],
        ["retry", "tiny.yaml", "--stage", "trian"],
    ],
    ids=["cancel", "cancel two", "logs", "retry"],
)
def test_an_unknown_stage_is_named_and_nothing_is_started(
    verb: Said, words: list[str], study: Path
) -> None:
    code, said = verb(*words)
    assert code == 2
    assert "no stage of tiny matches 'trian'" in said
    assert "plan tiny.yaml --stages" in said
    assert not (study.parent / "results").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--skip", "nope"), "--skip nope: no stage matches it; "),
        (("--skip", "samplee"), "--skip samplee: no stage matches it (did you mean 'sample'?)"),
        (("--only", "nope"), "no stage matches it"),
        (("--only", "train,sample"), "(of several each has its own: --only train --only sample)"),
        (("--skip", "train nope"), "no stage matches it (did you mean 'train'?);"),
        (("--only", "TRAIN"), "(did you mean 'train'?)"),
        (("--only", "dit-MICRO"), "labels have capital letters where they are shown so"),
        (("--only", ""), "--only '': it is empty, and names no stage: leave the option out"),
        (("--skip", " "), "--skip ' ': it is empty, and names no stage"),
        (("--only", "train", "--only", "nope"), "--only nope: no stage matches it"),
    ],
)
def test_a_pattern_that_matches_no_stage_is_named(
    words: tuple[str, ...], said: str, verb: Said, study: Path
) -> None:
    code, out = verb("plan", study.name, *words)
    assert code == 2 and said in out


def test_a_stage_kind_that_the_study_has_none_of_may_be_skipped(verb: Said, study: Path) -> None:
    code, out = verb("plan", study.name, "--set", "evaluations.final=null", "--skip", "sample")
    assert code == 0, out
