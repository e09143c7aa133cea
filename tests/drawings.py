"""Rows as figures want them, and what a drawn figure shows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

MODELS = [("S", 4, 1.4), ("S", 2, 6.1), ("B", 4, 5.6), ("B", 2, 23.0), ("XL", 4, 29.0)]


def rows(models: Any = MODELS, **columns: Any) -> pd.DataFrame:
    """One row per model: larger is better, with an interval of a tenth about each value."""
    frame = pd.DataFrame(
        [
            {
                "label": f"DiT-{size}/{patch}", "model": f"DiT-{size}/{patch}", "group": "",
                "size": size, "patch_size": patch, "block": "adaln-zero", "gflops": gflops,
                "params": 1e6 * gflops, "value": 60 * gflops**-0.3, "learned": None,
            }
            for size, patch, gflops in models
        ]
    )  # fmt: skip
    frame = frame.assign(low=0.9 * frame["value"], high=1.1 * frame["value"])
    return frame.assign(**columns)


def over(name: str, places: Any, models: Any = MODELS, **columns: Any) -> pd.DataFrame:
    """The rows at several places (steps, step counts), better at each later one."""
    parts = [
        rows(models).assign(**{name: at}, value=lambda r, k=k: r["value"] / (1 + k))
        for k, at in enumerate(places)
    ]
    made = pd.concat(parts, ignore_index=True)
    made["low"], made["high"] = 0.9 * made["value"], 1.1 * made["value"]
    return made.assign(**columns)


def hover(figure: Any) -> list[str]:
    """What the points of a figure say under the pointer."""
    return [text for texts in figure.hover.values() for text in texts]


def lines(axes: Any) -> list[tuple[list[float], list[float]]]:
    """(x, y) of every drawn line with more than one point."""
    found = [(np.asarray(a.get_xdata(), float), np.asarray(a.get_ydata(), float))
             for a in axes.get_lines()]  # fmt: skip
    return [(x.tolist(), y.tolist()) for x, y in found if len(x) > 1]


def legend(figure: Any) -> list[str]:
    """The names in the figure's legend."""
    return [t.get_text() for made in figure.legends for t in made.get_texts()]
