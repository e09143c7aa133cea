"""Settings and their values in short words: never two values that look alike."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import setting_names as names


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("learning_rate", 0.004, "lr 0.004"),
        ("learning_rate", 1e-05, "lr 1e-05"),
        ("label_dropout", 0.0, "dropout 0"),
        ("warmup_steps", 100, "warmup steps 100"),
        ("tf32", True, "tf32 on"),
        ("tf32", False, "tf32 off"),
        ("grad_clip", None, "clip off"),
        ("block", "adaln-zero", "adaln-zero"),
        ("objective", "flow", "flow"),
        ("objective", {"name": "flow", "shift": 3}, "flow"),
        ("optimizer", None, "adamw"),
        ("optimizer", {"name": "muon"}, "muon"),
        ("image_size", 256, "256 px"),
        ("horizon", 40000, "to 40,000 steps"),
        ("schedule", None, "constant"),
        ("schedule", {"name": "cosine"}, "cosine"),
    ],
)
def test_what_is_said(name: str, value: object, said: str) -> None:
    assert names.said(name, value) == said


@given(st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_two_values_never_look_like_one(a: float, b: float) -> None:
    assert (names.level(a) == names.level(b)) == (
        a == b and math.copysign(1, a) == math.copysign(1, b)
    )


@given(st.floats(allow_nan=False))
def test_a_value_is_read_back(value: float) -> None:
    assert float(names.level(value)) == value


def test_levels_of_components_say_what_tells_them_apart() -> None:
    one, two, other = (
        '{"decay": 0.2, "name": "wsd", "warmup": 50}',
        '{"decay": 0.4, "name": "wsd", "warmup": 50}',
        '{"final": 0.0, "name": "cosine", "warmup": 5}',
    )
    said = names.levels([one, other, "constant", one])
    assert said == {one: "wsd", other: "cosine", "constant": "constant"}
    assert names.levels([one, two, other])[one] == "wsd, decay 0.2"
    assert names.levels([0.1, 1e-5, None, "{no json"]) == {
        0.1: "0.1", 1e-5: "1e-05", None: "off", "{no json": "{no json"}  # fmt: skip


def test_settings_without_a_short_word_are_written_apart() -> None:
    assert names.setting("weight_decay") == "decay" and names.setting("ema_decay") == "ema decay"
