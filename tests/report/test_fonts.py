"""What the page's face lacks is found elsewhere or named; long words break."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from harness.report import fonts
from harness.report.document import render


def test_characters_that_no_packaged_font_has_are_known():
    assert fonts.lacking({"a": ["Größe α Ω ± − ¹⁰ → ≤ Привет"]}) == set()
    assert fonts.lacking("拡散 🚀 model") == {"拡", "散", "🚀"}
    assert fonts.lacking("विस्तार अध्ययन 拡") == {"拡"}, "Devanagari is among typst's own"
    assert fonts.named({"拡"}) == "U+62E1 cjk unified ideograph-62e1"
    chosen, without = fonts.found({"\U000f0000"})  # private use: nobody's
    assert without == {"\U000f0000"} and not chosen


def test_long_words_get_places_to_break():
    word = "a_" * 60
    broken = fonts.breakable(f"short {word}")
    assert broken.replace("\u200b", "") == f"short {word}"
    assert max(len(piece) for piece in broken.replace("\u200b", " ").split()) <= 28
    assert fonts.breakable("an ordinary title of several words, long as it may be here") == (
        "an ordinary title of several words, long as it may be here"
    )


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("pdftotext"), reason="needs poppler")
def test_titles_in_any_script_and_of_any_length_stay_on_the_page(make, tmp_path, monkeypatch):
    from harness.report import typst_writer

    monkeypatch.setattr(typst_writer.fonts, "found", lambda characters: ([], characters))
    title = "拡散モデル 🚀 " + "_".join(["very_long_name"] * 9)
    report = make.report(
        make.frames(sizes=("S",), patches=(4,), sweep=()), ("provenance",), title=title,
        study="_".join(["study"] * 30),
    )  # fmt: skip
    pdf = render(report, tmp_path / "wild.pdf")
    text = subprocess.run(
        ["pdftotext", "-bbox", str(pdf), "-"], capture_output=True, check=True
    ).stdout.decode(errors="replace")
    spans = re.findall(r'xMin="([-\d.]+)" yMin="[-\d.]+" xMax="([-\d.]+)"', text)
    assert spans and all(float(a) > 20 and float(b) < 575 for a, b in spans)
    flat = re.sub(r"<[^>]*>|\s+", " ", text)
    assert "Characters that cannot be shown" in re.sub(r"\s+", " ", flat)
    assert "U+1F680" in flat and "rocket" in flat
