"""The report kept fresh while a long study goes on: another process, at an interval.

It never fails or delays the run: what it prints and how it ends are not looked at, and it is ended
with the run, which writes the last report itself.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence


def command(
    study: str, profile: str | None, overrides: Sequence[str], results: str, report: str | None
) -> list[str]:
    """The `report` verb for the same study."""
    words = [sys.executable, "-m", "harness", "report", study, "--results", results]
    words += ["--profile", profile] if profile else []
    for override in overrides:
        words += ["--set", override]
    return [*words, *(["--report", report] if report else [])]


@contextlib.contextmanager
def kept(words: Sequence[str], minutes: float) -> Iterator[None]:
    """Run `words` every so many minutes while the block lasts; 0: never."""
    over = threading.Event()

    def keep() -> None:
        while not over.wait(60 * minutes):
            with contextlib.suppress(OSError):
                process = subprocess.Popen(
                    words,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,  # Ctrl-C is the run's
                )
                while process.poll() is None and not over.wait(0.2):
                    pass
                if process.poll() is None:
                    process.terminate()
                process.wait()

    if minutes <= 0:
        yield
        return
    keeper = threading.Thread(target=keep, name="report", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        over.set()
        keeper.join(timeout=10)
