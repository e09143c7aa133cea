from __future__ import annotations

import subprocess
import sys

import brought
import pytest
import torch

from harness.components import registry
from harness.errors import BadInput, Missing
from harness.metrics import load_extractor


@pytest.fixture(autouse=True)
def fresh():
    yield
    registry.forget_files()


def test_an_extractor_somebody_brought_is_loaded_by_its_name(tiny):
    seen = []
    registry.add_file_entries([registry.entry_of(brought.extractor(tiny, seen), "file mine.py")])
    assert load_extractor("tiny-test").network is tiny.network
    load_extractor("tiny-test", weights="w", device="meta")
    assert seen == [(None, "cpu"), ("w", "meta")]


@pytest.mark.parametrize("name", ["tiny-test", "clip"])
def test_two_extractors_of_one_name_are_refused_with_both_places(tiny, name):
    if name == "tiny-test":
        registry.add_file_entries([registry.entry_of(brought.extractor(tiny, []), "file mine.py")])
    other = registry.entry_of(brought.extractor(tiny, [], name), "file other.py")
    with pytest.raises(BadInput, match=f"'{name}': (file mine.py|built in) and file other.py"):
        registry.add_file_entries([other])


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
    with pytest.raises(BadInput, match="weights of extractor tiny-test, not of another"):
        load_extractor(brought.extractor(tiny, [], "another")())


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
