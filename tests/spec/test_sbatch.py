"""sbatch's options: underscores as people write them, and none that the harness sets itself."""

from __future__ import annotations

import pytest

from harness.spec.dispatching import SlurmSettings
from harness.spec.sbatch import SBATCH_OPTIONS


def test_options_are_sorted_once_each_and_as_sbatch_spells_them() -> None:
    assert len(set(SBATCH_OPTIONS)) == len(SBATCH_OPTIONS)
    assert all(name == name.lower() and "_" not in name for name in SBATCH_OPTIONS)
    assert SlurmSettings(extra={"gpu_bind": "closest"}).extra == {"gpu-bind": "closest"}


@pytest.mark.parametrize(
    "name", ["job-name", "output", "error", "array", "time", "requeue", "signal", "wrap", "chdir"]
)
def test_what_the_harness_sets_itself_cannot_be_given(name: str) -> None:
    with pytest.raises(ValueError, match=f"unknown sbatch parameter '{name}'; allowed: acctg-freq"):
        SlurmSettings(extra={name: "x"})
