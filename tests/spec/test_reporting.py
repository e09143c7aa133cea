"""What claims and reports may be: nothing of them is in a key."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from harness.components import names
from harness.spec.reporting import ClaimsSettings, GridSettings, ReportSettings


def test_a_report_has_built_in_sections_once_each_unless_it_says_otherwise() -> None:
    sections = ReportSettings().sections
    assert len(set(sections)) == len(sections) == 13
    assert set(sections) <= set(names("section"))


def test_a_grid_needs_a_class_and_claims_need_nothing() -> None:
    assert GridSettings(label=3).guidance == 4.0, "the guidance of the paper's figures"
    with pytest.raises(ValidationError, match="label"):
        GridSettings.model_validate({})
    assert ClaimsSettings().paper is None, "all of them"


def test_a_pair_of_models_is_two() -> None:
    with pytest.raises(ValidationError, match="sampling_pairs"):
        ClaimsSettings.model_validate({"sampling_pairs": (("S", "B", "L"),)})
