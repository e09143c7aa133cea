"""The study's own text as an appendix: as it was, never markup."""

from __future__ import annotations

from report_words import parts, said

TEXT = "study: mine  # \\note $x$ <b>\nmatrix:\n  axes: {seed: [0, 1]}\n"


def test_the_text_is_set_as_it_is(make) -> None:
    made = make.report(make.frames(sizes=()), ("study",), text=TEXT, samples={})
    ((code,),) = [s["rest"] for band in parts(made)[0]["bands"] for s in band["sections"]]
    assert code == {"kind": "code", "text": TEXT, "wide": True}


def test_without_a_file_it_says_so(make) -> None:
    made = make.report(make.frames(sizes=()), ("study",), samples={})
    assert "The study's file is not available." in said(made)
