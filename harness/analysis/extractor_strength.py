"""Do the features of an extractor trained on the spot know anything of the images?

A number on features that cannot tell the classes apart is a number all the same, and it orders
models by chance. How often a trained extractor is right on images that it has not seen is in the
records of everything that was measured with it; this says when that is too little.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from harness.analysis.recorded_settings import recorded_settings

LEAST_SKILL = 0.5  # see `Strength.weak`
Z = 1.96


@dataclass(frozen=True)
class Strength:
    """How often a classifier is right on images that it was not trained on."""

    extractor: str
    accuracy: float
    chance: float  # what always guessing the most frequent class reaches
    held_out: int  # images behind both

    @property
    def skill(self) -> float:
        """The share of what guessing gets wrong that it gets right: 0 for a guess, 1 at best."""
        return (self.accuracy - self.chance) / (1 - self.chance) if self.chance < 1 else 0.0

    @property
    def above_chance(self) -> bool:
        """Is the lower end of the accuracy's 95 % interval (Wilson's) above chance?"""
        n, p = self.held_out, self.accuracy
        centre = p + Z**2 / (2 * n)
        half = Z * math.sqrt(p * (1 - p) / n + Z**2 / (4 * n**2))
        return (centre - half) / (1 + Z**2 / n) > self.chance

    @property
    def weak(self) -> bool:
        """Not clearly above chance, or a skill below LEAST_SKILL.

        docs/explanation/features.md has the measurement behind the threshold.
        """
        return not self.above_chance or self.skill < LEAST_SKILL

    @property
    def sentence(self) -> str:
        """The warning beside numbers of a weak extractor; empty where it is not weak."""
        if not self.weak:
            return ""
        known = (
            f"{self.extractor} is right on {self.accuracy:.0%} of {self.held_out:,} held-out "
            f"images, {self.chance:.0%} by guessing"
        )
        if not self.above_chance:
            return (
                f"These features know nothing of the classes ({known}): no difference between "
                "models can be read from them. "
            )
        return (
            f"The extractor is weak ({known}): differences between models may be missed or be "
            "the extractor's own. "
        )


def strengths(metrics: pd.DataFrame, metric: str) -> list[Strength]:
    """The strengths of the extractors behind the records of `metric`, each once."""
    found: dict[Strength, None] = {}
    rows = metrics[metrics["metric"] == metric].reindex(columns=["extractor", "measured_with"])
    for extractor, text in rows.drop_duplicates().itertuples(index=False):
        about = recorded_settings(text, "measured_with")
        names = ("accuracy", "chance", "held_out")
        if all(about.get(f"extractor_{name}") is not None for name in names):
            accuracy, chance, held_out = (about[f"extractor_{name}"] for name in names)
            found[Strength(str(extractor), accuracy, chance, held_out)] = None
    return list(found)


def weak_sentence(metrics: pd.DataFrame, metric: str | None) -> str:
    """The sentences of the weak extractors behind `metric`; empty where there are none."""
    if metric is None:
        return ""
    return "".join(strength.sentence for strength in strengths(metrics, metric))
