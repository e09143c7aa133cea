"""What trainings of a study differ in besides the model and its block design."""

from __future__ import annotations

import pandas as pd

from harness.analysis import recipes


def rows(*labels: tuple[str | None, str | None, str]) -> pd.DataFrame:
    frame = pd.DataFrame(labels, columns=["model", "block", "label"])
    return frame.assign(of="samples")


def test_what_a_label_says_besides_model_and_block_is_the_recipe() -> None:
    found = recipes.of_rows(
        rows(
            ("DiT-S/2", "adaln-zero", "DiT-S/2"),
            ("DiT-S/2", "adaln-zero", "DiT-S/2 lr 0.004"),
            ("DiT-XL/2", "in-context", "DiT-XL/2 in-context, lr 0.004"),
            ("DiT-XL/2", "in-context", "DiT-XL/2 in-context"),
            (None, None, "unnamed lr 0.004"),
        )
    )
    assert found == ["", "lr 0.004", "lr 0.004", "", "lr 0.004"]


def test_one_recipe_is_not_taken_apart() -> None:
    metrics = pd.DataFrame(
        {
            "key": ["a", "b", "c"],
            "run": ["a", "b", None],
            "seed": [0, 0, None],
            "data_sha256": ["d", "d", None],
            "model": ["DiT-S/2", "DiT-B/2", None],
            "block": ["adaln-zero", "adaln-zero", None],
            "of": ["samples", "samples", "floor"],
            "recipe": ["{}", "{}", None],
        }
    )
    ((name, part),) = recipes.split(metrics)
    assert name == "" and part is metrics


def test_recipes_are_apart_and_floors_belong_to_none() -> None:
    metrics = pd.DataFrame(
        {
            "key": list("abcde"),
            "run": [*"abcd", None],
            "data_sha256": ["d"] * 4 + [None],
            "model": ["DiT-S/2"] * 4 + [None],
            "block": ["adaln-zero"] * 4 + [None],
            "of": ["samples", None, "samples", "samples", "floor"],
            "learning_rate": [1e-3, 1e-3, 4e-3, 4e-3, None],
            "seed": [0, 1, 0, 1, None],
            "recipe": ["{}"] * 4 + [None],
            "value": [1.0, 2.0, 3.0, 4.0, 5.0],
        }
    )
    parts = dict(recipes.split(metrics))
    assert [sorted(part["value"]) for part in parts.values()] == [[1.0, 2.0], [3.0, 4.0]]
    assert len(set(parts)) == 2 and all("lr" in name for name in parts)
