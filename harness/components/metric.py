"""Metrics: `evaluations.*.metrics` in a study.

A metric is a number of one set of images against a reference, from their features. What cannot be
computed is absent, with a reason: raise Absent. Deterministic given its settings.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from harness.components.base import Component

if TYPE_CHECKING:
    from harness.metrics.features import Features
    from harness.metrics.reference import Reference

BUILT_IN = {
    "fd": "harness.metrics.frechet_metric:FrechetDistance",
    "sfd": "harness.metrics.frechet_metric:SpatialFrechetDistance",
    "is": "harness.metrics.class_score:ClassScore",
    "precision": "harness.metrics.ball_metrics:Precision",
    "recall": "harness.metrics.ball_metrics:Recall",
    "density": "harness.metrics.ball_metrics:Density",
    "coverage": "harness.metrics.ball_metrics:Coverage",
    "kid": "harness.metrics.kid_metric:KID",
    "fd_infinity": "harness.metrics.infinity_metric:FrechetInfinity",
}


class Absent(Exception):
    """Why a metric cannot be computed of these features."""


@dataclass(frozen=True)
class Value:
    """A metric's value, its standard error with degrees of freedom (None: no spread), and what
    made it (`details`: strings, numbers, lists of numbers)."""

    value: float
    std: float | None = None
    std_df: float | None = None
    std_method: str | None = None
    details: dict[str, Any] = field(default_factory=dict)


class Metric(Component):
    """One number of a set of images."""

    kind: ClassVar[str] = "metric"
    title: ClassVar[str]  # in tables and figures, on features other than Inception-2015's
    better: ClassVar[Literal["lower", "higher"]]
    unit: ClassVar[str] = ""
    needs: ClassVar[tuple[str, ...]] = ("pool",)  # parts of the samples' features
    on_inception: ClassVar[str | None] = None  # its recorded name there; None: `name`
    inception_title: ClassVar[str | None] = None  # its title there
    symmetric: ClassVar[bool] = False  # the same with samples and reference exchanged

    @classmethod
    def recorded(cls, extractor: str) -> str:
        """The name that its values on the features of `extractor` have in the records."""
        from harness.metrics.names import INCEPTION

        if extractor == INCEPTION:
            return cls.on_inception or cls.name
        return f"{cls.name}_{extractor.replace('-', '_')}"

    def check(self, samples: int, gives: tuple[str, ...], dimensions: int | None) -> None:
        """Raise BadInput, with the number that would do, when `samples` images cannot have it.

        gives: parts of the features that the extractor has; dimensions: of its pool features.
        """

    @abstractmethod
    def measure(self, generated: Features, reference: Reference, shared: Any) -> Value:
        """The value. shared: what several metrics of one evaluation use (nearest neighbours,
        device, seeds of subsets). Raises Absent."""
