"""A mosaic beside the report: its SVG, its images and the CSV of its cells."""

from __future__ import annotations

import base64
import io
import re
from xml.etree import ElementTree

import numpy as np
import pandas as pd
from PIL import Image

from harness.report.mosaic import milestones, mosaic, strip
from harness.report.mosaic_files import cells, files, svg


def images(value=0, n=4, size=8):
    return np.full((n, size, size, 3), value, np.uint8)


def written(block, folder):
    """The CSV as a person reads it, and the images that it names."""
    for name, data in files(block).items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
    (table,) = folder.glob("*.csv")
    return pd.read_csv(table)


def test_the_csv_says_which_image_is_of_which_model_and_step(tmp_path):
    samples = {f"DiT-{s}/{p}": images(i) for i, (s, p) in enumerate([("S", 2), ("S", 8), ("B", 2)])}
    frame = written(mosaic(samples, steps={"DiT-S/2": 400_000, "DiT-B/2": 300_000}), tmp_path)
    assert frame["row_name"].tolist() == ["patch 8", "patch 8", "patch 2", "patch 2"]
    assert frame["column_name"].tolist() == ["size S", "size B"] * 2
    assert frame["row"].tolist() == [1, 1, 2, 2] and frame["column"].tolist() == [1, 2, 1, 2]
    assert frame["run"].fillna("").tolist() == ["DiT-S/8", "", "DiT-S/2", "DiT-B/2"]
    for run, image, step in zip(frame["run"], frame["image"], frame["step"], strict=True):
        if isinstance(run, str):
            pixel = np.asarray(Image.open(tmp_path / image))[0, 0, 0]
            assert pixel == list(samples).index(run)
            assert step == {"DiT-S/2": 400_000, "DiT-B/2": 300_000}.get(run) or run == "DiT-S/8"
        else:
            assert pd.isna(image)
    assert ",400000," in (tmp_path / "samples.csv").read_text()  # whole, though one is not known


def test_milestones_and_strips_have_their_steps_and_facts(tmp_path):
    block = milestones({"DiT-S/2 seed=1": {5: images(5), 9: images(9)}, "DiT-B/2": {5: images()}})
    frame = written(block, tmp_path)
    assert frame["run"].fillna("").tolist() == ["DiT-S/2 seed=1"] * 2 + ["DiT-B/2", ""]
    assert frame["step"].tolist()[:3] == [5, 9, 5]
    for image, step in zip(frame["image"][:2], frame["step"][:2], strict=True):
        assert np.asarray(Image.open(tmp_path / image))[0, 0, 0] == step
    grid = strip("grid-1", images(n=9), [], "", run="DiT-XL/2", step=7, guidance=4.0)
    (row,) = cells(grid).to_dict("records")
    assert (row["image"], row["run"], row["step"]) == ("grid-1/grid-1.png", "DiT-XL/2", 7)
    assert row["guidance"] == 4.0 and row["samples"] == 9


def test_the_svg_holds_every_image_under_its_names_the_same_bytes_each_time():
    samples = {f"DiT-{s}/{p}": images(9) for s, p in [("S", 2), ("S", 8), ("XL", 2)]}
    drawn = svg(mosaic(samples))
    assert drawn == svg(mosaic(samples))
    root = ElementTree.fromstring(drawn)
    said = [t.text for t in root.iter("{http://www.w3.org/2000/svg}text")]
    assert said == ["size S", "size XL", "patch 8", "not sampled", "patch 2"]
    held = re.findall(r"base64,([^\"]+)", drawn.decode())
    assert len(held) == 3
    assert Image.open(io.BytesIO(base64.b64decode(held[0]))).size[0] > 8
    height = float(root.get("height").removesuffix("pt"))
    for image in root.iter("{http://www.w3.org/2000/svg}image"):
        assert float(image.get("y")) + float(image.get("height")) <= height + 0.01


def test_runs_under_their_own_labels_are_named_in_both_files():
    labels = [f"DiT-XL/2 train.learning_rate={n}" for n in range(5)]
    block = mosaic({label: images() for label in labels})
    frame = cells(block)
    assert frame["column_name"].tolist() == [f"DiT-XL/2 lr {n}" for n in range(5)]
    assert frame["run"].tolist() == labels  # three empty places at the end are no cells
    assert svg(block).count(b"DiT-XL/2 lr ") == 5 + 5  # above each image, and in the title
