"""What a report says, and that it says it of any study, finished or not."""

from __future__ import annotations

import dataclasses
import re
import shutil
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from report_words import ALL, abstract, parts, said, unseen_figures, words

from harness.components import Section, registry
from harness.errors import HarnessError
from harness.report import blocks as blocks_of
from harness.report.blocks import paragraph
from harness.report.document import compose, main_figure, render, save_parts
from harness.report.input import Grid
from harness.report.sections.samples import Samples


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("report")


def test_the_report_package_imports_neither_pandas_nor_matplotlib():
    code = "import sys, harness.report; print([m for m in ('pandas', 'matplotlib', 'torch') "
    code += "if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("pdftotext"), reason="needs poppler's pdftotext")
def test_the_pdf_opens_with_the_studys_own_headline_numbers(make, scratch):
    report = make.report()
    pdf = render(report, scratch / "new folder" / "scaling.pdf")
    text = subprocess.run(
        ["pdftotext", "-raw", str(pdf), "-"], capture_output=True, text=True, check=True
    ).stdout
    whole_words = re.sub(r"[-\u00ad\u2010]\n(?=[a-z])", "", text.split("\f")[0])
    first = re.sub(r"\s+", " ", whole_words)
    assert report.title.replace("'", "’") in first.replace("'", "’")
    final = report.frames["metrics"]
    final = final[(final["metric"] == "fd_glyphs_cnn") & (final["step"] == 1500)]
    final = final[(final["samples"] == 1000) & (final["of"] == "samples")]
    rank = final["gflops"].rank().corr(final["value"].rank())
    assert f"{rank:.2f}".replace("-", "−")[:5] in first
    assert f"{final['value'].min():.1f}" in first
    assert "Real images score 0.900" in first
    assert len(text.split("\f")) - 1 <= 5
    for section in ("Quality over training", "Samples", "Models", "Provenance"):
        assert section in text


@pytest.mark.slow
def test_two_renders_of_one_input_are_equal_byte_for_byte(make, scratch):
    found = make.frames(sizes=("S", "B"), sweep=())
    report = make.report(found, sections=("headline", "gflops", "samples", "provenance"))
    first = render(report, scratch / "a.pdf").read_bytes()
    assert first.startswith(b"%PDF")
    assert render(report, scratch / "b.pdf").read_bytes() == first
    later = dataclasses.replace(report, timestamp=1_800_000_000)
    assert render(later, scratch / "b.pdf").read_bytes() != first


@pytest.mark.slow
def test_another_extractors_metric_is_never_called_fid(make):
    found = make.frames(sizes=("S", "B"), patches=(4, 2), sweep=(4, 8))
    text = said(make.report(found, ALL, complexity=make.complexity(found) + make.unets()))
    assert "Fréchet distance (glyphs-cnn features)" in text
    # The paper's own numbers may be: where the paper, or its table or figure, is named.
    for sentence in re.split(r"(?<=[.:;]) ", text):
        if re.search(r"\bFID\b|Inception(?! Score's formula)", sentence):
            assert re.search(r"paper|Peebles|Table \d|DiT-[SBLX]|BigGAN|FID-50K", sentence), (
                sentence
            )
    assert "rows do not compare with the paper's: data and features differ." in text
    figures = parts(make.report(sections=("training-compute", "sampling-compute")))[1]
    assert figures and not any(b"FID" in svg for svg in figures.values())


@pytest.mark.slow
def test_inception_features_are_called_fid(make):
    found = make.frames(extractor="inception-2015", sizes=("S", "B"), patches=(4, 2))
    text = abstract(make.report(found))
    assert "are measured by FID of 1,000 samples each; lower is better" in text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("trend", "noise", "phrase"),
    [
        (1.0, 0.01, "those of more compute score better"),
        (0.0, 0.3, "undecided for these checkpoints"),
        (-1.0, 0.01, "those of more compute score worse"),
    ],
)
def test_the_words_follow_the_interval_of_the_correlation(make, trend, noise, phrase):
    text = abstract(make.report(make.frames(trend=trend, noise=noise)))
    assert phrase in text
    verdicts = ("score better", "score worse", "undecided")
    assert sum(v in text for v in verdicts) == 1


