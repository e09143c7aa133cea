"""A notification is run without a shell, and never fails or holds up a run."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from harness.dispatch import notify
from harness.dispatch.notify import Notice, Notices, problem, tell

NOTICE = Notice("done", "a; rm -rf $HOME", "laptop", "`it` is done", 3, 3)


def test_of_a_command_that_prints_without_end_the_last_part_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All of it was read into memory."""
    monkeypatch.setattr(notify, "LAST", 50)
    trouble = notify.tell(
        [sys.executable, "-c", "print('~' * 10_000); raise SystemExit(3)"], NOTICE
    )
    assert trouble is not None and trouble.endswith("ended with 3: " + "~" * 49)


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
        (["/"], "/ cannot be run: Permission denied"),
        (["sh", "-c", "kill -9 $$"], "was ended by SIGKILL"),
        (["a\0b"], "cannot be run"),
    ],
)
def test_a_command_that_fails_is_a_sentence(command: list[str], said: str) -> None:
    assert said in (tell(command, NOTICE) or "")


@pytest.mark.slow
def test_a_command_that_hangs_is_ended_with_all_that_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notify, "PATIENCE_S", 0.5)
    began, child = time.monotonic(), tmp_path / "child"
    hangs = f"sleep 60 & echo $! > {child}; echo connecting; wait"
    assert "was ended after 0 s: connecting" in (tell(["sh", "-c", hangs], NOTICE) or "")
    assert time.monotonic() - began < 10
    assert ended(int(child.read_text()))


def test_what_a_command_leaves_in_the_background_holds_nobody(tmp_path: Path) -> None:
    began, child = time.monotonic(), tmp_path / "child"
    assert tell(["sh", "-c", f"sleep 60 & echo $! > {child}"], NOTICE) is None
    assert time.monotonic() - began < 10
    os.kill(int(child.read_text()), signal.SIGKILL)  # it still ran


def ended(pid: int) -> bool:
    """Is a process gone, or a zombie, within two seconds?"""
    for _ in range(100):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.02)
    return False


def test_a_command_that_cannot_be_run_is_known_before(tmp_path: Path) -> None:
    plain = tmp_path / "plain.txt"
    plain.write_text("no program")
    assert "is not found" in (problem(["no-such-command-anywhere", "--now"]) or "")
    assert "not an executable file" in (problem([str(plain)]) or "")
    assert problem(["sh", "-c", "x"]) is None and problem([]) is None


def test_the_same_trouble_is_said_once() -> None:
    notices = Notices(("no-such-command-anywhere",), "a", "laptop")
    notices.ended(0)
    notices.ended(0)
    assert len(notices.troubles) == 1


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
