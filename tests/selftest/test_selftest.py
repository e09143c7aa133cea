"""The self-test's machinery on small and random weights; the published ones need a network."""

from __future__ import annotations

import json
import threading
import urllib.error
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import random_inception
import small_vae
import torch

from harness import components
from harness.autoencoders import loading
from harness.cli import main
from harness.errors import Missing
from harness.metrics import inception as network
from harness.metrics.extractors import sha256_of
from harness.selftest import drawn, expected, inception, vae
from harness.selftest.checks import within


@pytest.fixture
def no_network(tmp_path, monkeypatch) -> Path:
    """Empty caches, and nothing that answers."""

    def offline(*args, **kwargs):
        raise urllib.error.URLError("no route to host")

    def nowhere(name, decoder, weights, online=True):
        raise Missing(f"the weights of {name} ({decoder}) are not here")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "torch"))
    monkeypatch.setattr(torch.hub, "urlopen", offline)
    monkeypatch.setattr(vae, "folder_of", nowhere)
    return tmp_path


def test_without_a_network_it_says_so_and_fails_without_a_traceback(no_network, capsys):
    assert main(["selftest", "--online"]) == 3
    out, err = capsys.readouterr()
    assert "There is no network here" in out
    assert "1 passed, 0 failed, 2 not checked" in out
    assert "no route to host" in out
    assert "put it at" in out
    assert "Traceback" not in out + err


def test_nothing_is_downloaded_unless_asked(no_network, monkeypatch, capsys):
    def refuse(*args, **kwargs):
        raise AssertionError("a download")

    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    assert main(["selftest"]) == 3
    assert "--online" in capsys.readouterr().out


def test_the_drawn_images_are_the_written_down_ones_and_no_two_alike():
    images = drawn.drawn_images()
    assert drawn.sha256(images) == expected.DRAWN_SHA256
    assert len({image.tobytes() for image in images}) == len(images)


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


@pytest.fixture(scope="module")
def decoders(tmp_path_factory) -> Path:
    return small_vae.save_decoders(tmp_path_factory.mktemp("vae"))


def test_an_untrained_autoencoder_fails_the_round_trip_and_has_the_shape(decoders):
    found = vae.checks(drawn.drawn_images(2, 32), ("ft-mse", "ft-ema"), weights=decoders)
    states = {check.name.split(" (")[0]: check.status for check in found}
    assert states["sd-vae ft-mse: shape"] == "passed"
    assert states["sd-vae ft-mse: SHA-256 of the weights"] == "failed"
    assert states["sd-vae ft-ema: SHA-256 of the weights"] == "told"  # none is written down
    assert states["sd-vae ft-mse: PSNR of drawn images, decoded"] == "failed"
    assert states["sd-vae: encoders of ft-mse, ft-ema"] == "passed"


def test_decoders_with_an_encoder_of_their_own_fail(decoders, tmp_path):
    small_vae.small_kl(0).save_pretrained(tmp_path / "ft-mse")
    small_vae.small_kl(1).save_pretrained(tmp_path / "ft-ema")
    found = vae.checks(drawn.drawn_images(1, 32), ("ft-mse", "ft-ema"), weights=tmp_path)
    assert found[-1].status == "failed"
    assert found[-1].found == "2 different"


def test_a_faithful_round_trip_passes_and_mean_colours_do_not():
    images = torch.from_numpy(drawn.drawn_images(4, 64)).permute(0, 3, 1, 2).float() / 127.5 - 1
    near = images + 0.1 * torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    grey = images.mean(dim=(2, 3), keepdim=True).expand_as(images)
    faithful, told = vae._round_trip("ft-mse", images, near, torch.ones(1, 4, 8, 8))
    assert faithful.status == "passed"
    assert float(faithful.found) == pytest.approx(26, abs=0.1)  # 10 log10(4 / 0.01)
    assert told.status == "told"
    assert vae._round_trip("ft-mse", images, grey, torch.ones(1, 4, 8, 8))[0].status == "failed"


def test_the_verb_prints_what_was_found_and_ends_1(decoders, no_network, monkeypatch, capsys):
    monkeypatch.setattr(vae, "folder_of", loading.folder_of)
    monkeypatch.setattr(expected, "DRAWN_SHA256", drawn.sha256(drawn.drawn_images(8, 32)))
    images = drawn.drawn_images(8, 32)
    monkeypatch.setattr(drawn, "drawn_images", lambda: images)
    assert main(["selftest", "--autoencoder", str(decoders), "--json"]) == 1
    out, err = capsys.readouterr()
    checks = {check["name"]: check for check in json.loads(out)}
    assert checks["Inception-2015"]["status"] == "not checked"
    assert checks["sd-vae ft-mse: shape"]["status"] == "passed"
    assert "2 failed, 1 not checked" in err


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--decoder", "best"], "there are original, ft-mse, ft-ema"),
        (["--weights", "nowhere.pth"], "nowhere.pth: there is nothing"),
        (["--cifar10", "nowhere"], "nowhere: there is nothing"),
        (["--device", "tpu"], "cpu or cuda"),
    ],
)
def test_what_cannot_be_is_refused(given, said, capsys):
    assert main(["selftest", *given]) == 2
    assert said in capsys.readouterr().err


def test_nothing_that_is_not_a_number_passes():
    assert within("a", float("nan"), "b", "c", least=0.0).status == "failed"
    assert within("a", 1.0, "b", "c", least=0.0).status == "passed"
