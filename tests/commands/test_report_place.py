"""Reports of two results folders, or of `--set` variants, do not take each other's place."""

from __future__ import annotations

import argparse
import json
import os
import threading
from pathlib import Path

import pytest

from harness.cli import main
from harness.commands import common, report, report_place
from harness.commands.common import Opened
from harness.errors import BadInput
from harness.report.blocks import Document


@pytest.fixture(autouse=True)
def rendered(monkeypatch: pytest.MonkeyPatch, study: Path) -> None:
    """Here, and without typesetting."""
    monkeypatch.chdir(study.parent)
    monkeypatch.setattr(report, "gather", lambda opened: None)
    monkeypatch.setattr(report, "report_key", lambda opened: "key")
    document = Document("Tiny", "tiny", "laptop", "", 0, [])
    monkeypatch.setattr("harness.report.document.compose", lambda given: document)
    monkeypatch.setattr("harness.report.typst_writer.pdf", lambda *_: b"%PDF")
    monkeypatch.setattr("harness.report.document.save_parts", lambda *_: [])


def opened(*overrides: str, results: str = "results") -> Opened:
    given = argparse.Namespace(study="tiny.yaml", profile=None, overrides=list(overrides))
    given.results = results
    return common.open_study(given)


def written(capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    said = capsys.readouterr()
    (line,) = [line for line in said.out.splitlines() if line.startswith("report: ")]
    return line.removeprefix("report: "), said.err


def test_the_same_study_again_takes_its_own_place(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        report.write_report(opened(), again=True)
        assert written(capsys) == ("reports/tiny.pdf", "")


def test_another_results_folder_goes_beside_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    report.write_report(opened())
    written(capsys)
    for _ in range(2):
        report.write_report(opened(results="elsewhere/other"), again=True)
        path, said = written(capsys)
        assert path == "reports/tiny-other.pdf"
        assert "reports/tiny.pdf is the report of tiny (laptop) from results/" in said
    report.write_report(opened(), again=True)
    assert written(capsys) == ("reports/tiny.pdf", "")


def test_a_variant_goes_beside_under_a_name_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    report.write_report(opened("train.steps=9"))
    assert written(capsys) == ("reports/tiny.pdf", "")  # the place was free
    names = []
    for overrides in (["train.steps=12"], ["train.steps=12", "seed=1"], []):
        report.write_report(opened(*overrides), again=True)
        path, said = written(capsys)
        assert "is the report of tiny (laptop) --set train.steps=9 from results/" in said
        names.append(path)
    assert len({*names, "reports/tiny.pdf"}) == 4
    assert names[0].startswith("reports/tiny-set-")


def test_how_it_was_dispatched_makes_no_variant(capsys: pytest.CaptureFixture[str]) -> None:
    report.write_report(opened())
    report.write_report(opened("dispatch.workers=1", "title=Another"), again=True)
    assert capsys.readouterr().err == ""


def test_a_path_that_was_given_is_kept_to_and_what_it_replaces_is_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report.write_report(opened(), "mine.pdf")
    written(capsys)
    report.write_report(opened(results="other"), "mine.pdf", again=True)
    path, said = written(capsys)
    assert path == "mine.pdf" and "mine.pdf was the report of tiny (laptop) from results/" in said
    assert json.loads((Path("mine") / report_place.MADE).read_text())["results"] == "other"


def test_a_pipe_gets_one_report_each_time_and_is_never_read(
    capfd: pytest.CaptureFixture[str],
) -> None:
    os.mkfifo("pipe.pdf")
    for _ in range(2):
        got: list[bytes] = []
        reader = threading.Thread(target=lambda: got.append(Path("pipe.pdf").read_bytes()))  # noqa: B023
        reader.start()
        report.write_report(opened(), "pipe.pdf")
        reader.join(timeout=300)
        assert got == [b"%PDF"] and Path("pipe.pdf").is_fifo()
    assert capfd.readouterr().err.count("report: pipe.pdf\n") == 2


def test_standard_output_holds_the_report_alone(capfd: pytest.CaptureFixture[str]) -> None:
    report.write_report(opened(), "/dev/stdout")
    said = capfd.readouterr()
    assert said.out == "%PDF" and "report: /dev/stdout" in said.err


@pytest.mark.parametrize("content", ["", "[]", "{}", "not json"])
def test_a_damaged_note_of_what_it_was_made_of_is_passed_over(
    content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    report.write_report(opened())
    (Path("reports/tiny") / report_place.MADE).write_text(content)
    capsys.readouterr()
    report.write_report(opened(results="other"), again=True)
    assert written(capsys) == ("reports/tiny.pdf", "")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("folder", "is a folder: give a file in it"),
        ("link-to-folder", "is a folder"),
        ("file.txt/x.pdf", "file.txt is a file, and no folder"),
        ("loop.pdf", "Too many levels of symbolic links"),
        (f"{'x' * 260}.pdf", "ile name too long"),
        (f"{'x' * 126}\u00e9\u5b66.{'y' * 126}.pdf", "ile name too long"),
        (
            "tiny.yaml",
            r"what is written is not a .yaml file: name it with the ending .pdf or .html",
        ),
        ("x.docx", "what is written is not a .docx file"),
        ("mine", "--report mine: it has no ending: name it with the ending .pdf or .html"),
        ("-", "write /dev/stdout for standard output"),
    ],
)
@pytest.mark.parametrize("verb", ["report", "run"])
def test_a_path_where_no_report_can_be_is_refused_before_anything_is_done(
    verb: str, path: str, said: str, study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("folder").mkdir(exist_ok=True)
    Path("link-to-folder").symlink_to("folder")
    Path("loop.pdf").symlink_to("loop.pdf")
    for name in ("file.txt", "mine"):
        Path(name).write_text("mine")
    before = study.read_text()
    assert main([verb, "tiny.yaml", "--report", path]) == 2
    assert said in capsys.readouterr().err
    assert study.read_text() == before and Path("mine").read_text() == "mine"
    assert not Path("results").exists()


@pytest.mark.parametrize(
    "path",
    [
        "x.pdf",
        "new/folder/x.PDF",
        "x.html",
        "X.HTM",
        "noext",
        "dangling.pdf",
        "/dev/null",
        "/dev/stdout",
    ],
)
def test_a_path_where_one_can_be_is_taken(path: str) -> None:
    Path("dangling.pdf").symlink_to("elsewhere/x.pdf")
    report_place.check(path)
    report_place.check(None)


def test_a_report_of_before_without_an_ending_is_replaced() -> None:
    Path("report").write_bytes(b"%PDF-1.7")
    report_place.check("report")


def test_the_home_of_a_path_is_found(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A shell does it for `--report ~/x.pdf`, and not for `--report=~/x.pdf`."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert main(["report", "tiny.yaml", "--report=~/x.docx", "--results=~/r"]) == 2
    assert f"--report {tmp_path}/home/x.docx: " in capsys.readouterr().err


@pytest.mark.parametrize("given", ["reports/a.pdf", "deep/er/a.pdf", "link.pdf"])
def test_a_place_where_this_user_cannot_write_is_refused_with_what_to_do(
    given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As root, who may write everywhere, a test has to take the permission away by hand."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "closed" / "reports").mkdir(parents=True)
    (tmp_path / "link.pdf").symlink_to("closed/reports/a.pdf")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(BadInput, match=rf"{given}: no permission .*--report FILE.*--no-report"):
        report_place.check_writable(Path(given))
    report_place.check_writable(Path("/dev/null"))
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).is_dir())
    report_place.check_writable(Path(given))


def test_run_refuses_before_it_starts_where_its_report_cannot_be_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    may = os.access
    monkeypatch.setattr(os, "access", lambda path, *more: path != Path.cwd() and may(path, *more))
    assert main(["run", "tiny.yaml", "--executor", "local"]) == 2
    said = capsys.readouterr().err
    assert "report cannot be written to reports/tiny.pdf: no permission to write in" in said
    assert not Path("results/attempts").exists()
