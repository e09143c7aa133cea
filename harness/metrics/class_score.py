"""The class score as a metric: exp of the mean divergence of class probabilities (Inception Score
on Inception's)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from harness.components.metric import Absent, Metric, Value
from harness.errors import BadInput

if TYPE_CHECKING:
    from harness.metrics.features import Features
    from harness.metrics.reference import Reference
    from harness.metrics.shared import Shared


class ClassScore(Metric):
    """How sure and how varied the classifier is of the samples (Salimans et al. 2016)."""

    name = "is"
    title = "class score"
    short_title = "Class score"
    better: ClassVar[Literal["lower", "higher"]] = "higher"
    needs: ClassVar[tuple[str, ...]] = ("probabilities",)
    on_inception: ClassVar[str | None] = "inception_score"
    inception_title: ClassVar[str | None] = "Inception Score"
    inception_short_title: ClassVar[str | None] = "IS"

    def check(
        self, samples: int, gives: tuple[str, ...], dimensions: int | None, shared: Shared
    ) -> None:
        from harness.metrics.chunks import count_used

        super().check(samples, gives, dimensions, shared)
        if shared.split_size < 2:
            raise BadInput(
                "split_size is 1: of chunks of one sample the class score is 1, whatever the "
                "samples; give at least 2"
            )
        count_used(samples, shared.split_size, shared.short_last_chunk)

    def measure(self, generated: Features, reference: Reference, shared: Shared) -> Value:
        import numpy as np

        from harness.metrics.influence import grouped, of_class_score
        from harness.metrics.scores import inception_score_chunks
        from harness.metrics.uncertainty import CHUNKS, of_chunks

        if generated.probabilities is None:
            raise Absent("this extractor gives no class probabilities")
        try:
            score = inception_score_chunks(
                generated.probabilities, shared.split_size, shared.short_last_chunk
            )
        except BadInput as error:
            raise Absent(str(error)) from error
        details = {
            "split_size": shared.split_size,
            "chunks": score.chunks,
            "short_last_chunk": shared.short_last_chunk,
            "samples": score.used,
        }
        spread = of_chunks(np.asarray(score.values))
        if spread is None:
            return Value(score.value, details=details)
        moves = grouped(of_class_score(generated.probabilities[: score.used], shared.split_size))
        return Value(score.value, *spread, CHUNKS.format(score.chunks), details, moves)
