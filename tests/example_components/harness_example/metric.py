"""A metric: how far the samples' mean features lie from the reference's.

evaluations: {final: {metrics: [fd, mean-gap]}}
"""

from typing import ClassVar, Literal

from harness.components import Absent, Metric, Value


class MeanGap(Metric):
    """Euclidean distance of the mean features, with a standard error by the delta method."""

    name: ClassVar[str] = "mean-gap"
    title: ClassVar[str] = "distance of mean features"
    short_title: ClassVar[str] = "Gap"
    better: ClassVar[Literal["lower", "higher"]] = "lower"
    symmetric: ClassVar[bool] = True

    def measure(self, generated, reference, shared):
        import numpy as np

        if generated.pool is None:
            raise Absent("the samples' features were not kept, only their moments")
        gap = generated.pool.mean(axis=0, dtype=np.float64) - reference.pool.mean
        value = float(np.linalg.norm(gap))
        if value == 0 or len(generated.pool) < 2:
            return Value(value)
        along = generated.pool @ (gap / value)
        std = float(along.std(ddof=1) / np.sqrt(len(along)))
        return Value(value, std, len(along) - 1, "standard error along the gap")
