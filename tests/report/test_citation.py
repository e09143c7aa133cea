"""Every report says how it is cited, as CITATION.cff says it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from report_words import said

from harness.report import citation
from harness.report.papers import papers_report

CFF = yaml.safe_load((Path(__file__).parents[2] / "CITATION.cff").read_text("utf-8"))


def test_the_harness_is_cited_as_its_citation_file_says():
    assert CFF["title"] == citation.TITLE
    assert CFF["authors"][0]["name"] == citation.AUTHORS


@pytest.mark.slow
def test_the_paper_that_is_reproduced_is_cited(make):
    doi = CFF["references"][0]["doi"]
    found = make.frames(sizes=("S",), patches=(4,), sweep=())
    text = said(make.report(found, ("provenance",))).replace("\u200b", "")
    assert f"{citation.TITLE} , version 0.1.0" in text and doi in text
    assert doi in said(papers_report()).replace("\u200b", "")
