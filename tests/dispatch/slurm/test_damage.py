"""Damage to each file that SLURM's jobs leave, then every verb: no traceback, nothing lost."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tiny_study import TINY
from verbs import SBATCH, SLURM

from harness.cli import main
from harness.dispatch.ledger import Attempt
from harness.dispatch.slurm import state

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]

COMMANDS = {
    "sbatch": SBATCH,
    "squeue": "#!/bin/sh\ncat {0}/jobs 2>/dev/null || true\n",
    "scontrol": "#!/bin/sh\nexit 0\n",
    "sacct": "#!/bin/sh\nexit 1\n",
    "scancel": '#!/bin/sh\necho "$@" >> {0}/cancelled\n',
}
STUDY = ("tiny.yaml", *SLURM)
VERBS = (
    ("status", "tiny.yaml"),
    ("status", "tiny.yaml", "--json"),
    ("logs", "train", "tiny.yaml"),
    ("results", "tiny.yaml"),
    ("run", *STUDY, "--detach", "--allow-over-budget"),
    ("cancel", *STUDY),
)


@pytest.fixture(scope="module")
def submitted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """A study whose jobs are queued, one of which has begun; and its pretended SLURM."""
    folder = tmp_path_factory.mktemp("submitted")
    slurm = folder / "commands"
    slurm.mkdir()
    for name, text in COMMANDS.items():
        (slurm / name).write_text(text.format(slurm))
        (slurm / name).chmod(0o755)
    (folder / "tiny.yaml").write_text(TINY)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("PATH", f"{slurm}:{os.environ['PATH']}")
        assert main(("run", *STUDY, "--detach", "--allow-over-budget")) == 0
    root = folder / "results"
    one = first_training(root)
    assert one.batch
    state.write(root, one.batch, one.key, "running", 3.0, done=5, total=20, unit="steps")
    log = folder / one.log
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("2026-01-01 00:00:00 train\nstep 5  loss 1.0\n")
    (root / "slurm" / one.batch / f"7_{one.index}_0_log.err").write_text("srun: warning\n")
    (root / "slurm" / one.batch / "submit.tried").touch()
    yield folder, slurm


def first_training(root: Path) -> Attempt:
    found = [json.loads(path.read_text()) for path in root.glob("attempts/*/*.json")]
    return min((Attempt(**a) for a in found if a["kind"] == "train"), key=lambda a: a.key)


FILES: dict[str, Callable[[Path, Attempt], Path]] = {
    "packs": lambda batch, one: batch / "packs.jsonl",
    "about": lambda batch, one: batch / "batch.json",
    "script": lambda batch, one: batch / "submit.sh",
    "tried": lambda batch, one: batch / "submit.tried",
    "state": lambda batch, one: batch / "state" / f"{one.key}.json",
    "states": lambda batch, one: batch / "state",
    "printed": lambda batch, one: batch / f"7_{one.index}_0_log.err",
    "log": lambda batch, one: Path(one.log),
    "batch": lambda batch, one: batch,
}


def damage(path: Path, how: str) -> None:
    """Do to a file, or a folder where that makes sense, what disks and people do."""
    whole = path.read_bytes() if path.is_file() else b"{}"
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    if how == "folder":
        path.mkdir()
    elif how == "unreadable":  # to root no mode is; a link to itself is
        path.symlink_to(path)
    elif how != "removed":
        flipped = bytes([*whole[: len(whole) // 2], whole[len(whole) // 2] ^ 1]) if whole else b""
        cut = {"empty": b"", "half": whole[: len(whole) // 2]}
        path.write_bytes(cut.get(how, flipped + whole[len(flipped) :]))


@pytest.mark.parametrize("how", ["empty", "half", "flipped", "removed", "unreadable", "folder"])
@pytest.mark.parametrize("what", FILES)
def test_no_damaged_file_of_a_batch_ends_a_verb_or_submits_a_stage_twice(
    submitted: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    what: str,
    how: str,
) -> None:
    folder, slurm = submitted
    shutil.copytree(folder / "results", tmp_path / "results")
    (tmp_path / "tiny.yaml").write_text(TINY)
    one = first_training(tmp_path / "results")
    monkeypatch.chdir(tmp_path)
    damage(FILES[what](tmp_path / "results" / "slurm" / str(one.batch), one), how)
    monkeypatch.setenv("PATH", f"{slurm}:{os.environ['PATH']}")
    before = (slurm / "count").read_text()
    for verb in VERBS:
        code = main(verb)
        said = capfd.readouterr()
        assert code in (0, 1, 2, 3), said
        assert "Traceback" not in said.err + said.out, said.err
        if verb[0] == "run":
            assert code == 0 and "queued or running" in said.out + said.err, said
    assert (slurm / "count").read_text() == before, "a stage in the queue was submitted again"
