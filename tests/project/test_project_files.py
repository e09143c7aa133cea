"""What is read before the code: the version, the licence, the citation, the changelog."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import harness
from harness.cli import parse
from harness.report.document import compose
from harness.report.papers import papers_report
from harness.report.typst_writer import fingerprint

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_version_stands_once_and_everything_agrees_with_it() -> None:
    assert "version" not in PROJECT and "version" in PROJECT["dynamic"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == harness.__version__
    released = re.findall(r"^## (\d\S*) \((\S+)\)$", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert released[0] == (harness.__version__, str(citation["date-released"]))


def test_the_citation_has_what_the_format_requires() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    assert citation["license"] == PROJECT["license"] == "Apache-2.0"


def test_the_licence_is_whole() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "Version 2.0, January 2004" in text and "END OF TERMS AND CONDITIONS" in text
    assert PROJECT["license-files"] == ["LICENSE"]


def test_links_between_the_projects_pages_lead_somewhere() -> None:
    dangling = []
    for page in [*ROOT.glob("*.md"), *ROOT.glob("studies/*.md"), *ROOT.glob("docs/**/*.md")]:
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
            made = (
                Path(target).parent.name == "reference"
            )  # by docs/made.py, when the site is built
            if "://" not in target and not made and not (page.parent / target).exists():
                dangling.append(f"{page.relative_to(ROOT)}: {target}")
    assert not dangling


def test_pre_commit_runs_what_ci_runs() -> None:
    """The hooks call the environment's own programs, so their versions are those of CI."""
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert repository["repo"] == "local"
    hooks = {hook["id"]: hook for hook in repository["hooks"]}
    assert all(hook["language"] == "system" for hook in hooks.values())
    assert {hook["entry"].split()[0] for hook in hooks.values()} == {"ruff", "mypy", "python"}
    pinned = (ROOT / "constraints.txt").read_text()
    assert "\nruff==" in pinned and "\nmypy==" in pinned


def test_issue_forms_can_be_read() -> None:
    for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"):
        form = yaml.safe_load(path.read_text())
        assert {"name", "description", "body"} <= form.keys(), path
        for field in form["body"]:
            assert field["type"] == "textarea" and field["attributes"]["label"], path


def test_issue_forms_ask_for_commands_as_they_are_typed() -> None:
    """`logs STUDY STAGE` stood there, and is refused: STAGE comes first."""
    said = "".join(p.read_text() for p in (ROOT / ".github").rglob("*.yml"))
    asked = re.findall(r"`python -m harness (\w+)((?: \S+)*)`", said)
    assert {verb for verb, _ in asked} == {"logs", "results"}
    for verb, written in asked:
        given = vars(parse([verb, *written.split()]))
        for name in re.findall(r"\b[A-Z]+\b", written):
            assert given[name.lower()] == name, f"{verb}{written}"


def test_the_program_that_is_installed_begins_where_it_is_said_to() -> None:
    (target,) = PROJECT["scripts"].values()
    code = f"import pkgutil, sys; sys.argv[1:] = ['--version']; pkgutil.resolve_name({target!r})()"
    for words in (["-c", code], ["-m", "harness", "--version"]):
        done = subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"harness {harness.__version__}\n"


@pytest.mark.slow
def test_the_papers_report_is_what_the_code_says_today() -> None:
    """It was stale for hours, and nobody saw it: a report is read by people who run nothing."""
    said = fingerprint(compose(papers_report()))
    assert f"sha256 {said}".encode() in (ROOT / "reports" / "paper.pdf").read_bytes(), (
        "reports/paper.pdf is of another state of the code; set it again, and look at it: "
        "python -m harness report paper --report reports/paper.pdf"
    )


def test_nothing_lies_at_the_top_that_does_not_belong_there() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:  # an unpacked sdist is no checkout
        found = {p.name for p in ROOT.iterdir() if not p.name.startswith(".")}
        assert {"harness", "studies", "tests"} <= found
        return
    folders = {name.split("/")[0] for name in listed.stdout.splitlines() if "/" in name}
    assert folders == {".ci", ".github", "docs", "harness", "reports", "results", "studies",
                       "tests"}  # fmt: skip
