"""The Fréchet distance extrapolated to infinitely many samples, as a metric."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from harness.components.metric import Absent, Metric, Value
from harness.errors import BadInput

if TYPE_CHECKING:
    from harness.metrics.features import Features
    from harness.metrics.reference import Reference
    from harness.metrics.shared import Shared


POINTS = 15  # of the line: harness.metrics.extrapolation's, without importing NumPy to plan
LEAST = 2 * POINTS  # the sizes go from half of the samples, at most, to all


class FrechetInfinity(Metric):
    """Fréchet distance without the bias of a finite number of samples (Chong and Forsyth 2020)."""

    name = "fd_infinity"
    title = "Fréchet distance, extrapolated"
    short_title = "FD∞"
    better: ClassVar[Literal["lower", "higher"]] = "lower"
    on_inception: ClassVar[str | None] = "fid_infinity"
    inception_title: ClassVar[str | None] = "FID∞"

    def check(
        self, samples: int, gives: tuple[str, ...], dimensions: int | None, shared: Shared
    ) -> None:
        super().check(samples, gives, dimensions, shared)
        if samples < LEAST:
            raise BadInput(
                f"metric {self.name} is a line through {POINTS} sizes of sample: it needs at least "
                f"{LEAST} samples, not {samples}"
            )

    def measure(self, generated: Features, reference: Reference, shared: Shared) -> Value:
        from harness.metrics.extrapolation import extrapolate, fd_infinity
        from harness.metrics.uncertainty import HALVES, WHOLE, halves_of

        if generated.pool is None:
            raise Absent("the samples' features were not kept, only their moments")
        try:
            fit = extrapolate(generated.pool, reference.pool, seed=shared.seed)
        except BadInput as error:
            raise Absent(str(error)) from error
        details = {
            "sizes": list(fit.sizes),
            "distances": list(fit.distances),
            "seed": shared.seed,
        }
        std, df = halves_of(
            generated.pool,
            lambda rows: fd_infinity(rows, reference.pool, seed=shared.seed),
            seed=shared.seed,
        )
        method = None if std is None else WHOLE.format(HALVES // 2)
        return Value(fit.value, std, df, method, details)
