"""A notification is run without a shell, and never fails or holds up a run."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from harness.dispatch import notify
from harness.dispatch.notify import Notice, Notices, tell

NOTICE = Notice("done", "a; rm -rf $HOME", "laptop", "`it` is done", 3, 3)


def test_nothing_is_read_by_a_shell(tmp_path: Path) -> None:
    told = tmp_path / "told"
    code = f"import os; open({str(told)!r}, 'w').write(os.environ['HARNESS_STUDY'])"
    assert tell([sys.executable, "-c", code, "$(touch x)"], NOTICE) is None
    assert told.read_text() == NOTICE.study


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["no-such-command-anywhere"], "no-such-command-anywhere cannot be run"),
        ([sys.executable, "-c", "print('why'); raise SystemExit(4)"], "ended with 4: why"),
        ([sys.executable, "-c", "raise SystemExit(5)"], "ended with 5: it said nothing"),
        (["/"], "/ cannot be run"),
        (["a\0b"], "cannot be run"),
    ],
)
def test_a_command_that_fails_is_a_sentence(command: list[str], said: str) -> None:
    assert said in (tell(command, NOTICE) or "")


@pytest.mark.slow
def test_a_command_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notify, "PATIENCE_S", 0.5)
    began = time.monotonic()
    assert "was ended after" in (tell([sys.executable, "-c", "while 1: pass"], NOTICE) or "")
    assert time.monotonic() - began < 10


def test_without_a_command_nothing_is_told() -> None:
    notices = Notices((), "a", "laptop")
    notices.ended(0)
    assert notices.troubles == []


def test_the_end_says_how_far_it_came(tmp_path: Path) -> None:
    told = tmp_path / "told"
    code = f"import sys; open({str(told)!r}, 'a').write(sys.stdin.read() + chr(10))"
    notices = Notices((sys.executable, "-c", code), "a", "laptop")
    notices("stock", None, {"stages": [1, 2, 3], "done": {"x"}})
    notices("done", None, {})
    notices.ended(3)
    notices.ended(2, "the disk is full")
    stopped, failed = told.read_text().splitlines()
    assert '"stopped"' in stopped and "2 of 3 stages" in stopped
    assert '"failed"' in failed and "it ended with: the disk is full" in failed
