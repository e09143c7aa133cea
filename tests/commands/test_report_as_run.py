"""A report is written also where the study's file, or a component of it, is not available."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from moved_study import of_a_strangers_model
from verbs import Said

from harness.commands import report_as_run
from harness.dispatch.ledger import Ledger, measured
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
    assert verb("report", "theirs", "--report", "plain")[0] == 0 and Path("plain").is_file()
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
    assert all(s.kept and s.unknown and not s.kept_gpu_hours for s in found.spent), "an old ledger"


@pytest.mark.slow
def test_gpus_and_energy_are_known_without_the_study(moved: Index) -> None:
    ledger, key = (
        Ledger(Path("results")),
        next(k for k, s in moved.stages.items() if s.kind == "train"),
    )
    begun = ledger.begin(key, "train", "train x")
    used = {"devices": 4, "joules": 3.6e6}
    ledger.end(measured(begun, {"used": used}), "again", at=begun.started + 1800)
    (train,) = [s for s in report_as_run.gather(Path("results"), moved).spent if s.kind == "train"]
    assert train.lost_gpu_hours == pytest.approx(2.0)
    assert (train.read, train.lost_kwh, train.kept_kwh) == (1, 1.0, None)


@pytest.mark.slow
def test_a_text_that_cannot_be_read_any_more_costs_its_words_alone(moved: Index) -> None:
    broken = replace(moved, text="study: [", study="kept")
    studies.write(Path("results"), broken)
    found = report_as_run.gather(Path("results"), broken)
    assert found.title == "kept" and "headline" in found.sections
    assert len(found.frames["metrics"]) > 4
