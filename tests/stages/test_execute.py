"""What a failure is called."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from safetensors import SafetensorError

from harness.errors import BadInput, Missing
from harness.stages.execute import classify
from harness.store.artifacts import CorruptArtifact, UnreadableArtifact
from harness.store.codec import UnreadableResult
from harness.store.files import DiskFull, NotReadable


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
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "out of memory"),
        (
            RuntimeError(
                "[enforce fail at alloc_cpu.cpp] you tried to allocate 9 bytes. "
                "DefaultCPUAllocator: not enough memory"
            ),
            "out of memory",
        ),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "out of memory"),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling x"), "out of memory"),
        (RuntimeError("std::bad_alloc"), "out of memory"),
        (
            SafetensorError("Error while serializing: I/O error: Input/output error (os error 5)"),
            "environment",
        ),
        (BadInput("a.png cannot be read: Stale file handle"), "environment"),
        (NotReadable("x"), "environment"),
        (UnreadableArtifact("x cannot be read: Permission denied"), "environment"),
        (UnreadableResult("of another version"), "bad input"),
        (RuntimeError("CUDA error: uncorrectable ECC error encountered"), "environment"),
        (RuntimeError("NCCL error in: x.cpp, remote process exited"), "environment"),
        (RuntimeError("can't start new thread"), "environment"),
        (RuntimeError("CUDA error: device-side assert triggered"), "error"),
        (ValueError("x"), "error"),
        (KeyboardInterrupt(), "stopped"),
    ],
)
def test_failures_are_told_apart(error: BaseException, failure: str) -> None:
    assert classify(error) == failure


def test_memory_that_led_to_an_error_is_its_class() -> None:
    try:
        try:
            raise MemoryError
        except MemoryError:
            raise RuntimeError("the batch could not be collated")  # noqa: B904
    except RuntimeError as error:
        assert classify(error) == "out of memory"
