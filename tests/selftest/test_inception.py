"""The self-test of Inception, on random weights served by this machine."""

from __future__ import annotations

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import random_inception
import torch

from harness import components
from harness.metrics import inception as network
from harness.metrics.extractors import sha256_of
from harness.selftest import drawn, expected, inception


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> tuple[str, Path]:
    """(address, file) of random weights on a server of this machine."""
    file = random_inception.save(tmp_path_factory.mktemp("served"))

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(file.parent)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/{file.name}", file
    server.shutdown()


@pytest.mark.slow
def test_weights_are_fetched_and_held_against_torch_fidelity(served, tmp_path, monkeypatch):
    address, file = served
    sha256 = sha256_of(file)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(network, "URL_INCEPTION_V3", address)
    monkeypatch.setattr(network, "HASH", sha256[:8])
    images = drawn.drawn_images(4, 64)
    found = inception.checks(images)
    assert (tmp_path / "checkpoints" / network.FILE).is_file()
    states = {check.name: check.status for check in found}
    assert states.pop("Inception-2015: SHA-256 of the weights") == "failed"  # they are random ones
    assert set(states.values()) == {"passed"}
    assert len(states) == 4
    assert all(check.source for check in found)


def features(count: int, shift: float = 0.0) -> dict[str, np.ndarray]:
    draws = np.random.default_rng(0)
    rows = draws.random((count, 6))
    return {
        "pool": draws.random((count, 5)) + shift,
        "probabilities": rows / rows.sum(axis=1, keepdims=True),
    }


def test_features_that_differ_from_torch_fidelitys_fail():
    same = inception._against(features(20), features(20))
    assert [check.status for check in same] == ["passed"] * 3
    ours = features(20)
    ours["pool"][3] += 0.01
    ours["probabilities"] = np.roll(ours["probabilities"], 1, axis=1) ** 2
    ours["probabilities"] /= ours["probabilities"].sum(axis=1, keepdims=True)
    assert [check.status for check in inception._against(ours, features(20))] == ["failed"] * 3


class OneHot:
    """An extractor that is sure of one of ten classes, another for each image."""

    name, sha256, resize = "one-hot", "0", "none"

    def __init__(self, classes: int) -> None:
        self.classes, self.seen = classes, 0

    def __call__(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        labels = (torch.arange(len(images)) + self.seen) % self.classes
        self.seen += len(images)
        rows = torch.nn.functional.one_hot(labels, 20).double()
        return {"pool": rows, "probabilities": rows}


@pytest.mark.parametrize(("value", "status"), [(2.0, "passed"), (11.24, "failed")])
def test_the_score_of_cifar10_is_that_of_ten_parts(tmp_path, monkeypatch, value, status):
    components.get("source", "cifar")().example(tmp_path, 0)
    monkeypatch.setattr(expected, "CIFAR10_INCEPTION_SCORE", value)
    monkeypatch.setattr(inception, "PARTS", 5)  # of the example's 15 images
    # parts of 3 images with labels 0 1 0, 1 0 1, ...: exp of the entropy of (1/3, 2/3)
    monkeypatch.setattr(expected, "CIFAR10_TOLERANCE", 0.15)
    check = inception._cifar10(tmp_path, OneHot(2), batch=4)
    assert check.status == status
    assert float(check.found) == pytest.approx(3 / 2 ** (2 / 3), rel=1e-4)
    assert "15 training images" in check.name
