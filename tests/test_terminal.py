"""Terminals without Unicode, 40 columns wide, closed by their reader, full."""

from __future__ import annotations

import errno
import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from terminals import forked

from harness import terminal
from harness.cli import main

VERBS = [
    *("plan kept.yaml", "status kept.yaml", "du", "explain"),
    *("prune kept.yaml", "fingerprint kept.yaml", "forget kept.yaml train", "validate kept.yaml"),
    *("run kept.yaml --dry-run", "retry kept.yaml --dry-run", "cancel kept.yaml", "--help"),
    *("logs train kept.yaml", "explain train.steps"),
]
# those that take longer, each with one terminal
COSTLY = [
    ("schema", "gone"),
    ("components", "ascii"),
    ("merge other --results results", "full"),
    ("results kept.yaml", "ascii"),
    ("results kept.yaml --csv", "gone"),
]
TERMINALS: dict[str, dict[str, Any]] = {
    "ascii": {"encoding": "ascii"},
    "narrow": {"columns": 40},
    "gone": {"out": "gone"},
    "full": {"out": "full"},
    "closed": {"out": "closed"},
}
PLAIN = {"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "COLUMNS": "40", "TERM": "dumb"}


def harness(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "harness", *words],
        cwd=folder,
        capture_output=True,
        timeout=300,
        env={**os.environ, **environment},
    )


@pytest.fixture(scope="module")
def imported() -> None:
    """What the verbs import, once for all their children."""
    import pandas  # noqa: F401
    import rich.table  # noqa: F401

    from harness.components import registry

    for verb in (*VERBS, *(words for words, _ in COSTLY)):
        name = verb.split()[0]
        if not name.startswith("-"):
            importlib.import_module(f"harness.commands.{name}")
    for entry in registry.entries():
        entry.load()


@pytest.fixture(scope="module")
def folder(kept: Path, tmp_path_factory: pytest.TempPathFactory, imported: None) -> Path:
    """kept.yaml beside its results, and another folder of the same."""
    path = shutil.copytree(kept, tmp_path_factory.mktemp("terminals") / "kept")
    shutil.copytree(path / "results", path / "other")
    return path


def check(words: str, name: str, folder: Path) -> None:
    ended = forked(words.split(), folder, **TERMINALS[name])
    said = ended.err.decode()
    assert "Traceback" not in said, f"{name}: {said}"
    assert ended.code == (2 if name == "full" else 0), f"{name}: {said}"
    if name in ("gone", "closed"):
        assert ended.err == b"", name
    if name == "full":
        assert said == "error: cannot write the output: No space left on device\n"
    if name == "ascii":
        assert ended.out.isascii() and ended.out


@pytest.mark.slow
@pytest.mark.parametrize("words", VERBS)
def test_a_verb_speaks_to_any_terminal(words: str, folder: Path) -> None:
    for name in TERMINALS:
        check(words, name, folder)


@pytest.mark.slow
@pytest.mark.parametrize(("words", "terminal"), COSTLY)
def test_a_verb_that_takes_longer_speaks_to_one(words: str, terminal: str, folder: Path) -> None:
    check(words, terminal, folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("export --study none.yaml x.tar", "none.yaml: no such file"),
        ("new kept.yaml", "kept.yaml is there already"),
        ("merge nowhere --results results", "nowhere"),
        ("results caf\u00e9.yaml", "caf"),
        ("plan kept.yaml --set title=\u5b66\u7fd2", ""),
    ],
)
def test_an_error_is_told_to_any_terminal(words: str, said: str, folder: Path) -> None:
    for name, given in TERMINALS.items():
        ended = forked(words.split(), folder, **given)
        assert b"Traceback" not in ended.err, name
        assert ended.code == (2 if said else 2 if name == "full" else 0), (name, ended.err)
        assert said in ended.err.decode(errors="replace"), name


@pytest.mark.parametrize(
    "words",
    [
        ("plan", "kept.yaml"),
        pytest.param(("report", "kept.yaml", "--report", "x.pdf"), marks=[pytest.mark.slow]),
    ],
    ids=lambda words: words[0],
)
def test_a_verb_speaks_to_a_narrow_terminal_without_unicode(
    words: tuple[str, ...], kept: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(kept, tmp_path / "copy")
    done = harness(folder, *words, **PLAIN)
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    assert done.stdout.decode("ascii")


@pytest.mark.slow
def test_evaluate_says_its_spread_in_ascii(kept: Path, tmp_path: Path) -> None:
    extractor = next(kept.glob("results/artifacts/reference/*/extractor.safetensors"))
    pixels = np.random.default_rng(0).integers(0, 256, (2, 12, 4, 4, 3), np.uint8)
    for name, images in zip("ab", pixels, strict=True):
        np.savez(tmp_path / f"{name}.npz", images)
    words = ("evaluate", "a.npz", "b.npz", "--extractor", "glyphs-cnn", "--device", "cpu")
    more = ("--weights", str(extractor), "--metrics", "fd", "--subsets", "3")
    done = harness(tmp_path, *words, *more, PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert b" +/- " in done.stdout


def test_letters_that_an_encoding_lacks_are_told_in_plain_ones() -> None:
    assert "3 ± 1 é → x │ 学".encode("ascii", "harness.plain") == b"3 +/- 1 e -> x | ?"
    assert "┏━┓┃ 5 µs".encode("latin-1", "harness.plain") == b"+-+| 5 \xb5s"  # which has its own
    with pytest.raises(UnicodeDecodeError):  # nothing is guessed of what is read
        b"\xff".decode("ascii", "harness.plain")


def test_only_a_lost_standard_output_is_taken_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk under a file of ours keeps its own error."""
    monkeypatch.setattr(terminal, "_silence", lambda: None)
    assert terminal.output_lost(BrokenPipeError()) == 0
    left = SystemExit(1)
    left.__context__ = BrokenPipeError()
    assert terminal.output_lost(left) == 0
    for other in (
        ValueError(),
        SystemExit(1),
        OSError(errno.EACCES, "no"),
        OSError(errno.ENOSPC, "full", "results/x"),
        OSError(errno.ENOSPC, "full"),  # and standard output can be written
    ):
        assert terminal.output_lost(other) is None, other


@pytest.mark.slow
def test_reading_verbs_work_on_results_that_cannot_be_written(
    kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As root every file can be written: a folder whose place is taken cannot even then."""
    folder = shutil.copytree(kept, tmp_path / "copy")
    monkeypatch.chdir(folder)
    for name in ("reports", "studies"):
        (folder / "results" / name).write_text("")
    for verb in ("plan", "status", "results"):
        assert main([verb, "kept.yaml"]) == 0
    assert main(["report", "kept.yaml", "--report", "kept.pdf"]) == 0
    assert (folder / "kept.pdf").exists()
