"""Numbers and booleans as a person reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.errors import BadInput
from harness.spec import load_study
from harness.spec.scalars import beyond, instead_of
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
        ("1e\u22124", "write 1e-4 (its dash is no hyphen)"),
        ("\u20133", "write -3 (its dash is no hyphen)"),
        ("00.5", "write 0.5 "),
        ("0x10", "write 16 "),
        ("0b11", "write 3 "),
        ("0o17", "write 15 "),
        ("1:30:00", "write one decimal number in the field's own unit"),
        ("2026-11-25", "it is a date"),
        ('"500"', "write 500, without quotes"),
        ("1,000", "write 1_000 or 1000"),
        ("1 000", "write 1_000 or 1000"),
        ("1__0", "write 10"),
        ("6_", "write 6"),
        ("6k", "write 6000"),
        ("1.5M", "write 1500000"),
        ("1/2", "nothing is computed in a study: write the number"),
        ("2**10", "nothing is computed in a study: write the number"),
        ("2^10", "nothing is computed in a study: write the number"),
        ("10 * 50", "nothing is computed in a study: write the number"),
        ("1d3", "write 1e3"),
        ("07", "write 7 (no leading 0)"),
        ("６", "write 6"),
        ("٤٢", "write 42"),
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
    ("text", "advice"),
    [
        ("0,001", "write 0.001 (a point, where others have a comma)"),
        ("1,5e-4", "write 1.5e-4 (a point"),
        ("1d-4", "write 1e-4"),
        ("1.D-4", "write 1.e-4"),
        ("5%", "write 0.05, if it is a share"),
        ("12.5 %", "write 0.125, if it is a share"),
        ("1/3", "nothing is computed in a study"),
        ("10^-4", "nothing is computed in a study"),
        ("1*10**-4", "nothing is computed in a study"),
        ("2 - 1", "nothing is computed in a study"),
    ],
)
def test_a_share_a_comma_and_a_sum_are_told_what_to_write(text: str, advice: str) -> None:
    assert (instead_of(text) or "").startswith(advice)


@pytest.mark.parametrize(
    "text",
    [
        *("six", "B/8", "DiT-S/2", "a-1", "1.2.3", "", "-", "e-4", "0..3", "1 2"),
        *("９" * 5000, "1_" * 5000, "1 " * 50_000, "0" * 5000, "0x" + "f" * 5000),
    ],
)
def test_what_may_mean_anything_is_told_nothing(text: str) -> None:
    assert instead_of(text) is None


@pytest.mark.parametrize(("given", "advice"), [("1", "write true"), ("0", "write false")])
def test_one_and_zero_are_no_booleans(given: str, advice: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=rf"it should be true or false: {advice} \["):
        load_study(written(tmp_path, flip=given))


def test_one_value_of_an_axis_is_told_to_be_a_list(tmp_path: Path) -> None:
    for text, advice in (("3", r"write \[3\]"), ("abc", r'write \["abc"\]')):
        with pytest.raises(BadInput, match=rf"it should be a list: {advice}"):
            load_study(written(tmp_path), overrides=[f"matrix.axes.seed={text}"])


def test_an_integer_of_thousands_of_digits_is_refused_in_a_sentence(tmp_path: Path) -> None:
    for digits in ("7" * 90_000, "９" * 5000, "0" * 5000, "0x" + "f" * 5000, "1_" * 3000 + "1"):
        with pytest.raises(BadInput) as caught:
            load_study(written(tmp_path, steps=digits))
        assert "study.yaml:4: " in str(caught.value) and len(str(caught.value)) < 500, digits[:5]


def test_what_is_wrong_in_every_run_is_said_once(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        load_study(written(tmp_path, rate="0x10"), overrides=["matrix.axes.seed=[0,1,2,3]"])
    (line,) = str(caught.value).splitlines()
    assert "(in the run model.size=S, train.learning_rate=0x10, seed=0" in line
    overrides = ["matrix.axes.model.size=[S, B]", "matrix.axes.model.patch_size=[08]"]
    with pytest.raises(BadInput) as caught:
        load_study(written(tmp_path), overrides=overrides)
    (line,) = str(caught.value).splitlines()
    assert "patch_size=08, and 1 more)" in line


@pytest.mark.parametrize(
    ("word", "advice"), [("yes", "true"), ("on", "true"), ("No", "false"), ("off", "false")]
)
def test_yes_and_on_are_no_booleans(word: str, advice: str, tmp_path: Path) -> None:
    meaning = r"\[Random horizontal flips in training\.\]"
    said = rf":2: data.flip is '{word}' .*: write {advice} {meaning}$"
    with pytest.raises(BadInput, match=said):
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


@pytest.mark.parametrize(("text", "said"), [("1e400", "too large"), ("-1e-400", "too small")])
def test_a_number_beyond_a_computers_is_no_infinity_and_no_zero(
    text: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match=rf":8: {text} is {said} for a number$"):
        load_study(written(tmp_path, rate=text))
    assert beyond("0e9") is beyond("0.0") is beyond(".inf") is beyond("400") is None


def test_a_comma_in_a_number_of_a_flow_mapping_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r":4: '000' is not a field: a comma ends .* write 1_000"):
        load_study(written(tmp_path, steps="1,000"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (STUDY.encode("utf-16"), "UTF-16 or UTF-32 text: save it as UTF-8"),
        (STUDY.encode("utf-32"), "UTF-16 or UTF-32 text: save it as UTF-8"),
        (STUDY.encode("utf-16-be"), ":1: not valid YAML: a control character (U+0000)"),
        (
            b"study: caf\xe9",
            "not UTF-8 text (byte 10)",
        ),
        (b"study: a\ntitle: b\x1b[31m\n", ":2: not valid YAML: a control character (U+001B)"),
        (b'study: a\ntitle: "\\e[31m"\n', ":2: a control character (U+001B) in a text"),
        (b'study: a\ndata: {path: "/a\\0b"}\n', ":2: a control character (U+0000) in a text"),
        (b'study: a\n"\\a": b\n', ":2: a field name must be a word"),
        (b'study: a\n"": b\n', ":2: a field has no name"),
        (b"---\n", "the file is empty"),
        (b"null\n", "the file is empty"),
        (b"study: a\n---\nstudy: b\n", ":2: not valid YAML: a second document begins here"),
        (b"study: a\nmodel: &m\n  <<: *m\n", "an alias stands within what it names"),
        (b"study: a\nmodel: {<<: {size: S}, <<: {size: B}}\n", ":2: << is given twice"),
        (b"study: a\ntitle: *x\n", ":2: not valid YAML: this alias (*) has no anchor"),
        (b"study: a\ntitle: @x\n", ":2: not valid YAML: no word begins with this character"),
        (b"study: a\ntitle: b: c\n", "text with a colon needs quotes"),
        (b"study: a\ntitle: 7\n", ":2: title is 7 (a whole number); it should be text: put it in"),
        (b"study: !!int 6.5\n", ":1: '6.5' is no whole number"),
        (b"study: a\nx: " + b"[" * 99_999, ":2: nested more than 40 deep; refused"),
        (b"- " * 50_000 + b"x", ":1: nested more than 40 deep; refused"),
        (b"a: " + b"{a: " * 30_000 + b"x" + b"}" * 30_000, ":1: nested more than 40 deep"),
    ],
)
def test_a_file_of_another_kind_is_named_in_one_line(
    content: bytes, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "study.yaml"
    path.write_bytes(content)
    with pytest.raises(BadInput) as caught:
        load_study(path)
    line = next(line for line in str(caught.value).splitlines() if said in line)
    assert line.startswith(f"{path}:")


@pytest.mark.parametrize("ending", ["\r\n", "\r", "\n"])
def test_the_line_ends_and_the_mark_of_other_systems_are_read(ending: str, tmp_path: Path) -> None:
    text = STUDY.replace("FLIP", "false").replace("STEPS", "20").replace("RATE", "1e-3")
    path = tmp_path / "study.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", ending).encode())
    assert load_study(path).runs[0].train.steps == 20


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("train.steps=7 # more", "what follows the # is a comment: put the value in quotes"),
        ("title=Study #3", "what follows the # is a comment"),
        ("title=#3", "what follows the # is a comment"),
        ('title="a', "not valid YAML: found unexpected end of stream"),
        ("title=[", "not valid YAML: "),
        ("title=a\x00b", "not valid YAML: a control character (U+0000)"),
    ],
)
def test_what_a_set_cannot_mean_is_said_without_a_line_number(
    assignment: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(BadInput) as caught:
        load_study(written(tmp_path), overrides=[assignment])
    place, _, sentence = str(caught.value).partition(f"--set {assignment}: ")
    assert place == "" and said in sentence


def test_a_sharp_within_quotes_or_a_word_is_text(tmp_path: Path) -> None:
    for given, title in (('"Study #3"', "Study #3"), ("C#", "C#"), ("'#'", "#")):
        study = load_study(written(tmp_path), overrides=[f"title={given}"])
        assert study.settings.title == title


def test_a_tab_is_called_one() -> None:
    for text in ("study: a\n\ttitle: b\n", "model:\n  \tfamily: x\n"):
        with pytest.raises(
            BadInput, match="f:2: not valid YAML: there is a tab: indent with spaces"
        ):
            parse(text, "f")


def test_lengths_are_told_in_plain_words(tmp_path: Path) -> None:
    said = r"\(text\); it should be text of at most 80 characters \[The study's name\.\]$"
    with pytest.raises(BadInput, match=said):
        load_study(written(tmp_path), overrides=[f"study={'x' * 90}"])


def test_words_that_are_no_numbers_get_no_advice() -> None:
    assert instead_of("fast") is None and instead_of("maybe", boolean=True) is None
