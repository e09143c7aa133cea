"""Layout laws: no two texts of a figure overlap, nothing is clipped, no page is mostly blank."""

from __future__ import annotations

import itertools
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import matplotlib.colors
import numpy as np
import pytest
from PIL import Image

from harness.report import labels, palette, style
from harness.report.blocks import Cell, Table, plain
from harness.report.document import compose, save
from harness.report.papers import papers_report

SECTIONS = (
    *("headline", "gflops", "training", "training-compute", "sampling-compute", "samples"),
    *("claims", "factors", "loss", "models", "blocks", "complexity", "comparison", "method"),
    "provenance",
)


def texts(figure):
    """(text, box) of everything written in a figure that is drawn."""
    renderer = figure.canvas.get_renderer()
    found = []
    for axes in figure.axes:
        found += [axes.title, axes._left_title, axes._right_title, *axes.texts]
        for axis in (axes.xaxis, axes.yaxis):
            found += [axis.label, axis.offsetText]
            found += [t.label1 for t in axis._update_ticks() if t.label1.get_visible()]
    for legend in figure.legends:
        found += legend.get_texts()
    kept = [t for t in found if t.get_visible() and t.get_text().strip()]
    return [(t.get_text(), t.get_window_extent(renderer)) for t in kept]


def faults(figure):
    figure.draw_without_rendering()
    written = texts(figure)
    told = []
    for text, box in written:
        if box.x0 < -1 or box.y0 < -1 or box.x1 > figure.bbox.x1 + 1 or box.y1 > figure.bbox.y1 + 1:
            told.append(f"{text!r} is clipped: {box.extents.round()} of {figure.bbox.extents}")
    for axes in figure.axes:  # of labels and the floor's name; a panel's title is above it
        spots = labels.marks(axes)
        for note in axes.texts:
            box = note.get_window_extent(figure.canvas.get_renderer())
            over = [(x, y) for x, y in spots if box.x0 < x < box.x1 and box.y0 < y < box.y1]
            if over and note.get_text() and note.get_visible():
                told.append(f"{note.get_text()!r} covers {len(over)} marks")
    for (a, one), (b, two) in itertools.combinations(written, 2):
        wide = min(one.x1, two.x1) - max(one.x0, two.x0)
        high = min(one.y1, two.y1) - max(one.y0, two.y0)
        if wide > 1 and high > 1:
            told.append(f"{a!r} and {b!r} overlap by {wide:.0f} x {high:.0f} pixels")
    return told


def blank_bands(page):
    """Shares of the page that are blank in one band: (within it, the largest; at its end).

    page: (rows, columns) of grey values; running head and foot do not count, nor lone specks.
    """
    body = page[int(0.06 * len(page)) : int(0.93 * len(page))]
    ink = np.flatnonzero((body < 200).any(axis=1))
    if not len(ink):
        return 0.0, 1.0
    gaps = np.diff(np.r_[-1, ink]) - 1
    return float(gaps.max() / len(body)), float(1 - (ink[-1] + 1) / len(body))


def test_blank_bands_are_seen_within_a_page_and_at_its_end():
    page = np.full((1000, 10), 255)
    assert blank_bands(page) == (0.0, 1.0)
    page[60:100] = page[500:600] = 0  # body: rows 60 to 930
    within, end = blank_bands(page)
    assert within == pytest.approx(400 / 870) and end == pytest.approx(330 / 870)


def of_two_models(make):
    return make.frames(sizes=("S", "XL"), patches=(2,))


def of_blocks_and_image_sizes(make):
    import pandas as pd

    one = make.frames(sizes=("S", "XL"), patches=(4, 2), blocks=("in-context", "adaln-zero"))
    other = make.frames(sizes=("S", "XL"), patches=(4, 2), noise=0.2)
    for name in ("metrics", "runs"):
        frame = other[name]
        changed = frame.assign(image_size=16, run=frame["run"] + "-16")
        changed = changed.astype(frame.dtypes.to_dict())
        if name == "metrics":
            changed = changed[changed["of"] == "samples"]
        one[name] = pd.concat([one[name], changed], ignore_index=True)
    return one


