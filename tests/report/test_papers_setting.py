"""The setting of the paper's Tables 2 and 4."""

from __future__ import annotations

import pandas as pd
import pytest

from harness.report.papers_setting import in_words, is_of_the_tables, with_recipes

THEIRS = {"model": "DiT-XL/2", "block": "adaln-zero", "image_size": 256, "samples": 50_000,
          "step": 7_000_000, "sampling_steps": 250, "sampler": "ancestral", "objective": "ddpm",
          "batch_size": 256, "learning_rate": 1e-4,
          "recipe": '{"ema": 0.9999, "grad_clip": null}'}  # fmt: skip


@pytest.mark.parametrize("but", [None, "step", "sampling_steps", "sampler", "batch_size", "recipe"])
def test_what_is_not_recorded_speaks_against_nothing(but: str | None) -> None:
    assert is_of_the_tables({c: v for c, v in THEIRS.items() if c != but})
    assert is_of_the_tables(THEIRS if but is None else {**THEIRS, but: pd.NA})


@pytest.mark.parametrize(
    "change",
    [
        {"step": 400_000},
        {"image_size": 512},  # which was trained for 3M steps
        {"image_size": 128},
        {"image_size": pd.NA},
        {"samples": 10_000},
        {"samples": pd.NA},  # a Fréchet distance depends on it
        {"sampling_steps": 50},
        {"sampler": "ddim"},
        {"objective": "flow"},
        {"batch_size": 1024},
        {"learning_rate": 2e-4},
        {"labels": "reference"},
        {"guidance_low": 0.1},
        {"recipe": '{"ema": 0.999}'},
        {"recipe": '{"flip": false}'},
        {"recipe": '{"schedule": {"name": "cosine"}}'},
    ],
)
def test_one_setting_that_differs_makes_it_another_measurement(change: dict) -> None:
    assert not is_of_the_tables({**THEIRS, **change})


def test_at_512_pixels_the_paper_trained_for_3_million_steps() -> None:
    assert is_of_the_tables({**THEIRS, "image_size": 512, "step": 3_000_000})


def test_a_mean_has_the_recipe_of_its_label() -> None:
    among = pd.DataFrame({"label": ["a", "a", "b"], "recipe": ["{}", "{}", '{"ema": 0.5}']})
    found = with_recipes([{"label": "b"}, {"label": "a"}], among)
    assert [row["recipe"] for row in found] == ['{"ema": 0.5}', "{}"]
    assert with_recipes([{"label": "a"}], among[["label"]]) == [{"label": "a"}]


def test_the_setting_is_said_as_a_sentence() -> None:
    assert in_words("guided at 1.5", "ft-ema") == (
        "The paper's DiT-XL/2 was trained for 7M (512×512: 3M) steps by ddpm with batch 256, rate "
        "10⁻⁴ and EMA 0.9999, sampled with 250 ancestral steps, guided at 1.5, measured with "
        "50,000 samples, decoded by ft-ema; a difference stands only below a row of that setting. "
    )
