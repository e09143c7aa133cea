"""What a failure is called."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from safetensors import SafetensorError

from harness.errors import BadInput, Missing
from harness.stages.execute import classify
from harness.store.artifacts import CorruptArtifact
from harness.store.files import DiskFull


def test_a_full_disk_is_the_environment_when_safetensors_notices_it() -> None:
    said = "Error while serializing: I/O error: No space left on device (os error 28)"
    assert classify(SafetensorError(said)) == "environment"


def test_a_full_disk_is_the_environment_wherever_it_was_noticed(tmp_path: Path) -> None:
    try:
        try:
            raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))
        except OSError as full:
            raise RuntimeError("the file could not be written") from full
    except RuntimeError as error:
        assert classify(error) == "environment"
    assert classify(RuntimeError("IOError: [Errno 28] No space left on device")) == "environment"
    assert classify(RuntimeError("IoError(Os { code: 122, kind: QuotaExceeded })")) == "environment"


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (DiskFull("x"), "environment"),
        (Missing("no weights"), "environment"),
        (OSError(errno.EIO, "Input/output error"), "environment"),
        (BadInput("x"), "bad input"),
        (CorruptArtifact("x"), "bad input"),
        (MemoryError(), "out of memory"),
        (RuntimeError("CUDA out of memory"), "out of memory"),
        (ValueError("x"), "error"),
        (KeyboardInterrupt(), "stopped"),
    ],
)
def test_failures_are_told_apart(error: BaseException, failure: str) -> None:
    assert classify(error) == failure
