"""What the metrics of one evaluation share: its protocol, and nearest neighbours found once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.components.metric import Absent, Metric
from harness.errors import BadInput

if TYPE_CHECKING:
    from harness.metrics.features import Features
    from harness.metrics.neighbours import Manifold
    from harness.metrics.reference import Reference


@dataclass
class Shared:
    """The protocol of one evaluation; `manifold` finds neighbours for whoever asks first."""

    metrics: Sequence[Metric]
    k: int = 3  # neighbours for precision and recall
    split_size: int = 5000  # images in a chunk of the class score
    short_last_chunk: str = "refuse"
    subsets: int = 0  # random halves behind the spread of Frechet distances; 0: no spread
    seed: int = 0  # of subsets
    device: str = "cpu"
    _found: Manifold | None = field(default=None, repr=False)

    def manifold(self, generated: Features, reference: Reference) -> Manifold:
        """Which images lie in whose nearest-neighbour balls, for all metrics that are asked for.

        Raises Absent where there are no features of single images, or too few of them.
        """
        from harness.metrics.neighbours import manifold

        if generated.pool is None:
            raise Absent("the samples' features were not kept, only their moments")
        if reference.features is None:
            raise Absent("the reference holds statistics only, no features of single images")
        if self._found is None:
            sizes = {kind: k for m in self.metrics for kind, k in m.balls(self.k).items()}
            try:
                self._found = manifold(
                    generated.pool,
                    reference.features,
                    k=sizes.get("inside"),
                    k_density=sizes.get("density"),
                    device=self.device,
                )
            except BadInput as error:
                raise Absent(str(error)) from error
        return self._found
