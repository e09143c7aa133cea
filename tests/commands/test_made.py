"""The settings that a report's method section has of a study."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pandas as pd

import harness
from harness.commands.made import settings_of


def settings(profile: str) -> dict[str, Any]:
    opened: Any = SimpleNamespace(study=harness.load_study("scaling", profile))
    return settings_of(opened, {"metrics": pd.DataFrame({"extractor": ["glyphs-cnn"]})})


def test_an_objective_is_told_with_what_differs_from_its_defaults() -> None:
    laptop = settings("laptop")
    assert laptop["objective"].startswith("flow (prediction data, time logit-normal")
    assert settings("smoke")["objective"] == "ddpm"


def test_a_rate_that_is_scaled_by_the_width_says_the_width_that_it_is_of() -> None:
    assert settings("laptop")["base_width"] == "96"
    assert "base_width" not in settings("smoke")
