"""The page for the browser: one file, offline, opened in a real browser."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest

from harness.report.document import compose, save, save_parts
from harness.report.html_writer import html

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PROBE = """
<script>
const seen = [];
const heads = [...document.querySelectorAll("th button")];
const table = document.querySelector("#tab-models table") || document.querySelector("table");
const column = () => [...table.tBodies[0].rows].map((r) => r.cells[6].textContent);
const before = column();
const button = [...table.querySelectorAll("th button")][6];
button.click(); const rising = column();
button.click(); const falling = column();
for (const region of document.querySelectorAll(".scroll")) { region.focus();
  seen.push(document.activeElement === region); }
button.focus(); seen.push(document.activeElement === button);
document.getElementById("theme").click();
document.title = JSON.stringify({before, rising, falling, seen, heads: heads.length,
  theme: document.documentElement.dataset.theme,
  titles: document.querySelectorAll("svg use title").length,
  wide: document.documentElement.scrollWidth <= innerWidth,
  requests: performance.getEntriesByType("resource").length});
</script>
"""


@pytest.mark.slow
def test_the_page_asks_nobody_for_anything(make):
    report = make.report(make.frames(sizes=("S", "B", "XL"), patches=(4, 2), sweep=()))
    text = html(compose(report))
    for link in re.findall(r'(?:src|href)="([^"]*)"', text):
        assert link.startswith(("data:", "#")), link
    assert "url(http" not in text and "@import" not in text
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    for target in re.findall(r'href="#([^"]+)"', text):
        assert target in ids
    for figure in re.findall(r"<svg [^>]*>", text):
        assert re.search(r'aria-label="[^"]{20,}"', figure)
    assert all(re.search(r'alt="[^"]+"', image) for image in re.findall(r"<img [^>]*>", text))


@pytest.mark.slow
def test_what_a_user_wrote_is_text_in_the_page_too(make):
    wild = '<script>alert("x")</script> & "quotes" \'s'
    found = make.frames(sizes=("S",), patches=(4,), sweep=())
    text = html(compose(make.report(found, ("headline", "provenance"), title=wild, about=wild,
                                    provenance={wild: wild}, missing=[wild])))  # fmt: skip
    assert "<script>alert" not in text and text.count("&lt;script&gt;alert") >= 5


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
def test_a_browser_opens_it_without_an_error_or_a_request_and_the_keyboard_reaches_tables(
    make, tmp_path
):
    report = make.report(make.frames(sizes=("S", "B", "XL"), patches=(4, 2), sweep=(4, 8)))
    path = save(compose(report), tmp_path / "page.html", "html")
    path.write_text(path.read_text().replace("</body>", PROBE + "</body>"))
    done = subprocess.run(
        [
            CHROMIUM,
            *("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"),
            *(
                "--enable-logging=stderr",
                "--log-level=0",
                f"--user-data-dir={tmp_path / 'profile'}",
            ),
            *("--window-size=1200,900", "--dump-dom", path.as_uri()),
        ],
        capture_output=True,
        text=True,
        timeout=180,
    )
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    assert not console, console
    said = json.loads(re.search(r"<title>(.*?)</title>", done.stdout, re.S)[1])
    assert said["requests"] == 0 and all(said["seen"]) and said["wide"]
    numbers = [float(v) for v in said["rising"]]
    assert numbers == sorted(float(v) for v in said["before"])
    assert [float(v) for v in said["falling"]] == numbers[::-1]
    assert said["titles"] > 20 and said["theme"] in ("dark", "light")


@pytest.mark.slow
def test_every_figure_lies_beside_the_report_as_svg_and_its_numbers_as_csv(make, tmp_path):
    import pandas as pd

    found = make.frames(sizes=("S", "B", "XL"), patches=(4,), sweep=())
    made = save_parts(compose(make.report(found, ("gflops", "models"))), tmp_path / "study")
    names = {p.name for p in made}
    assert {"gflops.svg", "gflops.csv", "metrics.svg", "metrics.csv"} <= names
    frame = pd.read_csv(tmp_path / "study" / "gflops.csv")
    rows = found["metrics"]
    rows = rows[(rows["metric"] == "fd_glyphs_cnn") & (rows["step"] == 1500)]
    ours = frame[frame["label"].str.contains("micro")].set_index("label")["value"]
    for r in rows[rows["of"] == "samples"].to_dict("records"):
        assert ours[r["model"]] == pytest.approx(r["value"])