def of_forty_models(make):
    import pandas as pd

    parts = []
    for i in range(10):
        found = make.frames(sizes=("S", "B"), patches=(4, 2), sweep=(4, 16), milestones=(500, 1500))
        for name in ("metrics", "runs"):
            frame = found[name]
            shape = f"-{4 + i}x{32 + 16 * i}x4/"
            found[name] = frame.assign(
                model=frame["model"].str.replace("/", shape, regex=False),
                run=frame["run"] + str(i),
                size=pd.Series(pd.NA, index=frame.index, dtype="string"),
                gflops=frame["gflops"] * (1 + 0.3 * i),
                value=frame["value"] * (1 - 0.04 * i) if "value" in frame else None,
            )[frame.columns]
        parts.append(found)
    first = parts[0]["metrics"]
    metrics = [p["metrics"][p["metrics"]["of"] == "samples"] for p in parts]
    return {
        "metrics": pd.concat([*metrics, first[first["of"] == "floor"]], ignore_index=True),
        "runs": pd.concat([p["runs"] for p in parts], ignore_index=True),
        "training": parts[0]["training"],
    }


def half_finished(make):
    found = make.frames()
    rows = found["metrics"]
    found["metrics"] = rows[~rows["size"].fillna("").isin(["L", "XL"]) | (rows["step"] == 375)]
    return found


def with_lost_values(make):
    found = make.frames(sizes=("S", "B", "L", "XL"), patches=(4, 2))
    rows = found["metrics"]
    rows.loc[(rows["size"] == "B").fillna(False), "value"] = np.nan
    rows.loc[(rows["size"] == "L").fillna(False) & (rows["step"] == 750), "value"] = np.inf
    return found


def the_papers_setting(make):
    return make.frames(family="DiT", extractor="inception-2015", milestones=(200_000, 400_000))


def in_the_papers_setting(make):
    found = the_papers_setting(make)
    alike = {"samples": 50_000, "sampling_steps": 250, "objective": "ddpm", "batch_size": 256,
             "learning_rate": 1e-4}  # fmt: skip
    rows = found["metrics"]
    rows = rows[rows["sampling_steps"].isna() | (rows["samples"] == 1000)]
    rows = rows.assign(std=rows["value"].astype(float) * 0.05)
    return {**found, "metrics": rows.assign(**alike).astype(rows.dtypes.to_dict())}


def of_three_recipes(make):
    import json

    import pandas as pd

    parts = []
    for i, dropout in enumerate((0.1, 0.0, 0.3)):
        found = make.frames(sizes=("S", "B", "L"), patches=(4,), seeds=(0, 1), noise=0.05 + i)
        for name in ("metrics", "runs"):
            found[name]["recipe"] = json.dumps({"label_dropout": dropout, "warmup_steps": 100})
            found[name]["run"] = found[name]["run"] + f"-{i}"
        parts.append(found)
    return {n: pd.concat([p[n] for p in parts], ignore_index=True) for n in parts[0]}


def of_two_rates(make):
    import pandas as pd

    parts = []
    for rate in (1e-3, 2e-3):
        found = make.frames(patches=(4, 2))
        for name in ("metrics", "runs"):
            found[name] = found[name].assign(
                learning_rate=rate, run=found[name]["run"] + f"-{rate}"
            )
        found["metrics"]["std"] = found["metrics"]["value"].astype(float) * 0.03
        parts.append(found)
    return {n: pd.concat([p[n] for p in parts], ignore_index=True) for n in parts[0]}


def of_two_designs(make):
    found = make.frames(patches=(4, 2), blocks=("adaln-zero", "in-context"))
    found["metrics"]["std"] = found["metrics"]["value"].astype(float) * 0.03
    return found


def beside_anothers(made):
    """The same study's values of another lab, of each setting, and of one that ours has not."""

    def against(make, monkeypatch):
        import pandas as pd

        from harness.report.against import read

        ours = made(make)["metrics"]
        theirs = ours.assign(value=ours["value"].astype(float) * 1.05, key=ours["key"] + "-theirs")
        third = theirs.assign(learning_rate=0.5, run=theirs["run"] + "-third")
        both = pd.concat([theirs, third], ignore_index=True)
        monkeypatch.setattr("harness.store.records.read_frames", lambda _: {"metrics": both})
        return read(Path(__file__).parent, "fd_glyphs_cnn", ours)

    return against


