"""What a study can show before it is run: the smallest difference of two of its models."""

from __future__ import annotations

import math
from typing import Any

from harness.analysis.power import smallest_difference
from harness.commands.common import Opened

MOST_RECORDS = 2000  # committed evaluations from which a spread is read: `plan` stays quick


def smallest(opened: Opened) -> dict[str, Any] | None:
    """The smallest true difference that is found in 80 % of studies like this; None of no models.

    Keys: seeds (fewest of a configuration), configurations, comparisons (of each with the best),
    times (in standard deviations of one training's value), spread (that deviation as a share of
    the value, from records of this study here; null: none yet), share (times x spread), basis
    ("seeds", "checkpoints": samples alone).
    """
    by_configuration: dict[Any, set[int]] = {}
    for run in opened.study.runs:
        if run.train is not None:
            point = tuple((k, _plain(v)) for k, v in run.point.items() if k != "seed")
            by_configuration.setdefault((run.model.label, point), set()).add(run.seed)
    if len(by_configuration) < 2 or not opened.plan.measurements:
        return None
    seeds = min(len(own) for own in by_configuration.values())
    comparisons = len(by_configuration) - 1
    times = smallest_difference(1.0, seeds, comparisons=comparisons)
    spread = _spread(opened, seeds)
    return {
        "seeds": seeds,
        "configurations": len(by_configuration),
        "comparisons": comparisons,
        "times": times,
        "spread": spread,
        "share": None if spread is None else times * spread,
        "basis": "seeds" if seeds > 1 else "checkpoints",
    }


def _plain(value: Any) -> Any:
    """A value of an axis by which a dictionary can tell it from others."""
    return value if isinstance(value, str | int | float | None) else repr(value)


def _spread(opened: Opened, seeds: int) -> float | None:
    """Relative standard deviation of one training's value, by what is recorded of this study."""
    wanted = {m.evaluate for m in opened.plan.measurements}
    made = wanted & set(opened.store.committed(["evaluate"]))
    if not made or len(made) > MOST_RECORDS:
        return None
    from harness.analysis import metrics, selection
    from harness.store.records import read_frames

    rows = read_frames(opened.store.root)["metrics"]
    rows = rows[rows["key"].isin(made)]
    metric = metrics.primary_metric(rows)
    if metric is None:
        return None
    found = selection.final_quality(rows, metric)
    found = found[found["basis"] == ("seeds" if seeds > 1 else "checkpoints")]
    share = (found["se"] * found["seeds"].pow(0.5) / found["value"].abs()).median()
    return float(share) if math.isfinite(share) and share > 0 else None


def sentence(found: dict[str, Any]) -> str:
    """For the terminal."""
    one = found["seeds"] == 1
    who = "these checkpoints" if one else "two models"
    seeds = "1 seed" if one else f"{found['seeds']} seeds"
    noise = "standard error of a value" if one else "spread over seeds"
    tests = f"{found['comparisons']} comparison" + ("s" if found["comparisons"] > 1 else "")
    text = (
        f"smallest difference of {who} that it can show ({seeds}, 80% power, Holm over {tests}): "
        f"{found['times']:.1f} times the {noise}"
    )
    if found["share"] is not None:
        text += f", {100 * found['share']:.2g}% of the value by what is recorded here"
    return f"{text}; less where their errors are correlated" if one else text
