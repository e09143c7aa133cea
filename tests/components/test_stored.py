"""Components read back from what keys hold."""

from __future__ import annotations

from typing import Any

import pytest

from harness.components import UnknownComponent, get, registry, stored


@pytest.mark.parametrize("kind", stored.UNNAMED)
def test_where_settings_name_none_it_is_what_there_was_before_a_choice(kind: str) -> None:
    assert stored.UNNAMED[kind] in registry.names(kind)
    cls: Any = get(kind, stored.UNNAMED[kind])
    if kind != "family":  # which has a size
        default = cls()
        written = {k: v for k, v in default.key_fields(kind).items() if k != kind}
        assert stored.read(kind, written) == default


def test_a_name_or_a_mapping_under_its_role_is_read() -> None:
    ddim: Any = get("sampler", "ddim")
    assert stored.read("sampler", ddim(eta=0.5).key_fields("sampler")) == ddim(eta=0.5)
    constant = stored.read("schedule", {"mine": "warmup", "schedule": "wsd"}, role="mine")
    assert constant.name == "warmup"


def test_places_of_this_machine_are_given_beside() -> None:
    settings = get("source", "image-folder")().key_fields("source")
    read = stored.read("source", settings)
    (place,) = list(read.places())[:1] or [None]
    if place is not None:
        assert getattr(stored.read("source", settings, places={place: "/x"}), place) == "/x"
    with pytest.raises(UnknownComponent, match="unknown data source 'elsewhere'"):
        stored.read("source", {"source": "elsewhere"})
