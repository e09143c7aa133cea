"""Grids of samples: one cell per model (Figure 7), or one row per model with its milestones."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping

import numpy as np
import pandas as pd
from PIL import Image

from harness import setting_names as words
from harness.errors import BadInput
from harness.models import zoo
from harness.report.blocks import Mosaic, Text, strong

TARGET = 96  # pixels per side that small images are enlarged to, by whole factors
THUMBNAIL = 64  # pixels per side at most, of pictures of a milestone
COLUMNS = 6  # milestones of a run that are shown, and recipes or models side by side
BESIDE = 4  # runs side by side that no row and no column tells apart
AXIS = re.compile(r"(?:^| )([\w.]+)=(.*?)(?= [\w.]+=|$)")  # of a run's label


def mosaic(
    samples: Mapping[str, np.ndarray], how: str = "", steps: Mapping[str, int] | None = None
) -> Mosaic:
    """Rows are patch sizes and columns are sizes where names tell them; `how` they were drawn.
    `steps`: of the runs' training, for the figure's CSV.

    Where runs differ in more, rows are models and columns recipes (or the other way round, where
    recipes are many); where that would be a sparse grid, every run stands under its own label. Of
    runs that differ in their seeds alone, the first is shown.
    """
    cells = {label: _check(label, images) for label, images in samples.items()}
    places = {label: _place(label) for label in cells}
    files: dict[str, bytes] = {}
    names = {}
    for i, (label, images) in enumerate(cells.items()):
        names[label] = f"samples-{i:03d}.png"
        files[names[label]] = _png(_montage(images))
    titles: dict[str, str] = {}
    if all(place is not None for place in places.values()):
        columns, rows = _by_size_and_patch(places, names)
    else:
        columns, rows, titles = _by_recipe(names) or _in_order(names)
    used = {c for _, line in rows for c in line if c}
    at = steps or {}
    data = [
        {"image": name, "run": label, "step": at.get(label), "samples": len(cells[label])}
        for label, name in names.items()
        if name in used
    ]
    enlarged = any(images.shape[1] < TARGET for images in cells.values())
    caption: list[Text] = [
        strong(f"Samples of {'every model' if len(cells) > 1 else next(iter(cells))}"),
        f" ({how})" if how else "",
        " from the same starting noise, sampling noise and labels" if len(cells) > 1 else "",
        "; pixels enlarged, not smoothed." if enlarged else ".",
    ]
    return Mosaic(
        label="fig-samples",
        columns=columns,
        rows=rows,
        images={name: data for name, data in files.items() if name in used},
        caption=caption,
        alt="Images drawn by each model from the same noise and labels: "
        + ", ".join(dict.fromkeys(" ".join(_named(label)).rstrip() for label in cells)),
        titles=titles,
        data=pd.DataFrame(data).astype({"step": "Int64"}),
    )


def strip(label: str, images: np.ndarray, caption: list[Text], alt: str, **facts: object) -> Mosaic:
    """One montage of images (n, H, W, C) under `fig-LABEL`, across half a page; `facts` of it stand
    in the figure's CSV."""
    name = f"{label}.png"
    return Mosaic(
        label=f"fig-{label}",
        columns=[""],
        rows=[("", [name])],
        images={name: _png(_montage(_check(label, images)))},
        caption=caption,
        alt=alt,
        wide=False,
        data=pd.DataFrame([{"image": name, **facts, "samples": len(images)}]),
    )


