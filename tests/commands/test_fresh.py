"""The report is written while a study goes on, and never fails or delays it."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from harness.commands import fresh


@pytest.mark.slow
def test_it_is_written_again_and_again_and_ends_with_the_run(tmp_path: Path) -> None:
    log = tmp_path / "log"
    words = [sys.executable, "-c", f"open({str(log)!r}, 'a').write('x')"]
    with fresh.kept(words, minutes=0.05 / 60):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and not (log.is_file() and len(log.read_text()) > 1):
            time.sleep(0.05)
    written = log.read_text()
    assert len(written) > 1
    time.sleep(0.3)
    assert log.read_text() == written


@pytest.mark.slow
def test_what_fails_or_hangs_does_neither_fail_nor_delay_the_run() -> None:
    begin = time.monotonic()
    for words in (["/no/such/program"], [sys.executable, "-c", "import time; time.sleep(900)"]):
        with fresh.kept(words, minutes=0.01 / 60):
            time.sleep(0.3)
    with fresh.kept(["/no/such/program"], minutes=0):
        pass
    assert time.monotonic() - begin < 300


def test_it_is_the_report_of_the_same_study() -> None:
    words = fresh.command("s.yaml", "big", ("seed=1",), "out", None)
    assert words[1:] == ["-m", "harness", "report", "s.yaml", "--results", "out", "--profile",
                         "big", "--set", "seed=1"]  # fmt: skip
    assert fresh.command("s.yaml", None, (), "out", "r.html")[-2:] == ["--report", "r.html"]
