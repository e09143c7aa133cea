"""What references, guidance and evaluations may be."""

from __future__ import annotations

from typing import Any

import pytest
from refused import refused

from harness.spec.evaluating import EvaluationSettings, GuidanceSettings, ReferenceSettings
from harness.spec.recipe import TrainSettings


@pytest.mark.parametrize(
    ("section", "given", "said"),
    [
        (GuidanceSettings, {"scale": 2.0, "interval": (5.0, 1.0)}, "is empty"),
        (EvaluationSettings, {"subsets": 1}, "2"),
        (EvaluationSettings, {"ema": 0.9, "ema_length": 0.1}, "one"),
        (ReferenceSettings, {"statistics_sha256": "ab" * 32}, "checksum of a file"),
        (EvaluationSettings, {"metrics": ()}, "the list is empty"),
    ],
)
def test_what_a_section_alone_knows_to_be_wrong_is_refused(
    section: Any, given: dict[str, Any], said: str
) -> None:
    assert said in refused(section, given)


@pytest.mark.parametrize(
    ("at", "steps"), [("end", (40,)), ("milestones", (10, 40)), ((20,), (20,))]
)
def test_it_measures_the_checkpoints_that_it_names(at: Any, steps: tuple[int, ...]) -> None:
    train = TrainSettings(steps=40, milestones=(10, 40))
    assert EvaluationSettings(at=at).steps_of(train) == steps
