from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from harness.errors import BadInput, Missing
from harness.metrics import extractors, load_extractor, register_extractor


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.setattr(extractors, "_loaders", {})


def test_a_registered_extractor_is_loaded_by_its_name(tiny, tmp_path):
    seen = []

    def loader(weights, device):
        seen.append((weights, device))
        return tiny

    register_extractor("tiny-test", loader)
    register_extractor("tiny-test", loader)  # the same one again: nothing to complain about
    weights = tmp_path / "w"
    weights.touch()
    assert load_extractor("tiny-test") is tiny
    load_extractor("tiny-test", weights=str(weights), device="meta")
    assert seen == [(None, "cpu"), (Path(weights), "meta")]
    with pytest.raises(BadInput, match="'tiny-test' is registered already"):
        register_extractor("tiny-test", lambda weights, device: tiny)
    with pytest.raises(BadInput, match="'clip' is registered already"):
        register_extractor("clip", loader)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(BadInput) as error:
        load_extractor("inception")
    for name in ("inception-2015", "dinov2", "clip", "glyphs-cnn", "digits-cnn"):
        assert name in str(error.value)


def test_absent_weights_are_said_before_anything_is_loaded(tmp_path):
    with pytest.raises(Missing, match=r"weights of extractor inception-2015 are not at .*no\.pth"):
        load_extractor("inception-2015", weights=tmp_path / "no.pth")
    with pytest.raises(Missing, match="glyphs-cnn is trained by a study's reference stage"):
        load_extractor("glyphs-cnn")


def test_weights_of_another_extractor_are_refused(tiny):
    register_extractor("another", lambda weights, device: tiny)
    with pytest.raises(BadInput, match="weights of extractor tiny-test, not of another"):
        load_extractor("another")


def test_an_extractor_refuses_what_are_no_images(tiny):
    with pytest.raises(BadInput, match="takes uint8"):
        tiny(torch.zeros(2, 3, 8, 8))
    with pytest.raises(BadInput, match="takes uint8"):
        tiny(torch.zeros(2, 8, 8, 3, dtype=torch.uint8))


def test_probabilities_are_the_softmax_of_the_logits(tiny):
    found = tiny(torch.randint(0, 256, (5, 3, 8, 8), dtype=torch.uint8))
    torch.testing.assert_close(found["probabilities"].sum(1), torch.ones(5))
    assert found["pool"].shape == (5, 12) and found["spatial"].shape == (5, 6)


def test_the_metrics_room_is_imported_without_torch():
    code = "import harness.metrics, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
