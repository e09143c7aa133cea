"""The common part of extractors that a study's reference stage trains on the spot."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from harness.components.extractor import Extractor
from harness.errors import Missing


def trained_file(name: str, weights: Path | str | None) -> Path:
    """The file that a reference stage wrote for an extractor. Raises Missing without it."""
    if weights is None:
        raise Missing(
            f"extractor {name} is trained by a study's reference stage and has no published "
            "weights: give the file that stage wrote (--weights "
            "results/artifacts/reference/KEY/extractor.safetensors)"
        )
    path = Path(weights)
    if not path.is_file():
        raise Missing(f"the weights of extractor {name} are not at {path}")
    return path


class OfOwnImages(Extractor):
    """Trained on the study's own images: its networks bear the data's name behind its own."""

    trained: ClassVar[bool] = True

    def goes_by(self, name: str) -> bool:
        return name.startswith(f"{self.name}-")
