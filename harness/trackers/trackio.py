"""trackio (https://github.com/gradio-app/trackio): a local dashboard with wandb's interface."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from harness.components.tracker import Tracked, Tracker, Tracking, open_to_the_group

if TYPE_CHECKING:
    import numpy as np


class Trackio(Tracker):
    """trackio, in results/trackers/trackio; `TRACKIO_DIR=that trackio show` opens the dashboard."""

    name: ClassVar[str] = "trackio"
    package: ClassVar[str | None] = "trackio"

    project: str | None = None
    "The project; null: the study's name."

    def open(self, tracked: Tracked) -> Tracking:
        folder = tracked.results / "trackers" / "trackio"
        folder.mkdir(parents=True, exist_ok=True)
        os.environ.setdefault("TRACKIO_DIR", str(folder))  # read when it is imported
        import trackio

        run = trackio.init(
            project=self.project or tracked.study,
            name=f"{tracked.label} {tracked.run[:8]}",
            config=dict(tracked.settings),
            resume="allow",
            embed=False,
        )
        open_to_the_group(folder)
        return _Run(run)


class _Run:
    def __init__(self, run: Any) -> None:
        self.run = run

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        self.run.log(dict(values), step=step)

    def images(self, step: int, name: str, images: np.ndarray) -> None:
        import numpy as np
        import trackio

        strip = np.concatenate(list(images), axis=1)
        if strip.shape[-1] == 1:
            strip = np.repeat(strip, 3, axis=-1)
        self.run.log({name: trackio.Image(strip)}, step=step)

    def close(self) -> None:
        self.run.finish()
