"""The Fréchet distance as a metric, on pooled and on spatial features (FID and sFID)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from harness.components.metric import Absent, Metric, Value
from harness.errors import BadInput

if TYPE_CHECKING:
    from harness.metrics.features import Features
    from harness.metrics.reference import Reference
    from harness.metrics.shared import Shared


class FrechetDistance(Metric):
    """Fréchet distance of two Gaussians fitted to the pooled features."""

    name = "fd"
    title = "Fréchet distance"
    short_title = "FD"
    better: ClassVar[Literal["lower", "higher"]] = "lower"
    on_inception: ClassVar[str | None] = "fid"
    inception_title: ClassVar[str | None] = "FID"
    part: ClassVar[str] = "pool"
    symmetric: ClassVar[bool] = True

    def check(
        self, samples: int, gives: tuple[str, ...], dimensions: int | None, shared: Shared
    ) -> None:
        super().check(samples, gives, dimensions, shared)
        if samples < 2:
            raise BadInput(f"metric {self.name} needs at least 2 samples, for a covariance")

    def remark(
        self, name: str, samples: int, reference_images: int | None, extractor: Any, image_size: int
    ) -> str | None:
        from harness.metrics.few import few

        return few(name, samples, reference_images, extractor.width(self.part, image_size))

    def measure(self, generated: Features, reference: Reference, shared: Shared) -> Value:
        from harness.metrics.frechet import moments_distance
        from harness.metrics.influence import grouped, of_distance
        from harness.metrics.uncertainty import OVER_HALVES, over_halves

        theirs = reference.pool if self.part == "pool" else reference.spatial
        if theirs is None:
            raise Absent(
                f"the reference has no {self.part} statistics"
                + (" (mu_s, sigma_s), as pytorch-fid's have none" if self.part == "spatial" else "")
            )
        if len(generated) < 2:
            raise Absent("a covariance needs at least 2 samples")
        ours = generated.moments(self.part)
        if ours is None:
            raise Absent(f"the samples have no {self.part} features")
        details: dict[str, Any] = {"dimensions": ours.dimensions}
        rows = getattr(generated, self.part)
        try:
            value = moments_distance(ours, theirs, self.recorded(reference.extractor))
            if shared.subsets < 2 or rows is None or len(rows) < 4:
                return Value(value, details=details)
            std = over_halves(rows, theirs, shared.subsets, shared.seed)
        except BadInput as error:
            raise Absent(str(error)) from error
        details |= {"subsets": shared.subsets, "seed": shared.seed}
        method, moves = OVER_HALVES.format(shared.subsets), grouped(of_distance(rows, theirs))
        return Value(value, std, shared.subsets - 1, method, details, moves)


class SpatialFrechetDistance(FrechetDistance):
    """The same on spatial features (Nash et al. 2021)."""

    name = "sfd"
    title = "spatial Fréchet distance"
    short_title = "sFD"
    needs: ClassVar[tuple[str, ...]] = ("spatial",)
    on_inception: ClassVar[str | None] = "sfid"
    inception_title: ClassVar[str | None] = "sFID"
    part: ClassVar[str] = "spatial"