@pytest.mark.slow
def test_an_unfinished_study_says_so_first(make):
    missing = ["train DiT-micro-XL/2: failed", "evaluate DiT-micro-XL/2: not done yet"]
    document, _ = parts(make.report(missing=missing, sections=("headline", "models")))
    first = document["bands"][0]
    assert first["kind"] == "note" and first["title"] == "Unfinished."
    note = re.sub(r"\s+", " ", words(first))
    assert "Two parts of this study are not done" in note
    assert all(phrase in note for phrase in missing)
    many = [f"train model {i}" for i in range(30)]
    assert "and 22 more." in abstract(make.report(missing=many))
    assert "Unfinished" not in abstract(make.report())


@pytest.mark.slow
def test_sections_without_data_say_what_is_missing(make, scratch):
    none = {name: make.empty(name, []) for name in ("runs", "metrics", "training")}
    report = make.report(none, ALL, complexity=[], samples={}, provenance={})
    document, files = parts(report)
    assert files == {}
    text = words(document)
    for phrase in (
        "Nothing has been measured yet.",
        "No model has a measured quality yet",
        "Quality was not measured at more than one training step",
        "No model was sampled at more than one number of steps",
        "No samples are kept",
        "Nothing has been counted yet.",
        "No model was measured at more than one guidance scale.",
        "No model was decoded by more than one decoder.",
        "No provenance was recorded.",
    ):
        assert phrase in text
    assert render(report, scratch / "empty.pdf").stat().st_size > 1000
    assert main_figure(report, scratch / "no.png") is None and not (scratch / "no.png").exists()


@pytest.mark.slow
def test_one_run_at_one_step_is_a_report(make, scratch):
    found = make.frames(sizes=("S",), patches=(4,), milestones=(100,), sweep=())
    text = abstract(make.report(found))
    assert "One model of" in text and "correlation" not in text.lower()
    assert render(make.report(found), scratch / "one.pdf").stat().st_size > 1000


@pytest.mark.slow
def test_missing_and_nan_values_are_dashes_never_zeros(make):
    found = make.frames(sizes=("S", "B", "L"), patches=(4,), sweep=())
    metrics = found["metrics"]
    lost = (metrics["model"] == "DiT-micro-B/4") & (metrics["step"] == 1500)
    metrics.loc[lost & (metrics["metric"] == "recall_glyphs_cnn"), "value"] = np.nan
    metrics.loc[lost & (metrics["metric"] == "is_glyphs_cnn"), "value"] = np.inf
    found["metrics"] = metrics[~(lost & (metrics["metric"] == "sfd_glyphs_cnn"))]
    document, _ = parts(make.report(found, ("gflops", "models")))
    table = next(b for band in document["bands"] for s in band["sections"] for b in s["rest"])
    tables = [b for band in document["bands"] for s in band["sections"] for b in s["rest"]]
    table = next(b for b in tables if b["kind"] == "table")
    head = table["head"][-1]
    row = next(r for r in table["rows"] if r[0] == "DiT-micro-B/4")
    cells = dict(zip(head, row, strict=True))
    assert (cells["sFD ↓"], cells["Class score ↑"], cells["Rec. ↑"]) == ("–", "–", "–")
    assert float(cells["FD ↓"]) > 10


@pytest.mark.slow
def test_a_lost_primary_value_is_counted_and_left_out(make):
    found = make.frames(sizes=("S", "B", "L", "XL"), patches=(4,), sweep=())
    metrics = found["metrics"]
    lost = (metrics["model"] == "DiT-micro-B/4") & (metrics["metric"] == "fd_glyphs_cnn")
    metrics.loc[lost & (metrics["step"] == 1500), "value"] = np.nan
    text = said(make.report(found, ("gflops",)))
    assert "1 recorded row has no finite value and is left out." in text


@pytest.mark.slow
def test_several_seeds_have_spreads(make):
    found = make.frames(seeds=(0, 1, 2), sizes=("S", "B"), patches=(8, 4))
    text = said(make.report(found, ("headline", "gflops", "models", "samples")))
    assert "with three training seeds" in text
    assert "Means over 3 training seeds" in text and "± is half a 95% interval" in text
    assert re.search(r"DiT-micro-S/8 2 32 2 1 .*?\d+ ± \d+", text)


@pytest.mark.slow
def test_metrics_of_which_more_is_better_are_worded_so(make):
    found = make.frames(sizes=("S", "B", "L"), patches=(4, 2))
    rows = found["metrics"]
    found["metrics"] = rows[rows["metric"] == "is_glyphs_cnn"]
    text = abstract(make.report(found))
    assert "higher is better" in text and "score better" in text
    best = rows[(rows["metric"] == "is_glyphs_cnn") & (rows["samples"] == 1000)]["value"].max()
    assert "highest Class score, " in text and f"{best:.2f}" in text


