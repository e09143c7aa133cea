"""A pretended SLURM, and somebody's checkpoint."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from verbs import SBATCH

from harness.plan import make_plan
from harness.plan.index import index
from harness.spec import load_study
from harness.store import studies
from harness.store.studies import Index


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


@pytest.fixture
def official(tmp_path: Path) -> Path:
    """theirs.pt, a training checkpoint as the official code writes it."""
    import torch

    from harness.models import build

    torch.manual_seed(0)
    model = build(
        depth=3, width=32, heads=2, patch_size=4, input_size=8, channels=1, num_classes=10
    )
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    path = tmp_path / "theirs.pt"
    torch.save({"ema": model.state_dict(), "args": {"lr": 1e-4}}, path)
    return path


@pytest.fixture
def moved(kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Index:
    """A finished study's results, kept.yaml beside them, and what its `run` kept of it."""
    shutil.copytree(kept, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    found = index(make_plan(load_study("kept.yaml")))
    studies.write(Path("results"), found)
    return found
