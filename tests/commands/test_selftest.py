"""`selftest`: what it prints and how it ends, without a network and on small weights."""

from __future__ import annotations

import json
import urllib.error
from pathlib import Path

import pytest
import small_vae
import torch

from harness.autoencoders import loading
from harness.cli import main
from harness.errors import Missing
from harness.selftest import drawn, expected, vae


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


@pytest.fixture(scope="module")
def decoders(tmp_path_factory) -> Path:
    return small_vae.save_decoders(tmp_path_factory.mktemp("vae"))


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
