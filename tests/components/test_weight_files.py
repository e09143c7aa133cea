"""Which files of a folder hold a network's weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.components.weight_files import find, parts
from harness.errors import BadInput

STEM = "diffusion_pytorch_model"
INDEX = f"{STEM}.safetensors.index.json"


def hold(folder: Path, *names: str, **indices: list[str]) -> None:
    for name in names:
        (folder / name).touch()
    for variant, listed in indices.items():
        name = INDEX if variant == "full" else f"{STEM}.safetensors.index.{variant}.json"
        weights = {f"tensor{i}": file for i, file in enumerate(listed)}
        (folder / name).write_text(json.dumps({"metadata": {}, "weight_map": weights}))


@pytest.mark.parametrize(
    ("names", "chosen", "variant"),
    [
        (("fp16.safetensors", "safetensors"), "safetensors", None),
        (("fp16.safetensors", "non_ema.safetensors"), "fp16.safetensors", "fp16"),
        (("non_ema.safetensors",), "non_ema.safetensors", "non_ema"),
        (("bf16.safetensors", "ema.safetensors"), "ema.safetensors", "ema"),
        (("bin", "fp16.safetensors"), "fp16.safetensors", "fp16"),  # no pickle where it can be
        (("bin",), "bin", None),
    ],
)
def test_weights_in_full_come_before_a_variant(
    names: tuple[str, ...], chosen: str, variant: str | None, tmp_path: Path
) -> None:
    hold(tmp_path, *(f"{STEM}.{name}" for name in names))
    found = find(tmp_path)
    assert found is not None
    assert (found.path.name, found.variant) == (f"{STEM}.{chosen}", variant)
    assert (found.note is None) == (variant is None)
    if variant is not None:
        assert repr(variant) in str(found.note) and "the folder holds no others" in str(found.note)


def test_parts_are_those_of_the_index(tmp_path: Path) -> None:
    names = [f"{STEM}-0000{i}-of-00002.safetensors" for i in (1, 2)]
    hold(tmp_path, *names, full=[names[1], names[0], names[1]])
    found = find(tmp_path)
    assert found is not None and found.index == tmp_path / INDEX and found.variant is None
    assert [file.name for file in found.files] == names


def test_parts_of_a_variant_are_no_variants_of_their_own(tmp_path: Path) -> None:
    names = [f"{STEM}.fp16-0000{i}-of-00002.safetensors" for i in (1, 2)]
    hold(tmp_path, *names, fp16=names)
    found = find(tmp_path)
    assert found is not None and (found.variant, len(found.files)) == ("fp16", 2)
    (tmp_path / f"{STEM}.safetensors.index.fp16.json").unlink()
    assert find(tmp_path) is None


def test_a_folder_without_weights_has_none(tmp_path: Path) -> None:
    hold(tmp_path, "config.json", "other.safetensors")
    assert find(tmp_path) is None and find(tmp_path / "no") is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is not an index of weights"),
        ("[]", "is not an index of weights"),
        ('{"weight_map": 3}', "is not an index of weights"),
        ('{"weight_map": {}}', "it names no file"),
        ('{"weight_map": {"a": "../x.safetensors"}}', "which does not lie beside it"),
        ('{"weight_map": {"a": "/etc/passwd"}}', "which does not lie beside it"),
        ('{"weight_map": {"a": ".."}}', "which does not lie beside it"),
        ('{"weight_map": {"a": "x", "b": "y"}}', "names 2 files, and 2 of them are not there"),
        ('{"weight_map": {"a": "x", "b": "x"}}', r"names one file, which is not there \(x\): copy"),
    ],
)
def test_an_index_that_names_no_files_here_is_refused(
    content: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / INDEX).write_text(content)
    with pytest.raises(BadInput, match=said):
        find(tmp_path)
    with pytest.raises(BadInput, match=r"index\.json"):
        list(parts(tmp_path / INDEX))
