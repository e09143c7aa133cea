"""What is compared in a report was measured alike; what is shown is all there is, and its own."""

from __future__ import annotations

import shutil
import subprocess

import pandas as pd
import pytest
from report_words import ALL, abstract, cells_of, parts, said

from harness.report.document import render


@pytest.mark.slow
def test_the_models_table_has_every_metric_of_the_compared_samples(make):
    """Neighbours belong to precision and recall, chunks to the score: no reason to lose them."""
    table = cells_of(make.report(make.frames(sizes=("S", "XL"), patches=(2,))), "tab-models")
    for name in ("FD ↓", "sFD ↓", "Class score ↑", "Prec. ↑", "Rec. ↑"):
        assert name in table["head"][-1]
    assert all("–" not in row for row in table["rows"])


@pytest.mark.slow
def test_guided_values_of_different_steps_are_not_averaged(make, monkeypatch):
    from harness.report import figures

    drawn = []
    draw = figures.guidance
    monkeypatch.setattr(
        figures, "guidance", lambda rows, *a: (drawn.append(rows), draw(rows, *a))[1]
    )
    scales = [(s, 3) for s in (1.0, 1.5, 2.0)]
    found = make.frames(sizes=("XL",), patches=(2,), guidance=scales, milestones=(1500,))
    once = said(make.report(found, ("guidance",)))
    rows = found["metrics"]
    guided = rows[rows["samples"] == 800]
    earlier = guided.assign(step=750, value=guided["value"] * 3)
    sparser = guided.assign(sampling_steps=10, value=guided["value"] * 5)
    found["metrics"] = pd.concat([rows, earlier, sparser], ignore_index=True)
    assert said(make.report(found, ("guidance",))) == once
    for one in drawn:
        assert one["value"].tolist() == drawn[0]["value"].tolist() and len(one) == 3
    assert "at step 1,500 (800 samples, 50 ancestral steps)" in once


@pytest.mark.slow
def test_decoded_values_of_different_steps_have_lines_of_their_own(make):
    found = make.frames(
        sizes=("S",), patches=(2,), decoders=("original", "ft-ema"), milestones=(1500,)
    )
    rows = found["metrics"]
    earlier = rows[rows["samples"] == 900].assign(step=750)
    found["metrics"] = pd.concat([rows, earlier], ignore_index=True)
    table = cells_of(make.report(found, ("decoders",)), "tab-decoders")
    assert [r[0] for r in table["rows"][:4]] == [
        "ft-ema, 750 steps",
        "original, 750 steps",
        "ft-ema, 1,500 steps",
        "original, 1,500 steps",
    ]
    assert all("–" not in row for row in table["rows"][:4])
    assert table["rows"][4][0].startswith("the paper's")


@pytest.mark.slow
def test_imported_checkpoints_of_unknown_steps_have_a_report(make):
    found = make.frames(sizes=("S", "B", "L"), patches=(8,), milestones=(1500,))
    for name in ("metrics", "runs"):
        unknown = {"step": pd.NA, "train_gflops": None, "seed": pd.NA, "recipe": pd.NA}
        found[name] = found[name].assign(**unknown, size=pd.NA, family="imported")
        types = {"step": "Int64", "seed": "Int64", "size": "string", "train_gflops": "float64"}
        found[name] = found[name].astype(types)
    text = said(make.report(found, ALL))
    assert "Mflops per forward pass" in text and "are measured by Fréchet distance" in text
    assert "at an unknown training step (1,000 samples" in text
    assert text.count("Quality was not measured at more than one training step") == 4


@pytest.mark.slow
def test_models_measured_against_different_references_are_not_compared(make):
    found = make.frames(sizes=("S", "B", "XL"), patches=(4, 2))
    rows = found["metrics"]
    other = (rows["patch_size"] == 4).fillna(False)
    rows.loc[other, ["reference_sha256", "floor"]] = ["9" * 64, 3.5]
    text = said(make.report(found, ("headline", "gflops", "sampling-compute")))
    assert "measured against two references" in text
    for claim in (
        "correlation of model",
        "The best model",
        "real images give",
        "power law",
        "ahead",
    ):
        assert claim not in text


@pytest.mark.slow
def test_real_images_are_counted_where_their_number_is_recorded(make):
    found = make.frames(sizes=("S", "B", "XL"), patches=(4,))
    rows = found["metrics"]
    rows.loc[rows["of"] == "floor", "samples"] = 2000
    text = said(make.report(found, ("headline", "gflops")))
    assert "2,000 real images score 0.900" in text and "2,000 real images give 0.900 (da" in text


@pytest.mark.slow
def test_fewer_real_images_than_samples_are_told_and_drawn_as_no_line(make):
    """Their distance is another number's: it would seem out of reach, or beaten."""
    found = make.frames(sizes=("S", "B", "XL"), patches=(4,))
    rows = found["metrics"]
    rows.loc[rows["of"] == "floor", "samples"] = 20
    text = said(make.report(found, ("headline", "gflops")))
    assert "20 real images give 0.900 (fewer than the samples, so no line)" in text
    assert "20 real images score 0.900, fewer than the samples and not to be compared" in text
    _, files = parts(make.report(found, ("gflops",)))
    assert "real images 0.9" not in files["fig-gflops.svg"].decode()