@pytest.mark.slow
def test_every_section_is_drawn_for_the_papers_full_study(make, scratch):
    found = make.frames(
        family="DiT",
        extractor="inception-2015",
        sizes=("XL",),
        patches=(2,),
        blocks=("in-context", "adaln-zero"),
        milestones=(200_000, 400_000),
        sweep=(16, 64),
        guidance=[(s, c) for c in (3, None) for s in (1.0, 1.5, 3.0)],
        decoders=("original", "ft-ema"),
    )
    rows = make.complexity(found) + make.unets()
    report = make.report(found, ALL, complexity=rows)
    document, files = parts(report)
    text = words(document)
    assert {f"fig-{n}.svg" for n in ("blocks", "guidance", "systems", "sampling-compute")} <= set(
        files
    )
    for phrase in ("not measured", "Fewer than two", "No model was", "No samples", "Nothing"):
        assert phrase not in text
    assert "DiT-XL/2 adaln-zero, ft-ema" in text
    assert render(report, scratch / "full.pdf").stat().st_size > 20_000


@pytest.mark.slow
def test_counted_gflops_are_said_to_agree_only_where_they_do(make):
    none = {name: make.empty(name, []) for name in ("runs", "metrics", "training")}
    facts = {"block": "adaln-zero", "image_size": 256, "params": 1e6}
    rows = [
        {**facts, "model": "DiT-S/8", "tokens": 16, "gflops": 0.3580, "paper_gflops": 0.36},
        {**facts, "model": "DiT-XL/2", "tokens": 256, "gflops": 118.62, "paper_gflops": 118.64},
        {**facts, "model": "DiT-B/4", "tokens": 64, "gflops": 5.60, "paper_gflops": 5.56},
        {**facts, "model": "ADM-64", "tokens": None, "gflops": 109.7, "image_size": None},
    ]
    text = said(make.report(none, ("complexity",), complexity=rows))
    assert "2 of the 3 that the paper lists agree with it within 0.1%" in text
    assert "is 0.72% (DiT-B/4)" in text
    assert "ADM-64 – – 1.00 M 109.700 – – –" in text


@pytest.mark.slow
def test_what_a_user_wrote_is_never_markup(make, scratch):
    wild = '#panic("no") $x_1$ *bold* @ref <tag> \\ "quotes" [ ] { } `raw` // ∆'
    report = make.report(
        make.frames(sizes=("S",), patches=(4,), sweep=()),
        ("headline", "provenance"),
        title=wild,
        about=wild,
        study=wild,
        missing=[wild],
        provenance={wild: wild},
        samples={},
    )
    assert render(report, scratch / "wild.pdf").stat().st_size > 1000
    assert abstract(report).count(wild) == 4


@pytest.mark.slow
def test_a_records_frame_with_null_models_and_float_columns_is_read(make):
    """A floor's row has no model, which turns whole-number columns into floats."""
    found = make.frames(sizes=("S", "B"), patches=(4,), sweep=())
    assert found["metrics"]["patch_size"].isna().any()
    found["metrics"] = found["metrics"].astype({"patch_size": float, "step": float})
    text = said(make.report(found, ("headline", "training", "models")))
    assert "4.0" not in text and "1500.0" not in text


@pytest.mark.slow
def test_provenance_is_flattened_and_gaps_are_named(make):
    report = make.report(
        sections=("provenance",),
        provenance={
            "reference images": 8000.0,
            "recipe": {"learning_rate": 0.001, "steps": 1500},
            "training seeds": [0.0, 1.0],
            "commit": None,
        },
    )
    text = said(report)
    assert "reference images 8000 recipe learning rate 0.001 recipe steps 1500" in text
    assert "training seeds 0, 1 commit not recorded" in text


@pytest.mark.slow
def test_an_unknown_section_and_an_unwritable_path_are_told(make, tmp_path):
    with pytest.raises(HarnessError, match="unknown section 'novel'; there are: headline"):
        parts(make.report(sections=("novel",)))
    blocked = tmp_path / "file"
    blocked.write_text("")
    report = make.report(sections=("provenance",))
    with pytest.raises(HarnessError, match="cannot write the report"):
        render(report, blocked / "report.pdf")


