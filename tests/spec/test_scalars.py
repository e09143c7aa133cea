"""Numbers and booleans as a person reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.errors import BadInput
from harness.spec import load_study
from harness.spec.scalars import instead_of
from harness.spec.source import parse

STUDY = """\
study: tiny
data: {name: glyphs, image_size: 8, channels: 1, train_images: 100, flip: FLIP}
model: {family: DiT-micro, patch_size: 8}
train: {steps: STEPS, batch_size: 8}
matrix:
  axes:
    model.size: [S]
    train.learning_rate: [RATE]
profiles: {laptop: {}}
"""


def written(folder: Path, steps: str = "20", flip: str = "false", rate: str = "1e-3") -> Path:
    path = folder / "study.yaml"
    text = STUDY.replace("STEPS", steps).replace("FLIP", flip).replace("RATE", rate)
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("400", 400), ("1_281_167", 1281167), ("+5", 5), ("-3", -3), ("0", 0), ("-0", 0)),
        *(("1e-4", 1e-4), ("1E4", 1e4), ("0.5", 0.5), (".5", 0.5), ("3.", 3.0), ("1.0e+3", 1e3)),
        *(("1_000.5", 1000.5), ("true", True), ("False", False), ("null", None), ("~", None)),
        *(("0400", "0400"), ("0x10", "0x10"), ("0b11", "0b11"), ("0o17", "0o17"), ("08", "08")),
        *(("1:30:00", "1:30:00"), ("16:00", "16:00"), ("2026-11-25", "2026-11-25")),
        *(("yes", "yes"), ("no", "no"), ("on", "on"), ("OFF", "OFF"), ("00.5", "00.5")),
    ],
)
def test_what_an_unquoted_word_is(text: str, value: Any) -> None:
    found = parse(f"value: {text}\nlist: [{text}]", "f").data
    assert found["value"] == value and type(found["value"]) is type(value)
    assert found["list"] == (value,)


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("0400", "write 400 (leading zeros make it octal to some readers, 256)"),
        ("08", "write 8 "),
        ("00.5", "write 0.5 "),
        ("0x10", "write 16 "),
        ("0b11", "write 3 "),
        ("0o17", "write 15 "),
        ("1:30:00", "write one decimal number in the field's own unit"),
        ("2026-11-25", "it is a date"),
        ('"500"', "write 500, without quotes"),
        ("1,000", "write 1_000 or 1000"),
    ],
)
@pytest.mark.parametrize("way", ["file", "set"])
def test_a_number_of_another_notation_is_refused_with_what_to_write(
    text: str, advice: str, way: str, tmp_path: Path
) -> None:
    if text == "1,000" and way == "file":
        text = '"1,000"'  # in a flow mapping a comma ends the value
    path = written(tmp_path, steps=text if way == "file" else "20")
    with pytest.raises(BadInput) as caught:
        load_study(path, overrides=[f"train.steps={text}"] if way == "set" else [])
    place = f"{path}:4: " if way == "file" else f"--set train.steps={text}: "
    said = str(caught.value)
    assert said.startswith(place), said
    assert text.strip('"') in said and advice in said


@pytest.mark.parametrize(
    ("word", "advice"), [("yes", "true"), ("on", "true"), ("No", "false"), ("off", "false")]
)
def test_yes_and_on_are_no_booleans(word: str, advice: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=rf":2: data.flip is '{word}' .*: write {advice}$"):
        load_study(written(tmp_path, flip=word))


def test_a_value_of_an_axis_is_refused_too(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"'0x10' .*write 16"):
        load_study(written(tmp_path, rate="0x10"))
    with pytest.raises(BadInput, match=r"found '0x10': write 16"):
        load_study(written(tmp_path), overrides=["matrix.axes.seed=[0x10]"])
    with pytest.raises(BadInput, match=r"found true$"):
        load_study(written(tmp_path), overrides=["matrix.axes.seed=[true]"])


def test_a_tag_makes_no_number_of_what_is_none() -> None:
    for text, advice in (
        ("!!int 0x10", "write 16"),
        ("!!int 010", "write 10"),
        ("!!bool on", "write true"),
    ):
        with pytest.raises(BadInput, match=rf"f:1: '\w+' is no \w+: {advice}"):
            parse(f"value: {text}", "f")
    assert parse("value: !!str 0400", "f").data["value"] == "0400"


def test_a_tab_is_called_one() -> None:
    for text in ("study: a\n\ttitle: b\n", "model:\n  \tfamily: x\n"):
        with pytest.raises(
            BadInput, match="f:2: not valid YAML: there is a tab: indent with spaces"
        ):
            parse(text, "f")


def test_lengths_are_told_in_plain_words(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"\(text\); it should be text of at most 80 characters$"):
        load_study(written(tmp_path), overrides=[f"study={'x' * 90}"])


def test_words_that_are_no_numbers_get_no_advice() -> None:
    assert instead_of("fast") is None and instead_of("maybe", boolean=True) is None
