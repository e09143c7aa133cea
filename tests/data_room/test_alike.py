"""Class folders whose names look alike are told, and no others."""

from __future__ import annotations

import pytest

from harness.data import alike


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["Cat", "cat", "dog"], "'Cat' and 'cat'"),
        (["dog", "dog "], "'dog' and 'dog '"),
        (["caf\u00e9", "cafe\u0301"], r"'caf\u00e9' and 'cafe\\u0301'"),  # NFC and NFD
        (["a  b", "a b"], "'a  b' and 'a b'"),
        (["\uff21", "a"], "and 'a'"),  # full width
        (["x\u200b", "x"], None),  # no form of Unicode's takes these for one
        (["n01440764", "n01443537", "train", "0", "00"], None),
        ([], None),
    ],
)
def test_names_of_one_look_are_told_with_their_difference(
    names: list[str], said: str | None
) -> None:
    found = alike.sentences(names)
    if said is None:
        assert found == []
    else:
        (sentence,) = found
        assert said.encode().decode("unicode_escape") in sentence or said in sentence
        assert sentence.endswith("merge or rename them")


def test_many_of_them_are_counted() -> None:
    (sentence,) = alike.sentences([f"{case}{k}" for k in range(9) for case in "aA"])
    assert "'a0' and 'A0'" in sentence and "and 6 more" in sentence
