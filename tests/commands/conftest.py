"""A study small enough to run in a test, the command line as a user calls it, a pretended SLURM."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_study import TINY, Harness
from verbs import SBATCH, Said

from harness.cli import main


@pytest.fixture
def study(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY)
    return path


@pytest.fixture
def harness(tmp_path: Path) -> Harness:
    """harness("run", "tiny.yaml") as a subprocess in tmp_path."""

    def call(*arguments: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "harness", *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=timeout,
            env={**os.environ, "PYTHONWARNINGS": "ignore"},
        )

    return call


@pytest.fixture
def verb(study: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Said:
    """verb("status", "tiny.yaml") in this process: its exit code, and all that it said."""
    monkeypatch.chdir(study.parent)

    def call(*arguments: str) -> tuple[int, str]:
        capfd.readouterr()
        code = main(arguments)
        said = capfd.readouterr()
        assert "Traceback" not in said.err
        return code, said.out + said.err

    return call


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """SLURM's commands, pretended: jobs are queued and stay so. Its folder."""
    folder = tmp_path / "slurm-commands"
    folder.mkdir()
    scripts = {
        "sbatch": SBATCH.format(folder),
        "squeue": f"#!/bin/sh\ncat {folder}/jobs 2>/dev/null || true\n",
        "scontrol": "#!/bin/sh\nexit 0\n",
        "sacct": "#!/bin/sh\nexit 1\n",
        "scancel": f'#!/bin/sh\necho "$@" >> {folder}/cancelled\n',
    }
    for name, text in scripts.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder
