"""Damage anywhere: each kind of file under results/, each kind of damage, then every verb.

None ends with a traceback, shows a wrong number or loses a committed one; `run` repairs what was
damaged, or names the file.
"""

from __future__ import annotations

import builtins
import contextlib
import io
import os
import shutil
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from in_process import here_alone
from unpacking import extract
from verbs import Said

from harness import load_results
from harness.cli import main
from harness.store import Store, compaction, records

KEPT = Path(__file__).parents[1] / "data" / "frozen" / "results"
DAMAGES = ("truncated to 0", "truncated by half", "one byte flipped", "removed", "unreadable")
DAMAGES = (*DAMAGES, "replaced by a folder")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study and its whole results: with records of every form, claims, scratch, SLURM's."""
    folder = tmp_path_factory.mktemp("kept")
    with tarfile.open(KEPT / "results.tar.xz") as tar:
        extract(tar, folder)
    text = (KEPT / "kept.yaml").read_text()
    whole = "[headline, gflops, training, samples, models, guidance, provenance]"
    assert whole in text  # the other sections see nothing but frames, which are compared below
    (folder / "kept.yaml").write_text(text.replace(whole, "[samples, failures, provenance]"))
    root = folder / "results"
    shutil.rmtree(root / "records" / "metrics")
    shutil.rmtree(first("artifacts/evaluate/*")(root))  # made again, it keeps its features
    records.reconcile(Store(root))  # as fragments of today
    compaction._compact(root, "runs", 0)
    here = Path.cwd()
    os.chdir(folder)
    try:
        with pytest.MonkeyPatch.context() as patch:
            here_alone(patch)
            assert main(["run", "kept.yaml", "--no-report"]) == 0
    finally:
        os.chdir(here)
    # `run` has compacted all of it: fragments again, as a run that goes on leaves them
    for path in (root / "records" / "metrics").iterdir():
        path.unlink()
    records.reconcile(Store(root))
    return folder


@pytest.fixture
def study(kept: Path, tmp_path: Path) -> Path:
    shutil.copytree(kept / "results", tmp_path / "results")
    shutil.copy(kept / "kept.yaml", tmp_path)
    return tmp_path / "kept.yaml"


def first(pattern: str, number: int = 0) -> Callable[[Path], Path]:
    return lambda root: sorted(root.glob(pattern))[number]


FILES: dict[str, Callable[[Path], Path]] = {
    "manifest of an evaluation": first("artifacts/evaluate/*/manifest.json"),
    "manifest of a training": first("artifacts/train/*/manifest.json"),
    "manifest of samples": first("artifacts/sample/*/manifest.json"),
    "weights": first("artifacts/train/*/ema.safetensors"),
    "samples": first("artifacts/sample/*/*.npz"),
    "reference": first("artifacts/reference/*/reference.npz"),
    "latents": first("artifacts/encode/*/latents/shard-*.npy"),
    "features of an evaluation": first("artifacts/evaluate/*/features.npz"),
    "rows of an evaluation": first("artifacts/evaluate/*/record.json"),
    "rows of a training": first("artifacts/train/*/record.json"),
    "record": first("records/metrics/*.json", 2),
    "compacted records": first("records/runs/compact.*.parquet"),
    "list of compacted keys": first("records/runs/compact.*.keys"),
    "study's file": first("studies/*.json"),
    "ledger entry": first("attempts/*/*.json"),
    "log": first("logs/*/*"),
}
BESIDE: dict[str, Callable[[Path], Path]] = {
    "state of a training": first("artifacts/train/*/state.safetensors"),
    "manifest of a reference": first("artifacts/reference/*/manifest.json"),
    "trained extractor": first("artifacts/reference/*/extractor.safetensors"),
    "manifest of latents": first("artifacts/encode/*/manifest.json"),
    "index of latents": first("artifacts/encode/*/latents/index.json"),
    "manifest of a floor": first("artifacts/floor/*/manifest.json"),
    "rows of a ceiling": first("artifacts/ceiling/*/record.json"),
    "rows of an operation count": first("artifacts/complexity/*/record.json"),
    "name of an imported checkpoint": first("checkpoints/*.json"),
    "environment": first("environments/*.json"),
}

READING: tuple[tuple[str, ...], ...] = (
    ("plan", "kept.yaml"),
    ("status", "kept.yaml"),
    ("report", "kept.yaml"),
    ("logs", "complexity", "kept.yaml"),
    ("du",),
    ("prune", "kept.yaml"),
    ("export", "--study", "kept.yaml", "--light", "light.tar.gz"),
    ("merge", "results", "--results", "other"),
    ("fingerprint", "kept.yaml", "--contents"),
    ("forget", "kept.yaml", "train"),
)
CHANGING: tuple[tuple[str, ...], ...] = (
    ("retry", "kept.yaml"),
    ("cancel", "kept.yaml"),
    ("run", "kept.yaml"),
)


