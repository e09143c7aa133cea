"""The schema: what single settings may be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from small_study import GOOD, problems, write

from harness.diffusion.schedule import LEAST_STEPS
from harness.spec import load_study, schema
from harness.spec.base import NotInKey


def test_a_schedule_whose_betas_reach_one_is_refused(tmp_path: Path) -> None:
    few, fewest = (f"title: t\ndiffusion: {{steps: {n}}}" for n in (LEAST_STEPS, LEAST_STEPS - 1))
    load_study(write(tmp_path, GOOD.replace("title: A tiny study", few)))
    found = problems(tmp_path, GOOD.replace("title: A tiny study", fewest))
    assert found[0].startswith("study.yaml:3: diffusion.steps 20: give at least 21")
    varied = GOOD.replace("model.size: [S, B]", "model.size: [S]\n    diffusion.steps: [1000, 7]")
    assert "diffusion.steps 7: give at least 21" in problems(tmp_path, varied)[0]


def test_sections_hold_what_is_written_and_defaults_are_the_papers() -> None:
    train = schema.TrainSettings.model_validate({"steps": 10, "milestones": (5, 10)})
    assert (train.batch_size, train.learning_rate, train.emas) == (256, 1e-4, (0.9999,))
    assert train.label_dropout == 0.1


@pytest.mark.parametrize(
    ("section", "given", "said"),
    [
        ("TrainSettings", {"steps": 10, "milestones": (5, 5)}, "ascend"),
        ("TrainSettings", {"steps": 10, "milestones": (5, 11)}, "milestone 11 lies beyond"),
        ("TrainSettings", {"steps": 10, "ema": (0.9, 0.9)}, "twice"),
        ("GuidanceSettings", {"scale": 2.0, "interval": (5.0, 1.0)}, "is empty"),
        ("DataSettings", {"held_out": 1.5}, "held_out"),
        ("DataSettings", {"channels": 2}, "Input should be 1 or 3"),
        ("EvaluationSettings", {"subsets": 1}, "2"),
        ("EvaluationSettings", {"ema": 0.9, "ema_length": 0.1}, "one"),
        ("ReferenceSettings", {"statistics_sha256": "ab" * 32}, "checksum of a file"),
        ("StudySettings", {"study": "a b", "title": "t"}, "pattern"),
    ],
)
def test_what_a_section_alone_knows_to_be_wrong_is_refused(
    section: str, given: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        getattr(schema, section).model_validate(given)
    assert said in str(caught.value)


def test_what_says_where_and_how_fast_is_marked_to_be_in_no_key() -> None:
    def marked(section: Any) -> set[str]:
        fields = section.model_fields.items()
        return {n for n, f in fields if any(m is NotInKey or isinstance(m, NotInKey)
                                            for m in f.metadata)}  # fmt: skip

    assert {"path"} <= marked(schema.DataSettings)
    assert {"batch_per_device"} <= marked(schema.TrainSettings)
    assert not {"steps", "batch_size", "learning_rate", "ema"} & marked(schema.TrainSettings)
    assert not {"name", "image_size", "channels", "flip"} & marked(schema.DataSettings)
