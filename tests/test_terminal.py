"""Terminals without Unicode, 40 columns wide, closed by their reader, full."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from harness import terminal
from harness.cli import main

PLAIN = {"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "COLUMNS": "40", "TERM": "dumb"}


def harness(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "harness", *words],
        cwd=folder,
        capture_output=True,
        timeout=120,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize(
    "words",
    [
        *[(verb, "kept.yaml") for verb in ("plan", "status", "results")],
        pytest.param(("report", "kept.yaml", "--report", "x.pdf"), marks=[pytest.mark.slow]),
        pytest.param(("logs", "train", "kept.yaml"), marks=[pytest.mark.slow]),
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


@pytest.mark.parametrize("verb", [("plan", "--stages"), ("results", "--csv"), ("results",)])
def test_a_reader_who_has_enough_is_no_error(verb: tuple[str, ...], kept: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "harness", verb[0], "kept.yaml", *verb[1:]],
        cwd=kept,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    said = process.stderr.read()
    assert process.wait(120) == 0 and said == b""


@pytest.mark.parametrize("verb", [("plan",), ("results", "--csv"), ("results",)])
def test_a_full_disk_behind_the_output_is_said_in_one_line(
    verb: tuple[str, ...], kept: Path
) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "harness", verb[0], "kept.yaml", *verb[1:]],
            cwd=kept,
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=120,
        )
    assert done.returncode == 2
    assert done.stderr == b"error: cannot write the output: No space left on device\n"


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
