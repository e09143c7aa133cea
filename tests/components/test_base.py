"""What every component is: frozen settings of which some enter keys, and a version."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import pytest
from pydantic import ValidationError

from harness.components import Component, Later, NotInKey, base, get
from harness.components.base import uses


class Mine(Component):
    """What it is,
    in a sentence.

    And more that a list does not show.
    """

    kind: ClassVar[str] = "sampler"
    name: ClassVar[str] = "mine"

    steps: int = 3
    "How many."

    path: Annotated[str | None, NotInKey()] = None
    "Where, on this machine."

    late: Annotated[float, Later] = 1.0
    "What came later."


@pytest.fixture
def ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mine is a built-in."""
    monkeypatch.setattr(base, "is_built_in", lambda cls: cls is Mine)


def test_settings_are_checked_frozen_and_told_in_a_sentence() -> None:
    for wrong in ({"steps": "3"}, {"setps": 3}, {"late": float("nan")}):
        with pytest.raises(ValidationError):
            Mine.model_validate(wrong)
    with pytest.raises(ValidationError):
        Mine().steps = 4  # type: ignore[misc]
    assert Mine.about() == "What it is, in a sentence."


def test_a_strangers_key_has_every_setting_but_places() -> None:
    assert Mine(path="/here").keyed() == {"steps": 3, "late": 1.0}
    assert Mine(path="/here").content() == {"name": "mine", "steps": 3, "late": 1.0}
    assert Mine(path="/here").places() == {"path": "/here"}
    assert uses([Mine()]) == {"sampler:mine": 1}


@pytest.mark.usefixtures("ours")
def test_of_a_built_in_what_came_later_is_left_out_at_its_default_and_version_1_too() -> None:
    assert Mine().keyed() == {"steps": 3}
    assert Mine(late=2.0).keyed() == {"steps": 3, "late": 2.0}
    assert uses([Mine()]) == {}


@pytest.mark.usefixtures("ours")
def test_from_version_2_on_a_built_in_is_named_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Mine, "version", 2)
    assert uses([Mine()]) == {"sampler:mine": 2}


@pytest.mark.parametrize("settings", [{}, {"steps": 5, "late": 0.25}])
def test_a_key_is_read_back(settings: dict[str, Any]) -> None:
    component = Mine(**settings)
    written = component.key_fields("role")
    assert list(written) == ["role"]
    assert Mine.from_key("role", written) == component
    assert Mine.from_key("role", {"role": "mine"}) == Mine.from_key("role", {}) == Mine()


def test_one_without_settings_is_its_name() -> None:
    assert get("schedule", "constant")().content() == "constant"
