"""TensorBoard: event files in results/tensorboard/RUN."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from harness.components.tracker import Tracked, Tracker, Tracking

if TYPE_CHECKING:
    import numpy as np


class TensorBoard(Tracker):
    """Event files in results/tensorboard: `tensorboard --logdir results/tensorboard` shows them."""

    name: ClassVar[str] = "tensorboard"
    package: ClassVar[str | None] = "tensorboard"

    def open(self, tracked: Tracked) -> Tracking:
        from torch.utils.tensorboard import SummaryWriter

        folder = tracked.results / "tensorboard" / tracked.run
        writer = SummaryWriter(str(folder))
        writer.add_text("run", f"{tracked.study}: {tracked.label}")
        return _Writing(writer)


class _Writing:
    def __init__(self, writer: Any) -> None:
        self.writer = writer

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self.writer.add_scalar(name, value, step)

    def images(self, step: int, name: str, images: np.ndarray) -> None:
        self.writer.add_images(name, images, step, dataformats="NHWC")

    def close(self) -> None:
        self.writer.close()
