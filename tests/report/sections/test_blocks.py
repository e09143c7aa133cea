"""The section on block designs (Figure 5)."""

from __future__ import annotations

import pytest
from report_words import said

BLOCKS = ("adaln-zero", "adaln", "in-context")


def frames(make, **changes):
    shape = {"sizes": ("XL",), "patches": (2,), "sweep": (), "blocks": BLOCKS}
    return make.frames(**{**shape, **changes})


@pytest.mark.slow
def test_designs_of_a_model_are_compared_with_the_papers_beside(make) -> None:
    text = said(make.report(frames(make), ("blocks",)))
    assert "compares the block designs" in text and "DiT-micro-XL/2:" in text
    assert "adaLN-Zero has the lowest FID, 19.47" in text and "publishes no spread" in text


@pytest.mark.slow
def test_without_errors_none_of_them_is_called_best(make) -> None:
    assert "none is called the best" in said(make.report(frames(make), ("blocks",)))
    found = frames(make)
    rows = found["metrics"]
    rows["std"] = 0.001 * rows["value"].astype(float)
    assert "the best is" in said(make.report(found, ("blocks",)))


@pytest.mark.slow
def test_one_design_or_one_step_is_no_comparison(make) -> None:
    one = frames(make, blocks=("adaln-zero",))
    assert "Fewer than two block designs were measured." in said(make.report(one, ("blocks",)))
    end = frames(make, milestones=(1500,))
    text = said(make.report(end, ("blocks",), missing=["train: failed"]))
    assert "not measured at more than one training step; the first page says what is not" in text
