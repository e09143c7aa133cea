"""Verbs in a child of the test's process, with the terminal that a case asks for.

A fork starts in milliseconds, where a new interpreter takes half a second.
"""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

LONGEST_S = 60


@dataclass(frozen=True)
class Ended:
    """What a verb left."""

    code: int
    out: bytes
    err: bytes


def forked(
    words: Sequence[str],
    folder: Path,
    *,
    encoding: str = "utf-8",
    columns: int | None = None,
    out: str = "pipe",
) -> Ended:
    """`python -m harness WORDS` in `folder`.

    out: "pipe", "full" (no space left), "gone" (its reader has left) or "closed" (there is none).
    """
    ends = {name: os.pipe() for name in ("out", "err")}
    child = os.fork()
    if child == 0:
        os._exit(_work(words, folder, encoding, columns, out, ends["out"][1], ends["err"][1]))
    said: dict[str, bytes] = {}

    def read(name: str, end: int) -> None:
        with open(end, "rb") as file:
            said[name] = file.read()

    readers = [threading.Thread(target=read, args=(name, ends[name][0])) for name in ends]
    for name, reader in zip(ends, readers, strict=True):
        os.close(ends[name][1])
        reader.start()
    _, status = os.waitpid(child, 0)
    for reader in readers:
        reader.join()
    return Ended(os.waitstatus_to_exitcode(status), said["out"], said["err"])


def _work(
    words: Sequence[str],
    folder: Path,
    encoding: str,
    columns: int | None,
    out: str,
    out_end: int,
    err_end: int,
) -> int:
    """In the child: the terminal, then the verb. Its exit code."""
    try:
        signal.alarm(LONGEST_S)
        os.chdir(folder)
        os.environ["TERM"] = "dumb"
        if columns is not None:
            os.environ["COLUMNS"] = str(columns)
        if out == "full":
            out_end = os.open("/dev/full", os.O_WRONLY)
        elif out == "gone":
            reader, out_end = os.pipe()
            os.close(reader)
        os.dup2(err_end, 2)
        if out == "closed":
            os.close(1)
            sys.stdout = None  # type: ignore[assignment]  # as the interpreter leaves it
        else:
            os.dup2(out_end, 1)
            sys.stdout = open(1, "w", encoding=encoding, closefd=False)  # noqa: SIM115
        raw = open(2, "wb", buffering=0, closefd=False)  # noqa: SIM115
        sys.stderr = io.TextIOWrapper(raw, encoding, write_through=True)
        from harness.cli import main

        code = main(list(words))
        if sys.stdout is not None:
            sys.stdout.flush()  # as the interpreter's end does
        return code
    except BaseException:
        os.write(2, traceback.format_exc().encode())
        return 99