def of_some_that_did_not_learn(make):
    import pandas as pd

    found = make.frames()
    rows = found["metrics"]
    rows["std"] = rows["value"].astype(float) * 0.02
    fd = rows[rows["metric"].str.startswith("fd").fillna(False)]
    noise = fd.iloc[:1].assign(of="ceiling", value=150.0, std=0.5, key="noise")
    both = pd.concat([rows, noise.astype(rows.dtypes.to_dict())], ignore_index=True)
    return {**found, "metrics": both}


EACH = {  # kinds that each change has; `.ci/full` has all
    "default": lambda make: make.frames(),
    "forty models": of_forty_models,
    "the paper's setting": in_the_papers_setting,
    "two designs beside another's": of_two_designs,
    "the paper's own report": None,
}
KINDS = {
    **EACH,
    "two models": of_two_models,
    "blocks and image sizes": of_blocks_and_image_sizes,
    "half finished": half_finished,
    "lost values": with_lost_values,
    "three seeds": lambda make: make.frames(seeds=(0, 1, 2)),
    "the paper's networks": the_papers_setting,
    "three recipes": of_three_recipes,
    "some did not learn": of_some_that_did_not_learn,
    "two rates beside another's": of_two_rates,
}
ANOTHERS = {
    "two rates beside another's": beside_anothers(of_two_rates),
    "two designs beside another's": beside_anothers(of_two_designs),
}


@pytest.mark.parametrize(
    "kind",
    [pytest.param(k, marks=pytest.mark.slow if k in EACH else pytest.mark.full) for k in KINDS],
)
def test_no_texts_overlap_nothing_is_clipped_and_no_page_is_mostly_blank(
    make, monkeypatch, tmp_path, kind
):
    drawn, svg = [], style.svg
    monkeypatch.setattr(style, "svg", lambda figure: (drawn.append(figure), svg(figure))[1])
    made = KINDS[kind]
    report = make.report(made(make), SECTIONS, samples={}) if made else papers_report()
    if kind in ANOTHERS:
        theirs = ANOTHERS[kind](make, monkeypatch)
        report = replace(report, against=theirs, against_label="another lab's")
    document = compose(report)
    told = [f"figure {i}: {fault}" for i, figure in enumerate(drawn) for fault in faults(figure)]
    for block in document.pieces():
        if isinstance(block, Table):
            cells = [c.text if isinstance(c, Cell) else c for row in block.rows for c in row]
            if ("±" in plain(block.caption)) != any("±" in text for text in cells):
                told.append(f"{block.label} says what ± is, and has none; or the other way round")
    assert drawn and not told, "\n".join(told)
    if not shutil.which("pdftoppm"):
        return
    pdf = save(document, tmp_path / "report.pdf")
    subprocess.run(["pdftoppm", "-r", "30", "-gray", pdf, tmp_path / "page"], check=True)
    pages = [np.asarray(Image.open(p)) for p in sorted(tmp_path.glob("page-*.pgm"))]
    for number, page in enumerate(pages[:-1], 1):
        within, end = blank_bands(page)
        blank = f"{within:.0%} blank in one band, {end:.0%} at its end"
        assert within + end <= 0.4, f"page {number} of {len(pages)}: {blank}"


def test_sizes_and_blocks_are_told_apart_in_grey_and_share_no_colour():
    def grey(colour):
        return float(np.dot(matplotlib.colors.to_rgb(colour), (0.2126, 0.7152, 0.0722)))

    shades = [grey(c) for c in list(palette.SIZES.values())[:4]]
    assert shades == sorted(shades, reverse=True)
    assert min(a - b for a, b in itertools.pairwise(shades)) > 0.08
    assert not set(palette.SIZES.values()) & {*palette.OTHERS, *palette.BLOCKS.values()}
    markers = list(style.PATCH_MARKERS.values())
    assert len(set(markers)) == len(markers)
    assert len({str(d) for d in style.BLOCK_DASHES.values()}) == len(palette.BLOCKS)
