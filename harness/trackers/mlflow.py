"""MLflow (https://mlflow.org/docs/latest/ml/tracking)."""

from __future__ import annotations

import fcntl
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from harness.components.tracker import Tracked, Tracker, Tracking, open_to_the_group

if TYPE_CHECKING:
    import numpy as np

TAG = "harness.run"


class MLflow(Tracker):
    """MLflow, in a database below results/trackers unless a server is named."""

    name: ClassVar[str] = "mlflow"
    package: ClassVar[str | None] = "mlflow"

    tracking_uri: str | None = None
    "MLflow's server or store; null: results/trackers/mlflow.db."

    experiment: str | None = None
    "The experiment; null: the study's name."

    def open(self, tracked: Tracked) -> Tracking:
        from mlflow import MlflowClient

        folder = tracked.results / "trackers"
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / "mlflow.lock", "w") as lock:  # two processes must not make its tables
            fcntl.flock(lock, fcntl.LOCK_EX)
            client = MlflowClient(self.tracking_uri or f"sqlite:///{folder.resolve()}/mlflow.db")
            experiment = _experiment(client, self.experiment or tracked.study, folder)
            open_to_the_group(folder)
        found = client.search_runs([experiment], f"tags.`{TAG}` = '{tracked.run}'", max_results=1)
        if found:
            run = found[0].info.run_id
        else:
            tags = {TAG: tracked.run}
            run = client.create_run(experiment, tags=tags, run_name=tracked.label).info.run_id
        return _Run(client, run)


def _experiment(client: Any, name: str, folder: Any) -> str:
    """Its identifier. Two stages may be the first to ask: the loser finds the winner's."""
    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            return str(client.create_experiment(name, (folder / "mlflow").resolve().as_uri()))
        except Exception:
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    return str(found.experiment_id)


class _Run:
    def __init__(self, client: Any, run: str) -> None:
        self.client, self.run = client, run

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self.client.log_metric(self.run, name, value, step=step)

    def images(self, step: int, name: str, images: np.ndarray) -> None:
        import numpy as np

        strip = np.concatenate(list(images), axis=1)
        shown = strip[..., 0] if strip.shape[-1] == 1 else strip
        self.client.log_image(self.run, shown, artifact_file=f"{name}/step-{step:08d}.png")

    def close(self) -> None:
        self.client.set_terminated(self.run)
