"""A study as text in which every setting carries what it means."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from harness.commands import commented
from harness.spec import source
from harness.spec import source as yaml_source


def parsed(content: dict[str, Any]) -> Any:
    return source.parse(commented.dump(content), "x.yaml").data


def test_a_settings_meaning_stands_where_it_first_appears_and_not_again() -> None:
    content = {
        "study": "a",
        "train": {"steps": 10, "batch_size": 8},
        "profiles": {"laptop": {"train": {"steps": 5}}},
    }
    text = commented.dump(content)
    meanings = [line for line in text.splitlines() if "steps: " in line]
    assert "#" not in meanings[1] and text.count("# ") >= 2
    assert all(len(line) <= commented.WIDTH for line in text.splitlines())
    assert parsed(content) == content


@pytest.mark.parametrize(
    "value",
    [0, 10_000, 1e-4, 0.1, 1e-12, True, None, "null", "1e3", "1_000", "yes", "a: b", "# no", "é",
     "0x10", "", "-", "word", (1, "2", None), {"name": "ddim", "eta": 0.5}],
)  # fmt: skip
def test_a_value_is_read_back_as_it_was(value: Any) -> None:
    assert parsed({"study": "a", "other": value}) == {"study": "a", "other": value}
    assert parsed({"other": {"below": value}}) == {"other": {"below": value}}


def test_numbers_are_written_as_a_person_writes_them() -> None:
    text = commented.dump({"a": 400_000, "b": 1e-4, "c": 0.5, "d": 9999})
    assert "400_000" in text and "1.0e-04" in text and "0.5" in text and "9999" in text


def test_what_is_too_long_for_a_line_is_broken_and_read_back() -> None:
    content = {"study": "a", "about": "A long sentence " * 20, "seeds": tuple(range(80))}
    content["about"] = content["about"].strip()
    assert parsed(content) == content
    assert all(len(line) <= commented.WIDTH for line in commented.dump(content).splitlines())


def test_comments_do_not_change_what_a_study_says() -> None:
    content = {
        "study": "a",
        "title": "no: yes",
        "about": "A sentence with adaLN-Zero " * 12,
        "seed": 12345,
        "train": {"learning_rate": 1e-4, "ema": 0.9999, "grad_clip": 1.0, "tf32": False},
        "matrix": {"axes": {"model.size": ["S", "1e3", "null"], "seed": [*range(60)]}},
        "profiles": {"laptop": {"train": None, "evaluations": {"final": {"samples": 10}}}},
    }
    content["about"] = str(content["about"]).strip()
    text = commented.dump(content)
    assert json.loads(json.dumps(yaml_source.parse(text, "a.yaml").data)) == content
    assert yaml.safe_load(text).keys() == content.keys()
    assert all(len(line) <= 100 for line in text.splitlines())


@pytest.mark.parametrize("text", ["a, b", "p], q", "{x", "a: b", "1e3", "plain", "two words", "é"])
def test_a_text_within_braces_is_read_back(text: str) -> None:
    """A comma ended it there."""
    value = {"a": text, "b": [text, {text: [text]}]}
    line = commented.in_a_line(value)
    assert "\n" not in line and yaml.safe_load(line) == value
