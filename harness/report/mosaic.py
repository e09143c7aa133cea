"""Grids of samples: one cell per model (Figure 7), or one row per model with its milestones."""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy as np
from PIL import Image

from harness.errors import BadInput
from harness.models import zoo
from harness.report.blocks import Mosaic, Text, strong

TARGET = 96  # pixels per side that small images are enlarged to, by whole factors
THUMBNAIL = 64  # pixels per side at most, of pictures of a milestone
COLUMNS = 6  # milestones of a run that are shown


def mosaic(samples: Mapping[str, np.ndarray], how: str = "") -> Mosaic:
    """Rows are patch sizes and columns are sizes where names tell them; `how` they were drawn.

    Of several runs of one model (seeds) the first is shown; where labels differ in anything else,
    every run has its own cell under its label.
    """
    cells = {label: _check(label, images) for label, images in samples.items()}
    places = {label: _place(label) for label in cells}
    files: dict[str, bytes] = {}
    names = {}
    for i, (label, images) in enumerate(cells.items()):
        names[label] = f"samples-{i:03d}.png"
        files[names[label]] = _png(_montage(images))
    if all(place is not None for place in places.values()):
        columns, rows = _by_size_and_patch(places, names)
    else:
        columns, rows = _in_order(names)
    used = {c for _, line in rows for c in line if c}
    enlarged = any(images.shape[1] < TARGET for images in cells.values())
    caption: list[Text] = [
        strong("Samples of every model "),
        f"({how}) " if how else "",
        "from the same starting noise, sampling noise and labels",
        "; pixels enlarged, not smoothed." if enlarged else ".",
    ]
    return Mosaic(
        label="fig-samples",
        columns=columns,
        rows=rows,
        images={name: data for name, data in files.items() if name in used},
        caption=caption,
        alt="Images drawn by each model from the same noise and labels: " + ", ".join(cells),
    )


def strip(label: str, images: np.ndarray, caption: list[Text], alt: str) -> Mosaic:
    """One montage of images (n, H, W, C) under `fig-LABEL`, across half a page."""
    name = f"{label}.png"
    return Mosaic(
        label=f"fig-{label}",
        columns=[""],
        rows=[("", [name])],
        images={name: _png(_montage(_check(label, images)))},
        caption=caption,
        alt=alt,
        wide=False,
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
    for label, of_run in strips.items():
        model = " ".join(word for word in label.split() if not word.startswith("seed="))
        if model in seen:
            continue
        seen[model] = None
        steps = _spread(sorted(of_run), COLUMNS)
        cells: list[str | None] = []
        for step in steps:
            name = f"milestone-{len(files):04d}.png"
            images = _check(label, of_run[step])[: 4 if len(steps) < 5 else 3]
            files[name] = _png(_montage(np.stack([_thumbnail(image) for image in images])))
            cells.append(name)
        lines.append((model.replace("model.block=", ""), steps, cells))
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


def _in_order(names: Mapping[str, str]) -> tuple[list[str], list[tuple[str, list[str | None]]]]:
    """Up to four runs side by side under their labels, more one below the other."""
    names = {label.replace("model.block=", ""): name for label, name in names.items()}
    labels = list(names)
    if len(labels) <= 4:
        return labels, [("", [names[x] for x in labels])]
    return [""], [(label, [names[label]]) for label in labels]


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
