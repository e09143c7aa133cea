"""A `python` whose torch is loaded already: most of a short process is the import of torch.

One server for a test session, whatever its number of workers. Tests of what an interpreter does
from its first line on (imports, hashes, encodings, terminals, kills) start one of their own.
"""

from __future__ import annotations

import atexit
import fcntl
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from warm_client import read_at_the_start

HERE = Path(__file__).parent


def begin_session() -> None:
    """Say where the session's server is to be found; its xdist workers inherit it."""
    if "HARNESS_TESTS_FORK_SERVER" in os.environ:
        return
    folder = Path(tempfile.mkdtemp(prefix="harness-warm-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["HARNESS_TESTS_FORK_SERVER"] = str(folder / "socket")
    os.environ["HARNESS_TESTS_PYTHON"] = str(folder / "python")
    os.environ["HARNESS_TESTS_STARTED_BY"] = sys.executable
    os.environ["HARNESS_TESTS_SESSION"] = str(os.getpid())
    os.environ["HARNESS_TESTS_FORKED_WITH"] = json.dumps(read_at_the_start())
    script = folder / "python"
    words = [sys.executable, "-IS", str(HERE / "warm_client.py"), sys.executable]
    script.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
    script.chmod(0o755)


def python() -> str:
    """The path of that `python`. The first that is run starts the server."""
    begin_session()
    return os.environ["HARNESS_TESTS_PYTHON"]


def start_server() -> None:
    """Once for all who ask."""
    place = Path(os.environ["HARNESS_TESTS_FORK_SERVER"])
    with open(place.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            _start(place)


def _start(place: Path) -> None:
    words = [os.environ["HARNESS_TESTS_STARTED_BY"], str(HERE / "warm_server.py"), str(place)]
    env = {**os.environ, "PYTHONPATH": str(HERE.parent)}  # each child takes its own instead
    env.pop("PYTHONWARNINGS", None)
    with open(place.with_suffix(".log"), "w") as log:
        server = subprocess.Popen(
            [*words, os.environ["HARNESS_TESTS_SESSION"]],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=HERE.parent,
            env=env,
            start_new_session=True,
        )
    until = time.monotonic() + 500  # torch is read; beside busy processes that takes minutes
    while not place.exists():
        ended = server.poll()
        said = place.with_suffix(".log").read_text()
        assert ended is None, f"the fork server ended with {ended}:\n{said}"
        assert time.monotonic() < until, f"the fork server does not answer:\n{said}"
        time.sleep(0.05)
