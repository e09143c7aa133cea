"""The `python` that forks is one: what it is given, what it gives back, and that it dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import warm


def call(
    *words: str, env: dict[str, str] | None = None, cwd: Path | None = None, told: str = ""
) -> tuple[int, str, str]:
    done = subprocess.run(
        [warm.python(), *words],
        env={**os.environ, **(env or {})},
        cwd=cwd,
        input=told,
        capture_output=True,
        text=True,
        timeout=300,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.slow
def test_it_has_torch_and_what_it_was_given(tmp_path: Path) -> None:
    code = (
        "import os, sys; print('torch' in sys.modules, os.getcwd(), sys.argv, os.environ['A'],"
        " os.environ.get('HOME'), sys.path[0] == '', sys.path[1], input(), os.getsid(0))"
    )
    given = {"A": "b c", "HOME": str(tmp_path), "PYTHONPATH": f"{tmp_path}:{os.getcwd()}"}
    code_, said, wrong = call("-c", code, "x y", env=given, cwd=tmp_path, told="told\n")
    assert (code_, wrong) == (0, "")
    assert said.startswith(f"True {tmp_path} ['-c', 'x y'] b c {tmp_path} True {tmp_path} told")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "status", "said"),
    [
        ("import sys; sys.exit(3)", 3, ""),
        ("import sys; sys.exit('no')", 1, "no\n"),
        ("raise SystemExit", 0, ""),
        ("import os; os.kill(os.getpid(), 9)", -signal.SIGKILL, ""),
        ("import atexit; atexit.register(lambda: print('last', file=__import__('sys').stderr))",
         0, "last\n"),
    ],
)  # fmt: skip
def test_its_end_is_that_of_its_code(code: str, status: int, said: str) -> None:
    assert call("-c", code) == (status, "", said)


@pytest.mark.slow
def test_an_error_has_its_traceback() -> None:
    status, _, said = call("-c", "1 / 0")
    assert status == 1 and said.endswith("ZeroDivisionError: division by zero\n")


@pytest.mark.slow
def test_a_module_is_run_with_its_folder_first(tmp_path: Path) -> None:
    status, said, _ = call("-m", "harness", "--version", cwd=tmp_path)
    assert status == 0 and said.startswith("harness ")
    status, _, said = call("-m", "harness", "plan", "nowhere.yaml", cwd=tmp_path)
    assert status == 2 and said == "error: nowhere.yaml: no such file\n"


@pytest.mark.parametrize("name", ["PYTHONHASHSEED", "OMP_NUM_THREADS"])
def test_what_is_read_at_the_start_begins_a_real_one(name: str) -> None:
    code = "import sys; print('torch' in sys.modules)"
    assert call("-c", code, env={name: "3"})[1] == "False\n"
    assert call("-S", "-c", code)[1] == "False\n"


@pytest.mark.slow
def test_who_kills_it_kills_its_process_and_a_signal_reaches_it() -> None:
    code = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: print("asked", flush=True))
print(os.getpid(), flush=True)
while True:
    time.sleep(0.01)
"""
    started = subprocess.Popen([warm.python(), "-c", code], stdout=subprocess.PIPE, text=True)
    assert started.stdout is not None
    child = int(started.stdout.readline())
    assert child != started.pid
    started.terminate()
    assert started.stdout.readline() == "asked\n"
    started.kill()
    assert started.wait() == -signal.SIGKILL
    until = time.monotonic() + 300
    while Path(f"/proc/{child}").exists() and time.monotonic() < until:
        time.sleep(0.01)
    assert not Path(f"/proc/{child}").exists()


@pytest.mark.slow
def test_an_interrupt_reaches_it_although_the_tests_ignore_theirs() -> None:
    code = "import time; print('begun', flush=True); time.sleep(900)"
    started = subprocess.Popen(
        [warm.python(), "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    assert started.stdout is not None and started.stdout.readline() == "begun\n"
    started.send_signal(signal.SIGINT)
    assert started.wait(300) != 0


@pytest.mark.slow
def test_what_it_starts_is_forked_too() -> None:
    code = (
        "import subprocess, sys; subprocess.run([sys.executable, '-c', "
        "\"import sys; print('torch' in sys.modules, sys.executable)\"])"
    )
    assert call("-c", code)[1] == f"True {warm.python()}\n"
    assert warm.python() != sys.executable
