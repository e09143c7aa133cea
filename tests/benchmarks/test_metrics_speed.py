"""Speed and memory of the metrics beside torch-fidelity's, on the same numbers.

    python -m pytest -m benchmark tests/benchmarks/test_metrics_speed.py -s       # about 2 minutes
    HARNESS_BENCHMARK=full python -m pytest -m benchmark tests/benchmarks/... -s     # 6 minutes

The full size is the issue's: 10,000 x 10,000 features of 2,048 numbers, and 50,000 x 10,000 for
peak memory; the default is 4,000 x 4,000. Each comparison runs
both sides in turn in one process with one thread and compares processor time, which neighbours on
the machine hardly change; each side's memory is the rise of ru_maxrss in a process of its own.

The Inception Score is timed from the same logits on both sides, and from probabilities, which are
what our extraction leaves (its softmax, in the network's batches, would add 0.05 to the ratio).
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.benchmark, pytest.mark.slow]

FULL = os.environ.get("HARNESS_BENCHMARK") == "full"
COUNT = 10_000 if FULL else 4_000
DIMENSIONS = 2048
CLASSES = 1008
CONDITION = 1e6  # of the covariances whose spectrum falls off as a power
# task -> repetitions, and at most this part of torch-fidelity's time
REPEATS = {
    "precision, recall": 1,
    "Frechet distance": 3,
    "Frechet distance, condition 1e6": 3,
    "IS": 9,
    "IS of probabilities": 9,
}
LIMITS = {
    "precision, recall": 0.65,
    "Frechet distance": 0.3,
    "Frechet distance, condition 1e6": 0.3,
    "IS": 0.2,
    "IS of probabilities": 0.2,
}


def features(count: int, seed: int, spread: float, dimensions: int = DIMENSIONS) -> Any:
    """Correlated and not negative, as Inception's pool features are: float32 (count, 2048)."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    directions = torch.randn(64, dimensions, generator=torch.Generator().manual_seed(9))
    rows = torch.empty(count, dimensions)
    for start in range(0, count, 500):  # in pieces, so that making them does not set the peak
        part = rows[start : start + 500].normal_(0, 1, generator=generator)
        part.addmm_(torch.randn(len(part), 64, generator=generator), directions, alpha=spread)
        part.relu_()
    return rows


def neighbours(
    count: int, real: int, dimensions: int = DIMENSIONS
) -> tuple[Callable[[], Any], Callable[[], Any]]:
    from torch_fidelity.metric_prc import prc_features_to_metric

    from harness.metrics import precision_recall

    a, b = features(count, 0, 0.30, dimensions), features(real, 1, 0.33, dimensions)

    def theirs() -> list[float]:
        found = prc_features_to_metric(a, b, prc_neighborhood=3, verbose=False)
        return [found["precision"], found["recall"]]

    return lambda: list(precision_recall(a.numpy(), b.numpy(), k=3)), theirs


def falling(count: int, seed: int) -> Any:
    """Moments of features whose spectrum falls off as a power, as trained networks' do."""
    import numpy as np

    from harness.metrics import Moments

    rng = np.random.default_rng(seed)
    variances = np.arange(1, DIMENSIONS + 1) ** (-np.log(CONDITION) / np.log(DIMENSIONS))
    basis = np.linalg.qr(rng.normal(size=(DIMENSIONS, DIMENSIONS)))[0]
    covariance = (basis * variances) @ basis.T
    return Moments(count, basis[0] * 0.1, (covariance + covariance.T) / 2)


def frechet(
    count: int, real: int, spectrum: str = "flat"
) -> tuple[Callable[[], Any], Callable[[], Any]]:
    from torch_fidelity.metric_fid import fid_statistics_to_metric

    from harness.metrics import Moments, frechet_distance

    if spectrum == "falling":
        a, b = falling(count, 0), falling(real, 1)
    else:
        sets = (count, 0, 0.3), (real, 1, 0.33)
        a, b = (Moments.of(features(n, s, v).numpy()) for n, s, v in sets)
    pair = [{"mu": m.mean, "sigma": m.covariance} for m in (a, b)]

    def theirs() -> list[float]:
        return [fid_statistics_to_metric(*pair, verbose=False)["frechet_inception_distance"]]

    return lambda: [frechet_distance(a.mean, a.covariance, b.mean, b.covariance)], theirs


