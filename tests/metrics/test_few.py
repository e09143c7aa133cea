"""What is said of a Fréchet distance of fewer images than features."""

from __future__ import annotations

import subprocess
import sys

import pytest

from harness.metrics.few import few


@pytest.mark.parametrize(
    ("samples", "reference", "said"),
    [
        (65, 65, None),
        (65, None, None),  # nobody knows how many the reference has
        (64, 65, "fid: 64 generated samples for 64 dimensions"),
        (65, 64, "fid: 64 reference samples for 64 dimensions"),
        (3, 4, "fid: 3 generated samples and 4 reference samples for 64 dimensions"),
        (65, 0, None),  # ADM's files do not say
    ],
)
def test_n_images_span_n_minus_one_dimensions(
    samples: int, reference: int | None, said: str | None
) -> None:
    found = few("fid", samples, reference, 64)
    if said is None:
        assert found is None
    else:
        assert found is not None and found.startswith(said) and "biased upwards" in found


def test_without_a_name_or_dimensions() -> None:
    assert str(few(None, 2, None, 8)).startswith("2 generated samples for 8 dimensions")
    assert few("fid", 2, 2, None) is None


def test_it_needs_no_numpy() -> None:
    """`plan` says it, and starts without."""
    code = "import sys, harness.metrics.few; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
