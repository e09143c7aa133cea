"""Shared by the metrics of one evaluation: its protocol, and neighbours that are found once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from harness.components.measured import Absent
from harness.errors import BadInput

if TYPE_CHECKING:
    from harness.metrics.features import Features
    from harness.metrics.neighbours import Manifold
    from harness.metrics.reference import Reference


class Asking(Protocol):
    """What is asked here of a metric (harness.components.metric)."""

    def balls(self, k: int) -> dict[str, int]:
        """Which nearest-neighbour balls it reads: {"inside": k} or {"density": k}; none."""
        ...


@dataclass
class Shared:
    """The protocol of one evaluation; `manifold` finds neighbours for whoever asks first."""

    metrics: Sequence[Asking]
    k: int = 3  # neighbours for precision and recall
    split_size: int = 5000  # images in a chunk of the class score
    short_last_chunk: str = "refuse"
    subsets: int = 0  # random halves behind the spread of Frechet distances; 0: no spread
    seed: int = 0  # of subsets
    device: str = "cpu"
    training: Any = None  # (M, D) pool features of images that models are trained on, where known
    # (M, D) those of their mirror images, where a metric asks for them; where `training` is not
    # known, of the mirror images of those whose features the reference has
    mirrored: Any = None
    _found: dict[tuple[int | None, int | None], Manifold] = field(default_factory=dict, repr=False)
    _of: tuple[Features, Reference] | None = field(default=None, repr=False)

    def manifold(
        self, generated: Features, reference: Reference, asking: Asking | None = None
    ) -> Manifold:
        """Which images lie in whose nearest-neighbour balls, of the size that `asking` wants.

        One pass serves all metrics that are asked for, as far as they agree about their k. `asking`
        may be left out where they do. Raises Absent where they do not, and where there are no
        features of single images, or too few of them.
        """
        from harness.metrics.neighbours import manifold

        if generated.pool is None:
            raise Absent("the samples' features were not kept, only their moments")
        if reference.features is None:
            raise Absent("the reference holds statistics only, no features of single images")
        if self._of is None or self._of[0] is not generated or self._of[1] is not reference:
            self._found, self._of = {}, (generated, reference)
        sizes = self._sizes(asking)
        if sizes not in self._found:
            try:
                self._found[sizes] = manifold(
                    generated.pool,
                    reference.features,
                    k=sizes[0],
                    k_density=sizes[1],
                    device=self.device,
                )
            except BadInput as error:
                raise Absent(str(error)) from error
        return self._found[sizes]

    def _sizes(self, asking: Asking | None) -> tuple[int | None, int | None]:
        """k of the balls of precision's kind and of density's: what `asking` wants comes first."""
        sizes: dict[str, int] = {} if asking is None else dict(asking.balls(self.k))
        for metric in self.metrics:
            for kind, k in metric.balls(self.k).items():
                if sizes.setdefault(kind, k) != k and asking is None:
                    raise Absent(
                        f"metrics want balls of {sizes[kind]} and of {k} neighbours: say which "
                        "metric asks (Shared.manifold)"
                    )
        return sizes.get("inside"), sizes.get("density")
