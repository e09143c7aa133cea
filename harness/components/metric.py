"""Metrics: `evaluations.*.metrics` in a study.

A metric is a number of one set of images against a reference, from their features. What cannot be
computed is absent, with a reason: raise Absent. Deterministic given its settings.

A metric of copying (`copying`) tells whether samples are copies of training images. In a study it
finds in `shared.training` the pool features of the images that models are trained on, and where it
says that it `looks_mirrored`, in `shared.mirrored` those of their mirror images, which `data.flip`
trains on. Where it does not look at these, `plan` says so of such a study. `evaluate` knows no
training images: there `shared.training` is None, and `shared.mirrored` is of the images whose
features are `reference.features`; None where the reference is a file of statistics.
"""

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from harness.components.base import Component
from harness.components.measured import INCEPTION, Absent, Value
from harness.errors import BadInput

if TYPE_CHECKING:
    from harness.metrics.features import Features
    from harness.metrics.reference import Reference
    from harness.metrics.shared import Shared

__all__ = ["BUILT_IN", "INCEPTION", "WORDS", "Absent", "Metric", "Value"]

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
    "cmmd": "harness.metrics.cmmd:CMMD",
    "vendi": "harness.metrics.vendi:Vendi",
    "near_copies": "harness.metrics.near_copies:NearCopies",
}

# what an extractor gives, in words
WORDS = {
    "pool": "pooled features",
    "spatial": "spatial features",
    "probabilities": "class probabilities",
}


class Metric(Component):
    """One number of a set of images."""

    kind: ClassVar[str] = "metric"
    title: ClassVar[str]  # in text and on axes, on features other than Inception-2015's
    short_title: ClassVar[str]  # in table heads
    better: ClassVar[Literal["lower", "higher"]]
    unit: ClassVar[str] = ""
    needs: ClassVar[tuple[str, ...]] = ("pool",)  # parts of the samples' features
    on_inception: ClassVar[str | None] = None  # its recorded name there; None: `name`
    inception_title: ClassVar[str | None] = None  # its titles there; None: the same
    inception_short_title: ClassVar[str | None] = None
    copying: ClassVar[bool] = False  # it tells copies, not quality: worst for a set against itself
    symmetric: ClassVar[bool] = False  # the same with samples and reference exchanged

    @classmethod
    def taken(cls) -> tuple[str, ...]:
        """Its own name, and that of its values on Inception: whose else would they be?"""
        return tuple(dict.fromkeys((cls.name, cls.recorded(INCEPTION))))

    @classmethod
    def recorded(cls, extractor: str) -> str:
        """The name that its values on the features of `extractor` have in the records."""
        if extractor == INCEPTION:
            return cls.on_inception or cls.name
        return f"{cls.name}_{extractor.replace('-', '_')}"

    def check(
        self, samples: int, gives: tuple[str, ...], dimensions: int | None, shared: "Shared"
    ) -> None:
        """Raise BadInput, with the number that would do, when `samples` images cannot have it.

        gives: parts of the features that the extractor has; dimensions: of its pool features, None
        where that is not known; shared: the evaluation's protocol.
        """
        lacking = [part for part in self.needs if part not in gives]
        if lacking:
            raise BadInput(
                f"metric {self.name!r} is computed from "
                f"{' and '.join(WORDS.get(part, part) for part in lacking)}, which the extractor "
                "does not give: leave it out, or choose another extractor"
            )

    def check_reference(self, images: int, shared: "Shared") -> None:
        """Raise BadInput, with the number that would do, when so few reference images cannot have
        it.

        images: at most so many whose single features are kept; of a metric of copying, so many that
        are trained on. shared: the evaluation's protocol.
        """

    def remark(
        self, name: str, samples: int, reference_images: int | None, extractor: Any, image_size: int
    ) -> str | None:
        """A sentence that a reader of the values must know; None: there is none.

        name: its recorded name; reference_images: None where that is not known; extractor: the
        component; image_size: pixels.
        """
        return None

    def balls(self, k: int) -> dict[str, int]:
        """Which nearest-neighbour balls it reads: {"inside": k} or {"density": k}; none."""
        return {}

    @property
    def looks_mirrored(self) -> bool:
        """Does it look at the mirror images of training images too (`shared.mirrored`)?

        Only a metric of copying can. They cost the extractor another pass over these images, so a
        setting may turn it on, as `mirrored` of near_copies does.
        """
        return False

    @abstractmethod
    def measure(self, generated: "Features", reference: "Reference", shared: "Shared") -> Value:
        """The value, from the features and what the evaluation's metrics share. Raises Absent."""
