"""What real images score after the autoencoder: the bound of every model on its latents."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from harness.analysis import metrics
from harness.report.wording import number

CLOSENESS = {"psnr": "PSNR {} dB", "ssim": "SSIM {}"}


def sentence(rows: pd.DataFrame, names: Sequence[str]) -> str:
    """A sentence: "Decoded encodings of 2,000 real images: FD 1.2, PSNR 25.1 dB."; "" for none.

    rows: the metrics' records. names: the metrics that are told, besides PSNR and SSIM. Of a metric
    measured in several ways (with several decoders, or numbers of images) nothing is told.
    """
    own = rows[rows["of"] == "reconstruction"]
    if not len(own):
        return ""
    told = []
    for name in (*names, *CLOSENESS):
        values = own[own["metric"] == name]["value"].dropna().astype(float).unique()
        if len(values) == 1:
            words = CLOSENESS.get(name, f"{metrics.short_title(name)} {{}}")
            told.append(words.format(number(values[0])))
    if not told:
        return ""
    counts = own["samples"].dropna().unique()
    of = f"{int(counts[0]):,} real images" if len(counts) == 1 else "real images"
    return (
        f"Decoded encodings of {of}: {', '.join(told)}; no model on these latents can be expected "
        "to do better. "
    )
