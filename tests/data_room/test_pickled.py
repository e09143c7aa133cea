"""The restricted reader: CIFAR's pickles are read, and no other pickle is run."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from cifar_files import python_2_batch

from harness.data import pickled
from harness.errors import BadInput


def test_a_batch_of_python_2_is_read(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 3072), dtype=np.uint8)
    (tmp_path / "batch").write_bytes(python_2_batch(pixels, "labels", [6, 9, 255]))
    expected = pickle.loads((tmp_path / "batch").read_bytes(), encoding="latin1")  # our own bytes
    assert expected["labels"] == [6, 9, 255] and np.array_equal(expected["data"], pixels)
    found = pickled.read(tmp_path / "batch")
    assert found["labels"] == [6, 9, 255]
    assert found["data"].dtype == np.uint8 and np.array_equal(found["data"], pixels)


@pytest.mark.parametrize("protocol", [2, 3, 4])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_batch_that_was_saved_again_is_read(tmp_path: Path, protocol: int, order: str) -> None:
    pixels = np.arange(20, dtype=np.uint8).reshape(4, 5, order=order)  # type: ignore[call-overload]
    content = {"data": pixels, "labels": list(range(300)), "names": ("a", "b"), "x": None}
    (tmp_path / "batch").write_bytes(pickle.dumps(content, protocol=protocol))
    found = pickled.read(tmp_path / "batch")
    assert np.array_equal(found.pop("data"), content.pop("data")) and found == content


class Asks:
    """What a malicious pickle does: it has a function called as it is loaded."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> object:
        return self.call


@pytest.mark.parametrize("protocol", [0, 1, 2, 4])
def test_a_pickle_that_calls_something_is_refused_and_nothing_is_called(
    tmp_path: Path, protocol: int
) -> None:
    import os

    mark = tmp_path / "called"
    (tmp_path / "bad").write_bytes(pickle.dumps(Asks(os.mkdir, str(mark)), protocol=protocol))
    with pytest.raises(BadInput, match=r"asks for|instruction|cannot be read"):
        pickled.read(tmp_path / "bad")
    assert not mark.exists()


@pytest.mark.parametrize(
    "content",
    [
        pickle.dumps({"data": np.zeros((2, 2), np.float32)}, protocol=2),
        pickle.dumps(np.array([object()]), protocol=2),
        pickle.dumps(complex(1, 2), protocol=2),
        pickle.dumps({"data": [1, 2, 3]}, protocol=2)[:-2],
        b"",
        b"no pickle at all",
        b"\x80\x02cnumpy\ndtype\n.",
    ],
    ids=["floats", "objects", "complex", "cut off", "empty", "noise", "a bare name"],
)
def test_other_content_and_damage_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad").write_bytes(content)
    with pytest.raises(BadInput, match="bad"):
        pickled.read(tmp_path / "bad")
