"""Extractors that a reference stage trains: their weights, and the names that they go by."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.components import registry
from harness.errors import Missing
from harness.metrics.trained_component import OfOwnImages, trained_file


def test_the_file_is_the_one_that_was_given(tmp_path: Path) -> None:
    (tmp_path / "extractor.safetensors").write_bytes(b"x")
    given = tmp_path / "extractor.safetensors"
    assert trained_file("glyphs-cnn", given) == trained_file("glyphs-cnn", str(given)) == given


def test_without_it_the_error_says_who_writes_it(tmp_path: Path) -> None:
    with pytest.raises(Missing, match=r"stage and has no published.*--weights .*\.safetensors"):
        trained_file("glyphs-cnn", None)
    for absent in (tmp_path / "no.safetensors", tmp_path):  # a folder is no file
        with pytest.raises(Missing, match=f"of extractor glyphs-cnn are not at {absent}"):
            trained_file("glyphs-cnn", absent)


def own() -> list[type[OfOwnImages]]:
    loaded = [registry.get("extractor", name) for name in registry.names("extractor")]
    return [cls for cls in loaded if issubclass(cls, OfOwnImages)]


def test_there_are_two_and_both_are_trained() -> None:
    assert {cls.name for cls in own()} == {"classifier", "self-supervised"}
    assert all(cls.trained for cls in own())


@pytest.mark.parametrize("cls", own(), ids=lambda cls: cls.name)
def test_it_goes_by_its_name_with_the_datas_behind(cls: type[OfOwnImages]) -> None:
    component = cls.model_validate({})
    assert component.goes_by(f"{cls.name}-photos")
    assert not component.goes_by(cls.name) and not component.goes_by(f"my-{cls.name}-photos")
