"""The screen of `status --watch`: grid, curves, causes; within the terminal it is given."""

from __future__ import annotations

import fcntl
import io
import math
import os
import pty
import struct
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from verbs import stages, tried

from harness.commands import common, seen
from harness.commands.screen import BARS, Losses, Screen, grid, sparkline
from harness.dispatch.view import Seen
from harness.plan.build import make_plan
from harness.spec.study import load_study


@pytest.mark.parametrize(
    ("values", "width", "shown"),
    [
        ([], 8, ""),
        ([math.nan, math.inf], 8, ""),
        ([1.0], 8, "▁"),
        ([0, 1, 2, 3, 4, 5, 6, 7], 8, BARS),
        ([7, 6, 5, 4, 3, 2, 1, 0], 8, BARS[::-1]),
        ([2.0, 2.0, 2.0], 8, "▁▁▁"),
        ([0, 0, 1, 1], 2, "▁█"),
        ([0.0, math.nan, 1.0], 8, "▁█"),
    ],
)
def test_a_curve_keeps_the_order_of_its_values(values: Any, width: int, shown: str) -> None:
    assert sparkline(values, width) == shown


def test_a_long_curve_fits_its_width() -> None:
    assert len(sparkline([float(i % 7) for i in range(1000)], 24)) == 24


def test_losses_are_read_from_logs_and_again_when_these_grow(tmp_path: Path) -> None:
    folder = tmp_path / "logs" / f"train-{'a' * 12}"
    folder.mkdir(parents=True)
    log = folder / "one.log"
    log.write_text("resumed at step 0\nstep 100  loss 0.5000  mse 0.4  grad 1\n")
    losses = Losses(tmp_path)
    assert losses.of(["a" * 64]) == [(100, 0.5)]
    with log.open("a") as file:
        file.write("step 1,200  loss 2.5e-01  grad 1\nstep 1,300  loss ---  grad 1\n")
    (step, _), second, third = losses.of(["a" * 64])
    assert step == 100 and second == (1200, 0.25)
    assert third[0] == 1300 and math.isnan(third[1])
    assert losses.of(["b" * 64]) == []


def test_a_cell_is_done_when_all_that_is_measured_of_it_is(study: Path) -> None:
    plan = make_plan(load_study(study))
    seen = {key: Seen("done") for key in plan.stages}
    whole = grid(plan, seen)
    assert whole.steps == (3, 6)
    assert {cell for row in whole.cells.values() for cell in row.values()} == {("done", None)}
    train = next(s for s in plan.stages.values() if s.kind == "train")
    last = [s.key for s in plan.stages.values() if s.kind == "evaluate" and s.run == train.run][-1]
    seen[last] = Seen("running", None, "", {"done": 3, "total": 4})
    assert list(grid(plan, seen).cells[train.run or 0].values()) == [
        ("done", None),
        ("running", 0.75),
    ]
    seen[train.key] = Seen("failed")
    assert grid(plan, seen).cells[train.run or 0][3] == ("failed", None)


@pytest.mark.parametrize(("width", "height"), [
    (40, 12), (80, 24), (200, 60), (80, 8), (39, 6), (80, 3), (25, 2), (10, 1),
])  # fmt: skip
def test_it_fits_the_terminal_and_says_what_matters(study: Path, width: int, height: int) -> None:
    root = study.parent / "results"
    train, other = stages(study, "train")[0], stages(study, "train")[2]
    ledger, _ = tried(root, train, "step 1  loss 0.9\nstep 2  loss 0.1234\n")
    ledger.claim(train.key)
    ledger.tell({train.key: {"done": 2, "total": 3, "unit": "steps"}})
    _, failing = tried(root, other, "oh\n")
    ledger.end(failing, "failed", "killed", "its worker was killed by SIGKILL")
    opened = common.open_study(_arguments(study, root))
    shown = seen.look(opened)
    out = io.StringIO()
    console = Console(file=out, width=width, height=height, force_terminal=False)
    console.print(Screen(opened).draw(opened, shown, width, height))
    text = out.getvalue()
    lines = text.rstrip("\n").splitlines()
    assert max(map(len, lines)) <= width and len(lines) <= height
    assert "failed: 1: killed"[: width - 1] in text and ("67%" in text or width < 80 or height < 24)
    if height == 12:
        assert "loss" in text, "the grid has room"
    if width >= 80 and height >= 24:
        assert "0.1234" in text and "█▁" in text and "2 of 3 steps" in text and "✗" in text
    ledger.leave()


def test_without_these_characters_it_is_plain(study: Path) -> None:
    opened = common.open_study(_arguments(study, study.parent / "results"))
    out = io.StringIO()
    console = Console(file=out, width=80)
    console.print(Screen(opened, unicode=False).draw(opened, seen.look(opened), 80, 24))
    assert out.getvalue().isascii()


@pytest.mark.slow
def test_on_a_terminal_it_stays_until_nothing_runs(study: Path) -> None:
    root = study.parent / "results"
    train = stages(study, "train")[0]
    ledger, attempt = tried(root, train, "step 1  loss 0.5\n")
    ledger.claim(train.key)
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    command = [sys.executable, "-m", "harness", "status", "tiny.yaml", "--watch"]
    watching = subprocess.Popen(command, cwd=study.parent, stdin=child, stdout=child, stderr=child)
    os.close(child)
    read = b""

    def follow() -> None:
        nonlocal read
        while True:
            try:
                piece = os.read(parent, 4096)
            except OSError:
                return
            if not piece:
                return
            read += piece

    reader = threading.Thread(target=follow)
    reader.start()
    until = time.monotonic() + 300
    while b"tiny (laptop)" not in read and time.monotonic() < until:
        time.sleep(0.1)
    assert watching.poll() is None, read.decode(errors="replace")
    ledger.end(attempt, "stopped", "stopped", None)
    ledger.release(train.key)
    ledger.leave()
    assert watching.wait(60) == 0
    reader.join(10)
    text = read.decode()
    assert "Traceback" not in text and "nothing of it runs now" in text


def _arguments(study: Path, root: Path) -> Any:
    import argparse

    return argparse.Namespace(
        study=str(study), profile=None, overrides=[], results=str(root), only=[], skip=[]
    )
