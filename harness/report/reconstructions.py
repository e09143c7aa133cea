"""What real images score after the autoencoder: the bound of every model on its latents."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from harness.analysis import metrics
from harness.report.wording import number

ROW = "real images, decoded"  # the label of their row among the models
CLOSENESS = {"psnr": "PSNR {} dB", "ssim": "SSIM {}"}


def values(rows: pd.DataFrame, names: Iterable[str]) -> dict[str, float]:
    """The value of each metric that was measured in one way alone, by name.

    rows: the metrics' records.
    """
    own = rows[rows["of"] == "reconstruction"]
    measured = ((n, own[own["metric"] == n]["value"].dropna().astype(float)) for n in names)
    return {name: float(found.iloc[0]) for name, found in measured if found.nunique() == 1}


def sentence(rows: pd.DataFrame, names: Sequence[str]) -> str:
    """A sentence: "Decoded encodings of 2,000 real images: FD 1.2, PSNR 25.1 dB."; "" for none.

    rows: the metrics' records. names: the metrics that are told, besides PSNR and SSIM. Of a metric
    measured in several ways (with several decoders, or numbers of images) nothing is told.
    """
    own = rows[rows["of"] == "reconstruction"]
    if not len(own):
        return ""
    told = []
    for name, value in values(rows, (*names, *CLOSENESS)).items():
        words = CLOSENESS.get(name, f"{metrics.short_title(name)} {{}}")
        told.append(words.format(number(value)))
    if not told:
        return ""
    counts = own["samples"].dropna().unique()
    of = f"{int(counts[0]):,} real images" if len(counts) == 1 else "real images"
    return (
        f"Decoded encodings of {of}: {', '.join(told)}; no model on these latents can be expected "
        "to do better. "
    )
