"""Settings in a record's JSON: read, absent, or refused with the column's name."""

from __future__ import annotations

import pandas as pd
import pytest

from harness.analysis import extractor_strength, factors, labels
from harness.analysis.finished import finished
from harness.analysis.recorded_settings import recorded_settings
from harness.errors import BadInput

NO_OBJECTS = ("{not json", "[1, 2]", "3", "null", "", '{"a": 1')


def test_an_object_is_read_and_null_is_empty() -> None:
    assert recorded_settings('{"a": [1]}', "recipe") == {"a": [1]}
    for null in (None, pd.NA, float("nan")):
        assert recorded_settings(null, "recipe") == {}


@pytest.mark.parametrize("text", NO_OBJECTS)
def test_what_is_no_object_is_refused_by_its_column(text: str) -> None:
    with pytest.raises(BadInput, match="column recipe holds"):
        recorded_settings(text, "recipe")


@pytest.mark.parametrize("text", NO_OBJECTS)
def test_every_reader_of_settings_refuses_it(text: str) -> None:
    """`report` ended in a traceback of json's."""
    rows = pd.DataFrame({"recipe": [text, None], "step": [1, 2], "metric": "fid",
                         "measured_with": text, "extractor": "x"})  # fmt: skip
    for read in (finished, factors.with_recipe, lambda r: labels._recipe_words(r["recipe"]),
                 lambda r: extractor_strength.strengths(r, "fid")):  # fmt: skip
        with pytest.raises(BadInput, match="should hold a JSON object"):
            read(rows)
