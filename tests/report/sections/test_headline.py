"""The report's first lines: what is not done comes before what is claimed."""

from __future__ import annotations

import pytest

from harness.report.blocks import Abstract, Note, plain
from harness.report.findings import find
from harness.report.sections.headline import Headline


def blocks(make, missing):
    found = make.frames(sizes=("S", "B"), patches=(2,), sweep=(), milestones=(1500,))
    return Headline().blocks(find(make.report(found, ("gflops",), missing=missing)))


@pytest.mark.slow
def test_a_finished_study_opens_with_its_abstract(make) -> None:
    (abstract,) = blocks(make, [])
    assert isinstance(abstract, Abstract)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("count", "first", "last"),
    [
        (1, "One part of this study is not done, and nothing below stands in for it: ", "part 0."),
        (2, "Two parts of this study are not done, and nothing below stands", "part 0; part 1."),
        (8, "Eight parts", "part 7."),
        (1011, "1,011 parts", "part 7; and 1,003 more."),
    ],
)
def test_what_is_not_done_comes_first_and_is_counted(make, count, first, last) -> None:
    note, abstract = blocks(make, [f"part {k}" for k in range(count)])
    assert isinstance(note, Note) and isinstance(abstract, Abstract)
    assert plain(note.spans).startswith(first) and plain(note.spans).endswith(last)