def milestones(strips: Mapping[str, Mapping[int, np.ndarray]], how: str = "") -> Mosaic:
    """One row per model: what it drew from the same noise at its milestones, step by step.

    strips: run label to step to images (n, H, W, C) uint8; `how` they were drawn. At most COLUMNS
    milestones of a run are shown, at even distances, its first and its last among them. Of runs
    that differ in their seeds alone, the first is shown.
    """
    files: dict[str, bytes] = {}
    lines: list[tuple[str, list[int], list[str | None]]] = []
    seen: dict[str, None] = {}  # in the order of the rows
    data: list[dict[str, object]] = []
    for label, of_run in strips.items():
        model = " ".join(_named(label)).rstrip()
        if model in seen:
            continue
        seen[model] = None
        steps = _spread(sorted(of_run), COLUMNS)
        cells: list[str | None] = []
        for step in steps:
            name = f"milestone-{len(files):04d}.png"
            images = _check(label, of_run[step])[: 4 if len(steps) < 5 else 3]
            files[name] = _png(_montage(np.stack([_thumbnail(image) for image in images])))
            data.append({"image": name, "run": label, "step": step, "samples": len(images)})
            cells.append(name)
        lines.append((model, steps, cells))
    columns, rows = _aligned(lines)
    first = next(iter(next(iter(strips.values())).values()))
    side = first.shape[1]
    sized = f"; shown at {THUMBNAIL} pixels a side" if side > THUMBNAIL else ""
    caption: list[Text] = [
        strong("Samples of each model as it is trained "),
        f"({how}): " if how else ": ",
        "the same starting noise, sampling noise and labels in every row and column",
        ", of the first seed" if len(seen) < len(strips) else "",
        f"{sized}.",
    ]
    return Mosaic(
        label="fig-milestones",
        columns=columns,
        rows=rows,
        images=files,
        caption=caption,
        alt="Images drawn from the same noise at each milestone by " + ", ".join(seen),
        upright=True,
        data=pd.DataFrame(data),
    )


def _aligned(
    lines: list[tuple[str, list[int], list[str | None]]],
) -> tuple[list[str], list[tuple[str, list[str | None]]]]:
    """Columns are steps where these are few in all; else a row's steps stand beside its name."""
    union = sorted({step for _, steps, _ in lines for step in steps})
    if len(union) <= COLUMNS:
        rows = [
            (name, [dict(zip(steps, cells, strict=True)).get(step) for step in union])
            for name, steps, cells in lines
        ]
        return [f"step {step:,}" for step in union], rows
    most = max(len(steps) for _, steps, _ in lines)
    wide: list[tuple[str, list[str | None]]] = []
    for name, steps, cells in lines:
        told = ", ".join(f"{step:,}" for step in steps)
        wide.append((f"{name} at {told}", [*cells, *[None] * (most - len(cells))]))
    return [f"milestone {i + 1}" for i in range(most)], wide


def _spread(steps: list[int], most: int) -> list[int]:
    """At most `most` of them at even distances in their order, the first and the last included."""
    if len(steps) <= most:
        return steps
    return [steps[round(i * (len(steps) - 1) / (most - 1))] for i in range(most)]


def _thumbnail(image: np.ndarray) -> np.ndarray:
    """(H, W, C) uint8, averaged down where it is larger than THUMBNAIL."""
    if image.shape[0] <= THUMBNAIL:
        return image
    picture = Image.fromarray(image.squeeze(2) if image.shape[2] == 1 else image)
    small = np.asarray(picture.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX))
    return small.reshape(THUMBNAIL, THUMBNAIL, image.shape[2])


def _by_size_and_patch(
    places: Mapping[str, tuple[str, int] | None], names: Mapping[str, str]
) -> tuple[list[str], list[tuple[str, list[str | None]]]]:
    first: dict[tuple[str, int], str] = {}
    for label, place in places.items():
        assert place is not None
        first.setdefault(place, names[label])
    order = list(dict.fromkeys(s for f in zoo.FAMILIES.values() for s in f.sizes))
    sizes = sorted({s for s, _ in first}, key=order.index)
    patches = sorted({p for _, p in first}, reverse=True)
    rows = [(f"patch {p}", [first.get((s, p)) for s in sizes]) for p in patches]
    return [f"size {s}" for s in sizes], rows


Placed = tuple[list[str], list[tuple[str, list[str | None]]], dict[str, str]]


