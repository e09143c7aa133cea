"""What is said of all models is said again without those that did not learn."""

from __future__ import annotations

import pandas as pd
import pytest
from report_words import cells_of, said

from harness.report.findings import find


def with_ceiling(make, ceiling=20.0, infinity=False):
    """Twelve models with recorded errors; what scores above `ceiling` did not learn."""
    found = make.frames(noise=0.02)
    rows = found["metrics"]
    rows["std"] = rows["value"].astype(float) * 0.01
    fd = rows[rows["metric"].str.startswith("fd").fillna(False)]
    noise = fd.iloc[:1].assign(of="ceiling", value=ceiling, std=0.1, key="noise")
    parts = [rows, noise]
    if infinity:
        own = fd[fd["of"] == "samples"]
        name = own["metric"].iloc[0].replace("fd_", "fd_infinity_")
        parts.append(own.assign(metric=name, value=own["value"].astype(float) - 1.0))
    found["metrics"] = pd.concat(parts, ignore_index=True).astype(rows.dtypes.to_dict())
    return found


def median(make):
    rows = make.frames(noise=0.02)["metrics"]
    fd = rows[rows["metric"].str.startswith("fd").fillna(False) & (rows["of"] == "samples")]
    last = fd[(fd["step"] == 1500) & (fd["samples"] == 1000)]["value"].astype(float)
    return float(last.quantile(0.7))


@pytest.mark.slow
def test_every_statement_is_given_with_and_without_them(make):
    report = make.report(with_ceiling(make, median(make)), ("headline", "gflops", "models"))
    text = said(report)
    assert "did not learn: their FD is not told from decoded noise's" in text
    assert "that learned they are −" in text and "that learned a = " in text
    assert "Among models that learned it is ahead in" in text
    rows = cells_of(report, "tab-models")["rows"]
    assert 3 <= sum("†" in str(r[0]) for r in rows) <= 5


@pytest.mark.slow
def test_a_claim_says_what_it_is_without_them(make):
    def numbers(ceiling):
        report = make.report(with_ceiling(make, ceiling), ("claims",), samples={})
        return {v.id: v for v in find(report).verdicts if v.decidable}

    told, every = numbers(median(make)), numbers(1e9)  # below such a ceiling all have learned
    assert not any("did not learn" in v.numbers for v in every.values())
    claim = told["strong-correlation"]
    assert claim.verdict == every["strong-correlation"].verdict
    assert claim.numbers.startswith(every["strong-correlation"].numbers)
    assert "; without those that did not learn: " in claim.numbers
    few = numbers(1e-9)  # nobody learned
    assert few["strong-correlation"].numbers.endswith("not decidable")


@pytest.mark.slow
def test_the_offset_stands_beside_the_floor_and_the_number_of_samples(make):
    text = said(make.report(with_ceiling(make, 1e9, infinity=True), ("gflops",)))
    assert "E is of FD at 1,000 samples; the floor is 0.900, E minus floor" in text
    assert "extrapolated to infinitely many samples a = " in text
    assert "that learned" not in text
