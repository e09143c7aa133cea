"""The schema: a study's own fields, its matrix, and what is in no key."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from harness.spec import schema
from harness.spec.base import NotInKey


def test_a_studys_name_can_be_a_files() -> None:
    with pytest.raises(ValidationError, match="pattern"):
        schema.StudySettings.model_validate({"study": "a b", "data": {}})


@pytest.mark.parametrize("axes", [{"model.size": ()}, {"seed": (1,), "model.size": ()}])
def test_an_axis_without_values_is_refused_and_null_drops_one(axes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=r"'model.size' is empty"):
        schema.MatrixSettings.model_validate({"axes": axes})
    kept = schema.MatrixSettings.model_validate({"axes": {"seed": (1,), "model.size": None}})
    assert kept.axes == {"seed": (1,)}


def test_what_says_where_and_how_fast_is_marked_to_be_in_no_key() -> None:
    def marked(section: Any) -> set[str]:
        fields = section.model_fields.items()
        return {n for n, f in fields if any(m is NotInKey or isinstance(m, NotInKey)
                                            for m in f.metadata)}  # fmt: skip

    assert {"path"} <= marked(schema.DataSettings)
    assert {"batch_per_device"} <= marked(schema.TrainSettings)
    assert not {"steps", "batch_size", "learning_rate", "ema"} & marked(schema.TrainSettings)
    assert not {"name", "image_size", "channels", "flip"} & marked(schema.DataSettings)