@contextlib.contextmanager
def damaged(path: Path, how: str) -> Iterator[None]:
    """The file, so damaged; readable again afterwards."""
    data = path.read_bytes()
    if how == "truncated to 0":
        path.write_bytes(b"")
    elif how == "truncated by half":
        path.write_bytes(data[: len(data) // 2])
    elif how == "one byte flipped":
        at = len(data) // 2
        path.write_bytes(data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :])
    elif how == "removed":
        path.unlink()
    elif how == "replaced by a folder":
        path.unlink()
        path.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        if how == "unreadable":
            _forbid(patch, path)
        yield


def _forbid(patch: pytest.MonkeyPatch, path: Path) -> None:
    """Opening the file to read fails, as it does for another user; root may read all."""
    inode = path.stat().st_ino

    def refuse(opens: Callable[..., Any]) -> Callable[..., Any]:
        def call(file: Any, *args: Any, **kwargs: Any) -> Any:
            if isinstance(file, (str, Path)):
                with contextlib.suppress(OSError):
                    if os.stat(file).st_ino == inode:
                        raise PermissionError(13, "Permission denied", str(file))
            return opens(file, *args, **kwargs)

        return call

    patch.setattr(builtins, "open", refuse(builtins.open))
    patch.setattr(io, "open", refuse(io.open))
    patch.setattr(os, "open", refuse(os.open))


def a_dead_claim(root: Path) -> Path:
    """Of a process that was killed while it worked on what is done."""
    from harness.dispatch.ledger import Ledger

    key = first("artifacts/evaluate/*")(root).name
    child = os.fork()
    if child == 0:
        os._exit(0 if Ledger(root).claim(key) else 1)
    assert os.waitpid(child, 0)[1] == 0
    return next(path for path in (root / "claims").rglob("*") if path.is_file())


FILES["claim"] = a_dead_claim


def a_scratch_checkpoint(root: Path) -> Path:
    """Left by an attempt whose stage another one has finished."""
    whole = first("artifacts/train/*/state.safetensors")(root)
    path = root / "scratch" / whole.parent.name / "step-1" / whole.name
    path.parent.mkdir(parents=True)
    shutil.copy(whole, path)
    return path


FILES["scratch checkpoint"] = a_scratch_checkpoint


Numbers = dict[tuple[str, ...], float]


def numbers(root: Path) -> Numbers:
    """All that the records say, by what it is of."""
    found: Numbers = {}
    frames = load_results(root)
    for table, value in (("metrics", "value"), ("runs", "loss"), ("training", "loss")):
        frame = frames[table]
        names = ["key", *{"metrics": ["metric"], "runs": []}.get(table, ["step"])]
        assert not frame[names].duplicated().any()
        for row in frame[[*names, value]].to_dict("records"):
            found[(table, *(str(row[c]) for c in names))] = row[value]
    return found


def shown(verb: Said) -> Numbers:
    """The metrics that `results --csv` shows of the study."""
    code, out = verb("results", "kept.yaml", "--csv", "--table", "metrics")
    assert code == 0, out
    table = out[out.index("study,label") :].partition("\nnote: ")[0]  # notes follow, on stderr
    frame = pd.read_csv(io.StringIO(table))
    return {
        ("metrics", row["key"], row["metric"]): row["value"] for row in frame.to_dict("records")
    }


@pytest.fixture(scope="module")
def wanted(kept: Path) -> Numbers:
    return numbers(kept / "results")


# Each change passes one damage of every kind of FILES. `.ci/full` runs all, and those BESIDE.
CASES = [
    pytest.param(what, how, marks=[] if often and (i + j) % len(DAMAGES) == 0 else pytest.mark.full)
    for often, kinds in ((True, FILES), (False, BESIDE))
    for i, what in enumerate(kinds)
    for j, how in enumerate(DAMAGES)
]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("what", "how"), CASES)
def test_no_verb_fails_over_a_damaged_file(
    what: str,
    how: str,
    wanted: Numbers,
    study: Path,
    verb: Said,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here_alone(monkeypatch)
    monkeypatch.setattr("harness.report.typst_writer.pdf", lambda *_: b"%PDF")
    path = {**FILES, **BESIDE}[what](study.parent / "results")
    with damaged(path, how):
        for words in READING:
            code, said = verb(*words)
            assert code in (0, 1, 3) or path.name in said or str(path.parent) in said, said
        found = numbers(study.parent / "results")
        assert len(wanted) > 30 and found == wanted, "a committed number is lost, or wrong"
        assert numbers(study.parent / "other") == wanted, "merged, a number is lost, or wrong"
        seen = shown(verb)
        assert len(seen) > 10 and all(wanted[key] == value for key, value in seen.items())
        for words in CHANGING:
            code, said = verb(*words)
            assert code in (0, 3) or path.name in said or str(path.parent) in said, said
        repaired = numbers(study.parent / "results")
    assert repaired.keys() == wanted.keys()
    assert repaired == pytest.approx(wanted, rel=1e-3, nan_ok=True)  # what was made again, too
