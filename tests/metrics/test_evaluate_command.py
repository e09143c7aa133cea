"""`evaluate` as a stranger uses it, with weights of Inception's format."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import warm


@pytest.mark.slow
def test_a_stranger_pipes_the_result_and_reads_the_error(two_sets, tmp_path, inception_weights):
    def harness(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [warm.python(), "-m", "harness", "evaluate", *arguments, f"--weights={weights}"],
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=False,
        )

    weights = inception_weights
    few = tmp_path / "few.npz"  # the network is slow on one core
    np.savez(few, np.load(two_sets[0])["arr_0"][:4])
    done = harness(
        str(few), str(few), "--extractor", "inception-custom", "--json", "--metrics", "precision"
    )
    assert done.returncode == 0 and "samples" in done.stderr and "4/4" in done.stderr
    assert json.loads(done.stdout)["provenance"]["extractor"] == "inception-custom"
    refused = harness(*two_sets)
    assert refused.returncode == 2 and refused.stdout == ""
    assert refused.stderr.startswith("error: ") and "not Inception-2015" in refused.stderr
    assert refused.stderr.count("\n") == 1
