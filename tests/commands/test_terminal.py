"""Terminals without Unicode, 40 columns wide, closed by their reader, full; and mistyped words."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest

from harness.terminal import prepare  # noqa: F401  (registers the error handler)

KEPT = Path(__file__).parents[1] / "data" / "frozen" / "results"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """kept.yaml beside its results."""
    path = tmp_path_factory.mktemp("kept")
    with tarfile.open(KEPT / "results.tar.xz") as tar:
        tar.extractall(path, filter="data")
    (path / "kept.yaml").write_bytes((KEPT / "kept.yaml").read_bytes())
    return path


def harness(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "harness", *words],
        cwd=folder,
        capture_output=True,
        timeout=120,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize("verb", ["plan", "status", "results"])
@pytest.mark.parametrize(
    "environment",
    [{"PYTHONIOENCODING": "ascii", "LC_ALL": "C"}, {"COLUMNS": "40", "TERM": "dumb"}],
    ids=("ascii", "narrow"),
)
def test_a_verb_speaks_to_any_terminal(
    verb: str, environment: dict[str, str], folder: Path
) -> None:
    done = harness(folder, verb, "kept.yaml", **environment)
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    if "PYTHONIOENCODING" in environment:
        done.stdout.decode("ascii")


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [("report", "kept.yaml", "--report", "x.pdf"), ("logs", "train", "kept.yaml")],
    ids=("report", "logs"),
)
@pytest.mark.parametrize(
    "environment",
    [{"PYTHONIOENCODING": "ascii", "LC_ALL": "C"}, {"COLUMNS": "40", "TERM": "dumb"}],
    ids=("ascii", "narrow"),
)
def test_reports_and_logs_speak_to_any_terminal(
    words: tuple[str, ...], environment: dict[str, str], folder: Path
) -> None:
    done = harness(folder, *words, **environment)
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr


def test_evaluate_says_its_spread_in_ascii(folder: Path, tmp_path: Path) -> None:
    extractor = next(folder.glob("results/artifacts/reference/*/extractor.safetensors"))
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


@pytest.mark.parametrize("verb", [("plan", "--stages"), ("results", "--csv"), ("results",)])
def test_a_reader_who_has_enough_is_no_error(verb: tuple[str, ...], folder: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "harness", verb[0], "kept.yaml", *verb[1:]],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    said = process.stderr.read()
    assert process.wait(120) == 0 and said == b""


@pytest.mark.parametrize("verb", [("plan",), ("results", "--csv"), ("results",)])
def test_a_full_disk_behind_the_output_is_said_in_one_line(
    verb: tuple[str, ...], folder: Path
) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "harness", verb[0], "kept.yaml", *verb[1:]],
            cwd=folder,
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=120,
        )
    assert done.returncode == 2
    assert done.stderr == b"error: cannot write the output: No space left on device\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("rnu", "kept.yaml"), "there is no verb 'rnu' (did you mean run?)"),
        (("plan", "kept.yaml", "--proflie", "x"), "(did you mean --profile?)"),
        (("plan", "kept.yaml", "--wrokers=3"), "not understood: --wrokers=3"),
        (("plan", "kept.yaml", "surplus"), "not understood: surplus"),
        (("status",), "the following arguments are required: STUDY"),
    ],
)
def test_a_usage_error_says_what_is_near_and_the_verbs_own_usage(
    words: tuple[str, ...], said: str, folder: Path
) -> None:
    done = harness(folder, *words)
    text = done.stderr.decode()
    assert done.returncode == 2 and said in text and not done.stdout
    verb = "python -m harness" + ("" if words[0] == "rnu" else f" {words[0]}")
    assert text.startswith(f"usage: {verb} [")


@pytest.mark.parametrize("verb", ["plan", "status", "results", "run"])
def test_results_that_are_no_folder_are_named(verb: str, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name, why in (("file", "is a file"), ("link", "is a link to")):
        done = harness(folder, verb, "kept.yaml", "--results", str(tmp_path / name))
        text = done.stderr.decode()
        assert done.returncode == 2 and f"--results {tmp_path / name} {why}" in text, text


def test_reading_verbs_work_on_results_that_cannot_be_written(folder: Path, tmp_path: Path) -> None:
    """As root every file can be written: a folder whose place is taken cannot even then."""
    with tarfile.open(KEPT / "results.tar.xz") as tar:
        tar.extractall(tmp_path, filter="data")
    (tmp_path / "kept.yaml").write_bytes((KEPT / "kept.yaml").read_bytes())
    for name in ("reports", "studies"):
        (tmp_path / "results" / name).write_text("")
    for verb in ("plan", "status", "results"):
        done = harness(tmp_path, verb, "kept.yaml")
        assert done.returncode == 0, done.stderr
    done = harness(tmp_path, "report", "kept.yaml", "--report", "kept.pdf")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "kept.pdf").exists()
