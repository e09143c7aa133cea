"""Threads for two cores, skips that CI refuses to overlook, and the command line as users call it.

Fixtures import what they need when they are asked for: most tests need none of it.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tiny_study import Harness
    from verbs import Said

    from harness.plan.plan import Plan
    from harness.store import Store

for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # before torch is imported; see README, "Two cores"

# Without compiled files, each of a session's many processes would compile the harness, and pytest
# rewrite every assertion, anew: that is a third of the quick tests' time.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_configure(config: pytest.Config) -> None:
    """The processes of this session may come from one that has torch loaded (warm.py)."""
    del config
    import warm

    warm.begin_session()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests on a real SLURM mostly wait: they come first, in three processes with a cluster each.

    What is left out of a usual run is never quick: a `-m` on the command line replaces the one in
    pyproject.toml.
    """
    del config
    for item in items:
        if item.get_closest_marker("full") or item.get_closest_marker("benchmark"):
            item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: item.get_closest_marker("cluster") is None)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Garbage is collected less often: thousands of collected tests and the libraries stay, and to
    look through them again and again was a tenth of the suite's time."""
    del session
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config
) -> None:
    """Say aloud what was skipped and why, and what is slow and not marked so (CONTRIBUTING.md)."""
    del exitstatus, config
    for report in terminalreporter.stats.get("passed", []):
        if report.when == "call" and report.duration > 1 and "slow" not in report.keywords:
            terminalreporter.write_line(f"{report.duration:.1f} s, not slow: {report.nodeid}")
    for report in terminalreporter.stats.get("skipped", []):
        terminalreporter.write_line(f"skipped {report.nodeid}: {report.longrepr}")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """With HARNESS_NO_SKIPS set (CI), a skipped test fails the session."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    if os.environ.get("HARNESS_NO_SKIPS") and skipped and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A study small enough to run in a test: tiny.yaml in tmp_path."""
    from tiny_study import TINY

    path = tmp_path / "tiny.yaml"
    path.write_text(TINY)
    return path


@pytest.fixture
def verb(study: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Said:
    """verb("status", "tiny.yaml") in this process: its exit code, and all that it said."""
    import warm

    from harness.cli import main

    monkeypatch.chdir(study.parent)
    monkeypatch.setattr("sys.executable", warm.python())  # of its workers

    def call(*arguments: str) -> tuple[int, str]:
        capfd.readouterr()
        code = main(arguments)
        said = capfd.readouterr()
        assert "Traceback" not in said.err
        return code, said.out + said.err

    return call


@pytest.fixture
def harness(tmp_path: Path) -> Harness:
    """harness("run", "tiny.yaml") as a subprocess in tmp_path."""
    import warm

    def call(*arguments: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [warm.python(), "-m", "harness", *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=timeout,
            env={**os.environ, "PYTHONWARNINGS": "ignore"},
        )

    return call


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """kept.yaml beside its results, made by an earlier version. To be read; copy it to write."""
    frozen = Path(__file__).parent / "data" / "frozen" / "results"
    path = tmp_path_factory.mktemp("kept")
    from unpacking import extract

    with tarfile.open(frozen / "results.tar.xz") as tar:
        extract(tar, path)
    (path / "kept.yaml").write_bytes((frozen / "kept.yaml").read_bytes())
    return path


@pytest.fixture
def store(tmp_path: Path) -> Store:
    from harness.store import Store

    return Store(tmp_path / "results")


@pytest.fixture
def commit() -> Callable[..., str]:
    """commit(store, kind, "a", rows={"metrics": [...]}, payload=b"..."): the key."""
    from committed import commit

    return commit


@pytest.fixture
def done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """tiny.yaml with every stage committed and recorded, in the current folder."""
    from committed import all_done

    monkeypatch.chdir(tmp_path)
    return all_done(tmp_path)


@pytest.fixture
def two_sets(tmp_path: Path) -> list[str]:
    """Two npz files of 20 images of noise each."""
    import numpy as np

    paths = [tmp_path / f"{name}.npz" for name in ("samples", "reference")]
    for seed, path in enumerate(paths):
        rng = np.random.default_rng(seed)
        np.savez(path, rng.integers(0, 256, (20, 8, 8, 3), dtype=np.uint8))
    return [str(path) for path in paths]
