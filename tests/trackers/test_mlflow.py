"""MLflow: a database below the results, and one run for all stages of a training."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import recorded

from harness import testing
from harness.components import get
from harness.components.tracker import Tracked


@pytest.fixture
def run(tmp_path: Path) -> Tracked:
    return Tracked("study", "ab" * 32, "DiT-S/2 seed 0", {"seed": 0}, tmp_path / "results")


class Client:
    """MLflow's client, of one server whose runs are in `runs`."""

    runs: list[dict[str, Any]]
    told: list[tuple[Any, ...]]

    def __init__(self, uri: str) -> None:
        self.told.append(("uri", uri))

    def get_experiment_by_name(self, name: str) -> Any:
        known = any(what[:2] == ("experiment", name) for what in self.told)
        return SimpleNamespace(experiment_id="7") if known else None

    def create_experiment(self, name: str, place: str) -> str:
        self.told.append(("experiment", name, place))
        return "7"

    def search_runs(self, experiments: list[str], filter: str, max_results: int) -> list[Any]:
        assert experiments == ["7"]
        wanted = filter.split("'")[1]
        return [r["run"] for r in self.runs if r["tags"]["harness.run"] == wanted][:max_results]

    def create_run(self, experiment: str, tags: dict[str, str], run_name: str) -> Any:
        run = SimpleNamespace(info=SimpleNamespace(run_id=f"run-{len(self.runs)}"))
        self.runs.append({"run": run, "tags": tags, "name": run_name})
        return run

    def log_metric(self, run: str, name: str, value: float, step: int) -> None:
        self.told.append((run, name, value, step))

    def log_image(self, run: str, image: np.ndarray, artifact_file: str) -> None:
        self.told.append((run, image.shape, artifact_file))

    def set_terminated(self, run: str) -> None:
        self.told.append((run, "terminated"))


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> type[Client]:
    Client.runs, Client.told = [], []
    recorded.package(monkeypatch, "mlflow", MlflowClient=Client)
    return Client


def test_two_stages_tell_of_one_run_and_two_trainings_of_two(
    run: Tracked, client: type[Client]
) -> None:
    tracker: Any = get("tracker", "mlflow")()
    for _ in range(2):
        tracking = tracker.open(run)
        tracking.scalars(5, {"train/loss": 0.5})
    assert [r["name"] for r in client.runs] == [run.label]
    assert sum(what[0] == "experiment" for what in client.told) == 1
    other = Tracked("study", "cd" * 32, "other", {}, run.results)
    tracker.open(other).scalars(1, {"train/loss": 0.1})
    assert len(client.runs) == 2
    assert [w for w in client.told if w[0] == "run-0"] == [("run-0", "train/loss", 0.5, 5)] * 2
    assert ("run-1", "train/loss", 0.1, 1) in client.told


def test_it_lies_below_the_results_unless_a_server_is_named(
    run: Tracked, client: type[Client]
) -> None:
    tracker: Any = get("tracker", "mlflow")
    tracker().open(run)
    folder = (run.results / "trackers").resolve()
    assert ("uri", f"sqlite:///{folder}/mlflow.db") in client.told
    assert ("experiment", "study", (folder / "mlflow").as_uri()) in client.told
    tracker(tracking_uri="http://there", experiment="mine").open(run)
    assert ("uri", "http://there") in client.told
    assert any(what[:2] == ("experiment", "mine") for what in client.told)


def test_images_are_a_strip_and_gray_ones_have_no_channel(
    run: Tracked, client: type[Client]
) -> None:
    tracking = get("tracker", "mlflow")().open(run)  # type: ignore[attr-defined]
    for channels in (1, 3):
        tracking.images(7, "end/samples", np.zeros((4, 8, 6, channels), np.uint8))
    tracking.close()
    file = "end/samples/step-00000007.png"
    assert client.told[-3:] == [
        ("run-0", (8, 24), file),
        ("run-0", (8, 24, 3), file),
        ("run-0", "terminated"),
    ]


@pytest.mark.full
def test_it_keeps_the_laws_with_its_own_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRACKIO_DIR", raising=False)
    testing.check("tracker", "mlflow")
