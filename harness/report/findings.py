"""What a report's numbers say, computed once and shared by its sections."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness import paper
from harness.analysis import compute, fits, metrics, selection
from harness.report.input import ReportInput


@dataclass(frozen=True)
class Findings:
    """The study's primary metric and everything computed from it."""

    report: ReportInput
    metric: str | None  # recorded name of the primary metric; None: nothing was measured
    title: str  # for axes and text
    short: str  # for table heads
    higher: bool  # is larger better
    floor: float | None
    floor_images: int | None  # real images behind it
    references: int  # distinct ones behind the compared values: only within one do they compare
    final: pd.DataFrame  # quality per model at the compared step
    protocol: selection.Protocol | None
    step: int | None  # None with a protocol: imported checkpoints that do not say theirs
    correlation: fits.Correlation | None
    law: fits.PowerLaw | None
    curves: pd.DataFrame  # quality over training
    curves_protocol: selection.Protocol | None
    frontier: pd.DataFrame
    sweep: pd.DataFrame  # quality over sampling steps
    sweep_protocol: selection.Protocol | None
    pairs: pd.DataFrame
    pair: compute.HeadlinePair | None
    paper: pd.DataFrame  # the paper's rows for these models: label, model, gflops, value (FID)
    paper_correlation: fits.Correlation | None
    seeds: int
    without_value: int  # rows of the primary metric that hold no finite number

    @property
    def better(self) -> str:
        return "higher is better" if self.higher else "lower is better"


def find(report: ReportInput) -> Findings:
    """Compute everything the sections share. Nothing is required: every part may be empty."""
    rows = report.frames["metrics"]
    metric = metrics.primary_metric(rows)
    name = metric or "fd"
    final = selection.final_quality(rows, name)
    chosen = selection.final_protocol(rows, name)
    by_seed = selection.final_rows(rows, name)
    curves, curves_protocol = selection.over_training(rows, name)
    sweep, sweep_protocol = selection.sampling_sweep(rows, name)
    generated = rows[(rows["metric"] == name) & (rows["of"].fillna("samples") == "samples")]
    finite = np.isfinite(generated["value"].to_numpy(float, na_value=np.nan))
    originals = papers_models(final)
    references = int(by_seed["reference_sha256"].nunique())
    one = references < 2
    pairs = compute.compare_sampling(sweep, name)
    floors = rows[(rows["metric"] == name) & (rows["of"].fillna("samples") == "floor")]
    real = floors["samples"].dropna().unique()
    return Findings(
        report=report,
        metric=metric,
        title=metrics.title(name) if metric else "quality",
        short=metrics.short_title(name) if metric else "quality",
        higher=metrics.higher_is_better(name),
        floor=selection.floor(rows, name),
        floor_images=int(real[0]) if len(real) == 1 else None,
        references=references,
        final=final,
        protocol=chosen[0] if chosen else None,
        step=chosen[1] if chosen else None,
        correlation=fits.correlation(final, by_seed) if one else None,
        law=fits.power_law(final, by_seed) if one else None,
        curves=curves,
        curves_protocol=curves_protocol,
        frontier=compute.frontier(curves, name),
        sweep=sweep,
        sweep_protocol=sweep_protocol,
        pairs=pairs if one else pairs.iloc[:0],
        pair=compute.headline_pair(sweep, name) if one else None,
        paper=originals,
        paper_correlation=fits.correlation(originals),
        seeds=int(by_seed["seed"].nunique()) if len(by_seed) else 0,
        without_value=int((~finite).sum()),
    )


def original(family: object, size: object, patch_size: object) -> str | None:
    """The paper's model that a DiT or DiT-micro stands for: "DiT-XL/2"; None for any other."""
    if family not in ("DiT", "DiT-micro") or size is None or pd.isna(patch_size):  # type: ignore[call-overload]
        return None
    return f"DiT-{size}/{int(patch_size)}"  # type: ignore[call-overload]


def papers_models(final: pd.DataFrame) -> pd.DataFrame:
    """Table 3's rows (256 x 256, 400K steps) for the models of `final`, matched by size and patch.

    Each of the paper's models once, however often the study trained it (recipes, image sizes).
    Columns: label, model (both the paper's), size, patch_size, block, gflops, params_m, value
    (FID-50K).
    """
    found = []
    for row in final.to_dict("records"):
        name = original(row["family"], row["size"], row["patch_size"])
        theirs = paper.model(name, block=str(row["block"])) if name else None
        if theirs is not None:
            found.append(
                {
                    "label": name if row["block"] == "adaln-zero" else f"{name} {row['block']}",
                    "model": name,
                    "size": row["size"],
                    "patch_size": row["patch_size"],
                    "block": row["block"],
                    "gflops": theirs["gflops"],
                    "params_m": theirs["params_m"],
                    "value": theirs["fid50k_no_guidance"],
                }
            )
    columns = ["label", "model", "size", "patch_size", "block", "gflops", "params_m", "value"]
    return pd.DataFrame(found, columns=columns).drop_duplicates("label", ignore_index=True)