@pytest.mark.slow
def test_seeds_that_some_models_lack_are_not_claimed_for_all(make):
    found = make.frames(seeds=(0, 1, 2), sizes=("S", "B", "XL"), patches=(4,))
    rows = found["metrics"]
    lacking = rows["run"].fillna("").str.contains("-XL-4-2-")
    found["metrics"] = rows[~lacking]
    assert "with up to three training seeds" in abstract(make.report(found))


@pytest.mark.slow
def test_names_with_dollar_signs_are_names_in_figures_too(make):
    found = make.frames(sizes=("S", "B", "L"), patches=(8,), sweep=(4, 8))
    rows = found["metrics"]
    rows["model"] = rows["model"].map(lambda m: f"$\\frac$ {m}", na_action="ignore")
    rows["size"] = pd.Series(pd.NA, index=rows.index, dtype="string")
    _, files = parts(make.report(found, ("gflops", "sampling-compute")))
    assert "$\\frac$ DiT-micro-L/8" in files["fig-gflops.svg"].decode()


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("pdftotext"), reason="needs poppler's pdftotext")
def test_a_table_longer_than_a_page_goes_on_on_the_next(make, tmp_path):
    found = {name: make.empty(name, []) for name in ("runs", "metrics", "training")}
    facts = {"block": "adaln-zero", "image_size": 8, "params": 1e6, "tokens": 16, "gflops": 0.3}
    rows = [{**facts, "model": f"custom-{i}x32x4/2"} for i in range(120)]
    pdf = render(make.report(found, ("models",), complexity=rows), tmp_path / "long.pdf")
    out = subprocess.run(["pdftotext", "-layout", str(pdf), "-"], capture_output=True, text=True)
    pages = [p for p in out.stdout.split("\f") if "custom-" in p]
    assert len(pages) > 1 and all("Params" in p for p in pages)  # the head is repeated
    assert pages[0].count("custom-") < 80


@pytest.mark.slow
def test_the_papers_columns_say_how_long_the_paper_trained(make):
    found = make.frames(family="DiT", sizes=("XL",), patches=(2,), sweep=())
    assert "Table 3 at 400K steps" in said(make.report(found, ("models",)))
    changes = {"image_size": 512, "input_size": 64, "tokens": 1024}
    for name in ("metrics", "runs"):
        found[name] = found[name].assign(**changes).astype(dict.fromkeys(changes, "Int64"))
    text = said(make.report(found, ("models",), complexity=[]))
    assert "Table 3 at 3M steps" in text and "11.93" in text
    smaller = {"image_size": 128, "input_size": 16, "tokens": 64}  # the paper has no such network
    for name in ("metrics", "runs"):
        found[name] = found[name].assign(**smaller).astype(dict.fromkeys(changes, "Int64"))
    assert "the paper's counterpart" in said(make.report(found, ("models",), complexity=[]))


@pytest.mark.slow
def test_the_disc_of_a_system_is_as_large_as_its_own_network(make, monkeypatch):
    from harness.report import figures

    drawn = []
    draw = figures.systems
    seen = lambda rows, *a: (drawn.append(rows), draw(rows, *a))[1]  # noqa: E731
    monkeypatch.setattr(figures, "systems", seen)
    facts = {"image_size": 256, "params": 1e6, "tokens": 256, "model": "DiT-XL/2"}
    rows = [{**facts, "block": b, "gflops": g} for b, g in (("adaln-zero", 118.6), ("adaln", 99.0))]
    rows += make.unets()
    parts(make.report(complexity=rows, sections=("complexity",)))
    (one,) = drawn
    assert one.loc[one["transformer"], "gflops"].to_list() == [118.6]


@pytest.mark.slow
def test_values_of_one_model_against_two_references_are_never_pooled(make):
    """The same samples, measured against other images too, score twice as much there."""
    guided = [(scale, 3) for scale in (1.25, 1.5)]
    found = make.frames(sizes=("S", "B"), patches=(2,), guidance=guided, decoders=("ft-ema",))
    rows = found["metrics"]
    again = rows[rows["of"] == "samples"]
    again = again.assign(reference_sha256="9" * 64, value=2 * again["value"])
    found["metrics"] = pd.concat([rows, again], ignore_index=True)
    names = ("training", "training-compute", "models", "comparison", "guidance", "decoders")
    both = make.report(found, names, samples={})
    one = make.report(make.frames(sizes=("S", "B"), patches=(2,), guidance=guided,
                                  decoders=("ft-ema",)), names, samples={})  # fmt: skip

    def values(report, label, column):
        table = cells_of(report, label)
        told = [row for row in table["rows"] if str(row[0]).startswith("DiT-micro-S/2")]
        return {str(row[0]): row[column] for row in told}

    for label, column in (("tab-models", 7), ("tab-models", 8), ("tab-steps", 1)):
        (alone,) = values(one, label, column).values()
        mine = values(both, label, column)
        assert set(mine) == {f"DiT-micro-S/2 reference {n * 6}" for n in "f9"}, label
        assert mine["DiT-micro-S/2 reference ffffff"] == alone
        twice = float(mine["DiT-micro-S/2 reference 999999"]) / float(alone)
        assert twice == pytest.approx(2, rel=0.02)
    compared = [str(row[0]) for row in cells_of(both, "tab-comparison")["rows"]]
    assert sum("reference 999999" in name for name in compared) > 0
    text = said(both)
    assert "reference 999999 at scale 1" in text or "reference ffffff at scale 1" in text
    assert "reference ffffff reference ffffff" not in text
