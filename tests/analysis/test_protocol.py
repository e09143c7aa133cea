"""How a value was measured, in a sentence, and which of it is of the samples."""

from __future__ import annotations

import pytest

from harness.analysis.protocol import DRAWN, PROTOCOL, Protocol
from harness.store.tables import METRICS

NOTHING = dict.fromkeys(PROTOCOL)


def protocol(**given: object) -> Protocol:
    return Protocol(**{**NOTHING, **given})  # type: ignore[arg-type]


def test_its_fields_are_columns_of_the_records() -> None:
    assert set(PROTOCOL) <= {column.name for column in METRICS}
    assert set(PROTOCOL) - set(DRAWN) == {"k", "split_size"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "an unknown number of samples"),
        (
            {"samples": 1000, "sampling_steps": 50, "sampler": "ancestral", "guidance_scale": 1.0},
            "1,000 samples, 50 ancestral steps, no guidance",
        ),
        (
            {"samples": 10, "sampling_steps": 4, "sampler": "ddim", "eta": 0.5, "clip": True},
            "10 samples, 4 ddim steps with eta 0.5, x0 clipped",
        ),
        (
            {"samples": 10, "guidance_scale": 1.5, "guidance_low": 0, "guidance_high": 500},
            "10 samples, guidance 1.5, at timesteps 0 to 500 alone",
        ),
    ],
)
def test_it_is_told_in_a_sentence(given: dict[str, object], said: str) -> None:
    assert protocol(**given).sentence() == said


def test_samples_of_two_metrics_were_drawn_in_one_way() -> None:
    one, two = protocol(samples=10, k=3), protocol(samples=10, split_size=5)
    assert one != two and one.drawn == two.drawn
    assert not one.guided and protocol(guidance_scale=0.0).guided