@pytest.mark.slow
def test_the_main_figure_is_a_png(make, tmp_path):
    path = main_figure(make.report(make.frames(sweep=())), tmp_path / "deep" / "figure.png")
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_samples_lie_beside_the_report_as_figures_do(make, tmp_path):
    grid = Grid("class 7", 4.0, "DiT-S/2 at step 9", np.zeros((4, 8, 8, 3), np.uint8),
                run="DiT-S/2", step=9)  # fmt: skip
    report = make.report(
        make.frames(sizes=()), grids=[grid, dataclasses.replace(grid, guidance=1.0)],
        samples={"DiT-S/2": grid.images}, samples_steps={"DiT-S/2": 1500}, real=grid.images,
        real_how="images of glyphs",
    )  # fmt: skip
    blocks = Samples().blocks(SimpleNamespace(report=report))
    sections = [blocks_of.Section("samples", "Samples", blocks)]
    made = save_parts(blocks_of.Document("", "", "", "", 0, sections), tmp_path)
    names = {p.relative_to(tmp_path).as_posix() for p in made}
    for figure in ("samples", "real", "grid-1", "grid-2"):
        assert {f"{figure}.svg", f"{figure}.csv"} <= names
    assert {"samples/samples-000.png", "real/real.png", "grid-2/grid-2.png"} <= names
    frame = pd.read_csv(tmp_path / "samples.csv").set_index("run")
    assert frame.loc["DiT-S/2", "step"] == 1500
    (row,) = pd.read_csv(tmp_path / "grid-1.csv").to_dict("records")
    assert (row["run"], row["step"], row["guidance"]) == ("DiT-S/2", 9, 4.0)


@pytest.mark.slow
def test_a_figure_draws_the_same_bytes_after_others_were_drawn(make):
    one = make.report(make.frames(sizes=("S", "B"), sweep=()), sections=("training-compute",))
    first = parts(one)[1]["fig-training-compute.svg"]
    parts(make.report(make.frames(sizes=("S",)), sections=("gflops",)))
    assert parts(one)[1]["fig-training-compute.svg"] == first
    assert b"<dc:date>" not in first and b"STIX" not in first


@pytest.mark.slow
def test_pandas_frames_are_not_changed(make):
    report = make.report(make.frames(sizes=("S", "B"), patches=(4,)))
    before = report.frames["metrics"].copy(deep=True)
    parts(report)
    pd.testing.assert_frame_equal(report.frames["metrics"], before)


class Late(Section):
    """Somebody's section, which fails."""

    name = "late"
    title = "Late"
    ends: str = "raises"
    "How it goes wrong."

    def blocks(self, findings):
        if self.ends == "none":
            return None
        return self.some()

    def some(self):
        yield paragraph("What it said before.")
        if self.ends == "raises":
            raise KeyError("one\ntwo")
        yield 3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ends", "why"),
    [
        ("raises", "KeyError: 'one\\ntwo' (test_document.py:"),
        ("none", "TypeError: 'NoneType' object is not iterable"),
        ("garbage", "TypeError: 3 is not a block of harness.report.blocks"),
    ],
)
def test_a_strangers_section_that_fails_takes_no_other_with_it(make, ends, why):
    report = make.report(sections=("models", Late(ends=ends), "provenance"))
    with pytest.warns(UserWarning, match=f"section 'late' failed: {re.escape(why)}"):
        document = compose(report)
    assert [s.name for s in document.sections] == ["models", "late", "provenance"]
    (note,) = document.sections[1].blocks
    assert note.title == "This section could not be made" and why in note.spans[0]


@pytest.mark.slow
def test_an_error_in_a_section_of_ours_is_a_bug(make, monkeypatch):
    monkeypatch.setattr(registry.get("section", "study"), "blocks", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        compose(make.report(sections=("study",)))


@pytest.mark.parametrize(
    ("sections", "missing"),
    [
        (("abstract", "headline"), []),
        (("headline", "abstract"), ["train DiT-S/2: failed"]),
        pytest.param(("headline", "abstract"), [], marks=pytest.mark.slow),
        pytest.param(("abstract", "headline"), ["train S: failed"], marks=pytest.mark.slow),
    ],
)
def test_the_abstract_is_set_once_though_two_sections_have_it(make, sections, missing) -> None:
    found = make.frames(sizes=("S", "B"), patches=(4,), sweep=())
    with unseen_figures():
        report = make.report(found, sections=(*sections, "models"), missing=missing)
        document = compose(report)
    kinds = [type(block).__name__ for block in document.pieces()]
    assert kinds.count("Abstract") == 1 and kinds.count("Note") == bool(missing)
    assert "Table" in kinds
