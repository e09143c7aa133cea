from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from harness.analysis.extractor_strength import Strength, strengths, weak_sentence


@pytest.mark.parametrize(
    ("accuracy", "chance", "held_out", "weak", "word"),
    [
        (0.95, 0.1, 600, False, ""),
        (0.40, 0.1, 600, True, "weak"),  # far above chance, but two thirds of the errors stay
        (0.12, 0.1, 100, True, "nothing"),
        (0.75, 0.5, 12, True, "nothing"),  # too few images to tell it from guessing
        (0.76, 0.5, 600, False, ""),
        (1.0, 1.0, 50, True, "nothing"),  # one class only
    ],
)
def test_weak_is_what_is_near_chance_or_wrong_too_often(
    accuracy: float, chance: float, held_out: int, weak: bool, word: str
) -> None:
    found = Strength("classifier-x", accuracy, chance, held_out)
    assert found.weak == weak
    assert word in found.sentence and bool(found.sentence) == weak


def test_a_guess_is_called_above_chance_in_no_more_than_one_of_thirty() -> None:
    """2.5 % of guesses lie above their interval's upper end; Wilson's holds it near that."""
    random = np.random.default_rng(0)
    for chance in (0.1, 0.25, 0.5):
        rights = random.binomial(200, chance, 4000) / 200
        called = np.mean([Strength("x", float(a), chance, 200).above_chance for a in rights])
        assert called < 0.035


def test_the_records_of_a_metric_tell_its_extractors_strength() -> None:
    told = {"extractor_accuracy": 0.3, "extractor_chance": 0.25, "extractor_held_out": 200}
    rows = pd.DataFrame(
        {
            "metric": ["fd_classifier_x", "fd_classifier_x", "fid"],
            "extractor": ["classifier-x", "classifier-x", "inception-2015"],
            "measured_with": [json.dumps(told), json.dumps(told), None],
        }
    )
    assert strengths(rows, "fd_classifier_x") == [Strength("classifier-x", 0.3, 0.25, 200)]
    assert "30% of 200 held-out images, 25% by guessing" in weak_sentence(rows, "fd_classifier_x")
    assert weak_sentence(rows, "fid") == "" and weak_sentence(rows, None) == ""
    assert weak_sentence(rows.drop(columns="measured_with"), "fd_classifier_x") == ""
