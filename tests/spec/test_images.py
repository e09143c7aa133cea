"""What the images and the autoencoder of a study may be."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from refused import refused

from harness.spec.images import AutoencoderSettings, DataSettings


@pytest.mark.parametrize(
    ("section", "given", "said"),
    [
        (DataSettings, {"held_out": 1.5}, "held_out"),
        (DataSettings, {"channels": 2}, "Input should be 1 or 3"),
        (DataSettings, {"held_out": ""}, "this one is empty"),
        (AutoencoderSettings, {"reconstructions": -1}, "greater than or equal to 0"),
    ],
)
def test_what_a_section_alone_knows_to_be_wrong_is_refused(
    section: Any, given: dict[str, Any], said: str
) -> None:
    assert said in refused(section, given)


def test_an_autoencoders_own_settings_stand_beside_its_name() -> None:
    assert AutoencoderSettings.model_validate({"name": "mine", "width": 3}).model_extra == {
        "width": 3
    }
    with pytest.raises(ValidationError, match="Extra inputs"):
        DataSettings.model_validate({"width": 3})