def _by_recipe(files: Mapping[str, str]) -> Placed | None:
    """Models by recipes, whichever are few across; None for few runs, and a sparse grid."""
    found: dict[tuple[str, str], str] = {}
    for label, name in files.items():
        found.setdefault(_named(label), name)
    models, recipes = (list(dict.fromkeys(place[i] for place in found)) for i in (0, 1))
    if len(found) <= BESIDE or len(models) < 2 or 2 * len(found) < len(models) * len(recipes):
        return None
    if len(recipes) == 1 and len(models) > COLUMNS:  # a narrow column down many pages
        return None
    said = [recipe or "default" for recipe in recipes]
    if len(recipes) <= COLUMNS:
        return said, [(m, [found.get((m, r)) for r in recipes]) for m in models], {}
    if len(models) <= COLUMNS:
        rows = zip(said, recipes, strict=True)
        return models, [(word, [found.get((m, r)) for m in models]) for word, r in rows], {}
    return None


def _in_order(files: Mapping[str, str]) -> Placed:
    """Up to four runs side by side, each under its own label."""
    labels: dict[str, str] = {}
    for label, name in files.items():
        labels.setdefault(" ".join(_named(label)).rstrip(), name)
    across = min(len(labels), BESIDE)
    cells: list[str | None] = list(labels.values())
    rows = [cells[i : i + across] for i in range(0, len(cells), across)]
    titles = {name: label for label, name in labels.items()}
    if len(rows) == 1:
        return list(labels), [("", rows[0])], {}
    last = [*rows[-1], *[""] * (across - len(rows[-1]))]
    return [""] * across, [("", row) for row in [*rows[:-1], last]], titles


def _named(label: str) -> tuple[str, str]:
    """(model, recipe) of a run's label, in the words of tables: ("DiT-B/2", "lr 0.002, flow").

    The seed is no part of a recipe.
    """
    told = AXIS.search(label)
    if told is None:
        return label, ""
    said = [
        words.said(axis.rpartition(".")[2], _value(text))
        for axis, text in AXIS.findall(label[told.start() :])
        if axis != "seed"
    ]
    return label[: told.start()].strip(), ", ".join(said)


def _value(text: str) -> object:
    """A setting as a run's label has it."""
    try:
        return json.loads({"None": "null", "True": "true", "False": "false"}.get(text, text))
    except ValueError:
        return text


def _place(label: str) -> tuple[str, int] | None:
    """(size, patch) of a label that is a zoo name, perhaps with a seed; else None."""
    words = label.split()
    if not words or any(not w.startswith("seed=") for w in words[1:]):
        return None
    try:
        _, size, patch = zoo.parse(words[0])
    except zoo.UnknownModel:
        return None
    return size, patch


def _montage(images: np.ndarray) -> np.ndarray:
    """(n, H, W, C) to one image, four across (all across where there are more than eight)."""
    n, height, width, channels = images.shape
    factor = max(1, TARGET // height)
    images = images.repeat(factor, axis=1).repeat(factor, axis=2)
    height, width = height * factor, width * factor
    across = n if n < 4 else 4 if n <= 8 else 8
    down = -(-n // across)
    gap = max(2, height // 16)
    page = np.full(
        (down * height + (down - 1) * gap, across * width + (across - 1) * gap, channels),
        255,
        np.uint8,
    )
    for i in range(n):
        top, left = i // across * (height + gap), i % across * (width + gap)
        page[top : top + height, left : left + width] = images[i]
    return page


def _check(label: str, images: np.ndarray) -> np.ndarray:
    images = np.asarray(images)
    if images.ndim != 4 or images.dtype != np.uint8 or images.shape[3] not in (1, 3):
        raise BadInput(
            f"samples of {label!r} must be uint8 (n, H, W, 1 or 3), "
            f"not {images.dtype} {images.shape}"
        )
    if not len(images):
        raise BadInput(f"samples of {label!r} are empty: leave the run out instead")
    return images


def _png(page: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(page.squeeze(2) if page.shape[2] == 1 else page).save(out, "PNG", optimize=True)
    return out.getvalue()
