"""What a study says at its end: the claims that it decides, and its report. In no key."""

from typing import Annotated

from harness.spec.base import Choice, Component, Count, NotNegative, Positive, Settings


class ClaimsSettings(Settings):
    """The claims that the study decides, fixed before it is run. In no key."""

    paper: tuple[str, ...] | None = None
    "Ids of the paper's claims and numbers that the report decides; null: all."

    sampling_pairs: tuple[tuple[str, str], ...] = ()
    "Pairs (smaller, larger) of models: is the larger ahead at equal sampling compute?"


class GridSettings(Settings):
    """An uncurated grid of samples of one class at one guidance (the paper's Figures 14 to 33)."""

    label: Count
    "The number of the class."

    guidance: float = 4.0
    "Guidance scale of the evaluation whose samples are shown."

    images: Positive = 16
    "Samples shown: the first of that class."

    model: str | None = None
    "The run's label or model; null: the one of most compute."

    evaluation: str | None = None
    "The evaluation whose samples are shown; null: the first at this guidance."


class ReportSettings(Settings):
    """The report: its sections in order. Not part of any key."""

    sections: tuple[Annotated[Component, Choice("section")], ...] = (
        "headline",
        "claims",
        "gflops",
        "factors",
        "training",
        "loss",
        "samples",
        "models",
        "method",
        "cost",
        "failures",
        "provenance",
        "study",
    )
    "Report sections, in order."

    samples_shown: Positive = 8
    "Samples per model in the grid."

    refresh_minutes: NotNegative = 15.0
    "Minutes after which a `run` writes the report anew; 0: at its end alone."

    grids: tuple[GridSettings, ...] = ()
    "Grids of one class each, in the section `samples`."
