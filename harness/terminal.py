"""Standard output and error as they come: without Unicode, closed by their reader, full."""

from __future__ import annotations

import codecs
import contextlib
import errno
import os
import sys
import unicodedata

PLAIN = {"±": "+/-", "×": "x", "–": "-", "—": "-", "…": "...", "→": "->", "≤": "<=", "≥": ">="}
PLAIN |= {"“": '"', "”": '"', "‘": "'", "’": "'", "·": "*", "•": "*", "µ": "u", "√": "sqrt"}


FULL = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG)


def in_plain_letters(error: UnicodeError) -> tuple[str, int]:
    """An error handler for codecs: what an encoding lacks, in letters that every one has.

    >>> "FID 3 ± 1, é".encode("ascii", "harness.plain")
    b'FID 3 +/- 1, e'
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    found = "".join(_plain(c) for c in error.object[error.start : error.end])
    return found, error.end


def _plain(character: str) -> str:
    if character in PLAIN:
        return PLAIN[character]
    if "\u2500" <= character <= "\u257f":  # lines of tables
        return "-" if character in "─━┄┅┈┉╌╍═" else "|" if character in "│┃║" else "+"
    stem = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return stem or "?"


codecs.register_error("harness.plain", in_plain_letters)


def prepare() -> None:
    """Print every character: what the terminal's encoding lacks comes in plain letters.

    A stream that was closed before we began (`>&-`) takes what is written, and drops it.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115  (as long as the process)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError, OSError):  # a test's own stream, None
            stream.reconfigure(errors="harness.plain")  # type: ignore[union-attr]


def output_lost(error: BaseException) -> int | None:
    """The exit code where standard output could not be written; None if that was not the matter.

    A reader who has enough (`| head`) is no error; a full disk is.
    """
    cause: BaseException | None = error
    if isinstance(error, SystemExit):  # rich leaves so when its reader has gone
        cause = error.__context__
    if not isinstance(cause, OSError):
        return None
    if isinstance(cause, BrokenPipeError):
        _silence()
        return 0
    if cause.errno not in FULL or cause.filename is not None:
        return None
    try:
        os.write(sys.stdout.fileno(), b"\n")  # is it this that is full, or a file of ours?
    except OSError as full:
        _silence()
        with contextlib.suppress(OSError):
            print(f"error: cannot write the output: {full.strerror}", file=sys.stderr)
        return 2
    except ValueError:  # not a file at all
        return None
    return None


def _silence() -> None:
    """Drop what is left in the buffers, so that the interpreter's end prints no error."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
