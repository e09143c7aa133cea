"""Precision, recall, density and coverage as metrics: which images lie in which nearest-neighbour
balls."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from harness.components.base import Later
from harness.components.metric import Metric, Value
from harness.errors import BadInput

if TYPE_CHECKING:
    from harness.metrics.features import Features
    from harness.metrics.neighbours import Manifold
    from harness.metrics.reference import Reference
    from harness.metrics.shared import Shared


class _Balls(Metric):
    """The common part of precision, recall, density and coverage."""

    better: ClassVar[Literal["lower", "higher"]] = "higher"
    of_samples: ClassVar[bool] = True  # a mean over the samples; else over the reference's images

    @abstractmethod
    def neighbours(self, shared: Shared) -> int:
        """k: the ball of an image reaches to its k-th nearest neighbour."""

    @abstractmethod
    def values(self, found: Manifold, k: int) -> Any:
        """One number per image, whose mean is the metric."""

    def check(
        self, samples: int, gives: tuple[str, ...], dimensions: int | None, shared: Shared
    ) -> None:
        super().check(samples, gives, dimensions, shared)
        if samples <= self.neighbours(shared):
            raise BadInput(
                f"metric {self.name} with k {self.neighbours(shared)} needs more than "
                f"{self.neighbours(shared)} samples"
            )

    def measure(self, generated: Features, reference: Reference, shared: Shared) -> Value:
        import numpy as np

        from harness.metrics import influence
        from harness.metrics.uncertainty import GIVEN_BALLS, of_mean

        found, k = shared.manifold(generated, reference, self), self.neighbours(shared)
        values = np.asarray(self.values(found, k))
        assert reference.features is not None
        details = {
            "k": k,
            "distance_dtype": found.distance_dtype,
            "recall_images": len(reference.features),
        }
        std = of_mean(values)
        moves = influence.grouped(influence.of_mean(values)) if self.of_samples else None
        return Value(float(values.mean()), std, len(values) - 1, GIVEN_BALLS, details, moves)


class Precision(_Balls):
    """Share of samples that lie in a ball of a reference image (Kynkäänniemi et al. 2019)."""

    name = "precision"
    title = "precision"
    short_title = "Prec."

    def balls(self, k: int) -> dict[str, int]:
        return {"inside": k}

    def neighbours(self, shared: Shared) -> int:
        return shared.k

    def values(self, found: Manifold, k: int) -> Any:
        return found.inside_real


class Recall(_Balls):
    """Share of reference images that lie in a ball of a sample (Kynkäänniemi et al. 2019)."""

    name = "recall"
    title = "recall"
    short_title = "Rec."
    of_samples: ClassVar[bool] = False

    def balls(self, k: int) -> dict[str, int]:
        return {"inside": k}

    def neighbours(self, shared: Shared) -> int:
        return shared.k

    def values(self, found: Manifold, k: int) -> Any:
        return found.inside_generated


class Density(_Balls):
    """Reference balls that a sample lies in, over k (Naeem et al. 2020)."""

    name = "density"
    title = "density"
    short_title = "Density"

    k: Annotated[int, Field(ge=1), Later()] = 5
    "Neighbours that fix a ball's radius; the paper's choice is 5."

    def balls(self, k: int) -> dict[str, int]:
        return {"density": self.k}

    def neighbours(self, shared: Shared) -> int:
        return self.k

    def values(self, found: Manifold, k: int) -> Any:
        assert found.balls_hit is not None
        return found.balls_hit / k


class Coverage(Density):
    """Share of reference images whose ball holds a sample (Naeem et al. 2020)."""

    name = "coverage"
    title = "coverage"
    short_title = "Coverage"
    of_samples: ClassVar[bool] = False

    def values(self, found: Manifold, k: int) -> Any:
        return found.covered
