"""A report is written also where the study's file, or a component of it, is not available."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from moved_study import of_a_strangers_model
from verbs import Said

from harness.commands import report_as_run
from harness.store import studies
from harness.store.studies import Index


def numbers(html: str) -> set[str]:
    """The decimal numbers of a page's text."""
    return set(re.findall(r">\s*(-?\d+\.\d+)", html))


@pytest.mark.slow
def test_a_report_of_a_file_that_was_moved_is_the_same_and_one_without_a_component_has_its_numbers(
    moved: Index, verb: Said
) -> None:
    assert verb("report", "kept.yaml", "--report", "a.html")[0] == 0
    theirs = of_a_strangers_model(moved)
    Path("kept.yaml").unlink()
    code, said = verb("report", "kept", "--report", "b.html")
    assert code == 0 and "as it was run" in said
    whole = numbers(Path("a.html").read_text())
    assert numbers(Path("b.html").read_text()) == whole != set()
    code, said = verb("report", "theirs", "--report", "c.html")
    assert code == 0 and "report: c.html" in said
    page = Path("c.html").read_text()
    assert "it is as it was run" in page and theirs.study in page
    assert len(numbers(page) & whole) > len(whole) / 2
    assert verb("report", "theirs", "--figure", "x.png", "--report", "d.html")[0] == 2


@pytest.mark.slow
def test_what_was_kept_is_gathered_and_what_is_not_here_is_left_out(moved: Index) -> None:
    text = moved.text + "\n# a comment\n"
    sections = "report: {sections: [headline, somebodys, {name: gflops}]}"
    text = re.sub(r"(?m)^report: .*(\n  .*)*", sections, text)
    assert "somebodys" in text
    theirs = replace(moved, text=text)
    found = report_as_run.gather(Path("results"), theirs)
    assert found.sections == ["headline", "gflops"] and "Its section somebodys" in found.about
    beside = {phrase.split()[0] for phrase in found.missing}
    assert beside == {"floor", "ceiling", "subset"} and len(found.frames["metrics"]) > 4
    assert {row["model"] for row in found.complexity} <= {p.model for p in moved.runs}
    assert found.provenance["extractor"]
    assert {s.kind for s in found.spent} >= {"train", "evaluate"}
    assert all(s.kept and s.on_gpus == s.unknown == 0 for s in found.spent), "on a processor"


@pytest.mark.slow
def test_a_text_that_cannot_be_read_any_more_costs_its_words_alone(moved: Index) -> None:
    broken = replace(moved, text="study: [", study="kept")
    studies.write(Path("results"), broken)
    found = report_as_run.gather(Path("results"), broken)
    assert found.title == "kept" and "headline" in found.sections
    assert len(found.frames["metrics"]) > 4
