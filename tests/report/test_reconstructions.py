"""The sentence about decoded encodings."""

from __future__ import annotations

import pandas as pd

from harness.report.reconstructions import sentence, values


def rows(**more: object) -> pd.DataFrame:
    found = [
        {"of": "reconstruction", "metric": "fid", "value": 0.62, "samples": 2000},
        {"of": "reconstruction", "metric": "psnr", "value": 26.13, "samples": 2000},
        {"of": "reconstruction", "metric": "ssim", "value": 0.731, "samples": 2000},
        {"of": "samples", "metric": "fid", "value": 9.6, "samples": 2000},
        more,
    ]
    return pd.DataFrame([row for row in found if row])


def test_it_says_what_was_measured_and_of_how_many() -> None:
    said = sentence(rows(), ["fid", "is"])
    assert said.startswith("Decoded encodings of 2,000 real images: FID 0.620, PSNR 26.1 dB, SSIM")
    assert "9.6" not in said and "no model on these latents" in said


def test_values_are_those_measured_in_one_way() -> None:
    assert values(rows(), ["fid", "is", "ssim"]) == {"fid": 0.62, "ssim": 0.731}
    other = {"of": "reconstruction", "metric": "fid", "value": 0.9, "samples": 2000}
    assert values(rows(**other), ["fid", "ssim"]) == {"ssim": 0.731}


def test_without_them_and_of_two_ways_it_says_nothing() -> None:
    assert sentence(rows()[3:], ["fid"]) == ""
    other = {"of": "reconstruction", "metric": "fid", "value": 0.9, "samples": 2000}
    assert "FID" not in sentence(rows(**other), ["fid"])