def score(count: int, _: int, of: str = "logits") -> tuple[Callable[[], Any], Callable[[], Any]]:
    import torch
    from torch_fidelity.metric_isc import isc_features_to_metric

    from harness.metrics import inception_score

    logits = torch.randn(count, CLASSES, generator=torch.Generator().manual_seed(0)) * 2
    rows = (logits if of == "logits" else logits.softmax(1)).numpy()

    def theirs() -> list[float]:
        found = isc_features_to_metric(logits, splits=2, shuffle=False)
        return [found["inception_score_mean"]]

    return lambda: [inception_score(rows, count // 2, logits=of == "logits")], theirs


NARROW = 256  # dimensions at which 50,000 x 10,000 take a minute and not five
TASKS = {
    "precision, recall": neighbours,
    "narrow precision, recall": partial(neighbours, dimensions=NARROW),
    "Frechet distance": frechet,
    "Frechet distance, condition 1e6": partial(frechet, spectrum="falling"),
    "IS": score,
    "IS of probabilities": partial(score, of="probabilities"),
}


def compare(task: str, count: int, repeats: int) -> dict[str, Any]:
    """Both sides in turn, the best of `repeats` each."""
    ours, theirs = TASKS[task](count, count)
    best: dict[str, Any] = {}
    for _ in range(repeats):
        for side, work in (("ours", ours), ("theirs", theirs)):
            wall, cpu = time.perf_counter(), time.process_time()
            result = work()
            took = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
            before = best.get(side, {"cpu": float("inf")})
            best[side] = {**(took if took["cpu"] < before["cpu"] else before), "result": result}
    return best


def peak(task: str, side: str, count: int, real: int) -> dict[str, Any]:
    """Peak memory of one side in MB: in all, and above what features and libraries take."""
    TASKS[task](20, 20)[side == "theirs"]()  # libraries set themselves up before the count starts
    work = TASKS[task](count, real)[side == "theirs"]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    start = time.process_time()
    result = work()
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    seconds = time.process_time() - start
    return {"peak": after, "rise": after - before, "cpu": seconds, "result": result}


def in_a_process(*arguments: str | int) -> dict[str, Any]:
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, __file__, *map(str, arguments)],
        env=os.environ | threads | {"PYTHONPATH": root},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("task", LIMITS)
def test_it_takes_a_fraction_of_torch_fidelitys_time_with_equal_results(task, capsys):
    size = 10_000 if task.startswith("IS") else COUNT
    found = in_a_process("compare", task, size, REPEATS[task])
    ours, theirs = found["ours"], found["theirs"]
    ratio = ours["cpu"] / theirs["cpu"]
    with capsys.disabled():
        print(
            f"\n{task:31} {size:6}  ours {ours['cpu']:6.2f} s ({ours['wall']:.2f} wall)  "
            f"torch-fidelity {theirs['cpu']:6.2f} s ({theirs['wall']:.2f} wall)  "
            f"ratio {ratio:.3f} (limit {LIMITS[task]})  {ours['result']} {theirs['result']}"
        )
    assert ours["result"] == pytest.approx(theirs["result"], rel=1e-6)
    assert ratio <= LIMITS[task]


def test_precision_and_recall_take_half_of_torch_fidelitys_memory(capsys):
    ours, theirs = (
        in_a_process("peak", "precision, recall", side, COUNT, COUNT) for side in ("ours", "theirs")
    )
    with capsys.disabled():
        print(
            f"\nprecision, recall  {COUNT:6}  ours {ours['peak']:.0f} MB (+{ours['rise']:.0f})  "
            f"torch-fidelity {theirs['peak']:.0f} MB (+{theirs['rise']:.0f})  "
            f"ratio {ours['peak'] / theirs['peak']:.2f} in all, "
            f"{ours['rise'] / theirs['rise']:.2f} above libraries and features"
        )
    assert ours["rise"] <= 0.5 * theirs["rise"]
    if FULL:  # at smaller sizes the libraries are most of both
        assert ours["peak"] <= 0.5 * theirs["peak"]


def test_50000_against_10000_stay_under_2_gb(capsys):
    # Without HARNESS_BENCHMARK=full the features are narrower; what they lack is added to the peak.
    task, width = ("precision, recall", DIMENSIONS) if FULL else (list(TASKS)[1], NARROW)
    found = in_a_process("peak", task, "ours", 50_000, 10_000)
    lacking = 60_000 * (DIMENSIONS - width) * 4 / 2**20
    with capsys.disabled():
        print(
            f"\nprecision, recall  50000 x 10000 x {width}  {found['peak']:.0f} MB "
            f"(+{found['rise']:.0f}) + {lacking:.0f}, {found['cpu']:.0f} s  {found['result']}"
        )
    assert found["peak"] + lacking < 2000


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    if what == "compare":
        print(json.dumps(compare(rest[0], int(rest[1]), int(rest[2]))))
    else:
        print(json.dumps(peak(rest[0], rest[1], int(rest[2]), int(rest[3]))))
