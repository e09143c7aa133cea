"""A report of pure noise claims nothing, and equal records give equal bytes in any folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from harness.report.document import compose, render

CLAIMS = ("score better", "score worse", "best is", "told from 0, and", "better than every")


def noise(make, seed):
    """Twelve models whose values differ by their measurement error alone, which is recorded."""
    found = make.frames()
    rows = found["metrics"]
    rng = np.random.default_rng(seed)
    drawn = (rows["of"] == "samples").fillna(False)
    rows.loc[drawn, "value"] = 50 * np.exp(rng.normal(0, 0.03, int(drawn.sum())))
    rows.loc[drawn, "std"] = 0.03 * rows.loc[drawn, "value"].astype(float)
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("studies", "most"), [(7, 4), pytest.param(20, 7, marks=pytest.mark.full)])
def test_noise_is_called_undecided(make, studies, most):
    """Of so many studies of noise no more claim anything than 95 % intervals allow."""
    from harness.report import findings
    from harness.report.blocks import plain
    from harness.report.sections.abstract import sentences

    claimed = []
    for seed in range(studies):
        report = make.report(noise(make, seed), ("headline",), samples={})
        said = plain(sentences(findings.find(report)))
        assert "undecided" in said or any(c in said for c in CLAIMS)
        larger = re.search(r"the larger is ahead in (\d+), the smaller in (\d+)", said)
        ahead = larger is not None and (larger[1], larger[2]) != ("0", "0")
        claimed.append(ahead or any(c in said for c in CLAIMS))
    # Three families of tests: 1 - 0.95 ** 3 = 14 % of studies; more than 7 of 20: one in 230, and
    # more than 4 of 7: one in 1,000.
    assert sum(claimed) <= most, claimed


@pytest.mark.slow
def test_a_clear_trend_is_claimed(make):
    """The words are not silent for want of power: what is there is said."""
    from harness.report import findings
    from harness.report.blocks import plain
    from harness.report.sections.abstract import sentences

    found = make.frames(noise=0.01)
    rows = found["metrics"]
    rows["std"] = rows["value"].astype(float) * 0.01
    said = plain(sentences(findings.find(make.report(found, ("headline",)))))
    assert "those of more compute score better" in said and "the best is" in said
    assert re.search(r"the larger is ahead in [1-9]", said)


PROGRAM = """
import importlib.util, pathlib, sys
spec = importlib.util.spec_from_file_location("made", sys.argv[1])
made = importlib.util.module_from_spec(spec)
spec.loader.exec_module(made)
from harness.report import render
found = made.frames(sizes=("S", "B"), patches=(4,), sweep=())
render(made.report(found, ("headline", "gflops", "models")), pathlib.Path("report.pdf"))
"""


@pytest.mark.slow
def test_equal_records_give_equal_bytes_in_any_folder(tmp_path):
    made = []
    here = Path(__file__).with_name("conftest.py")
    for name, hashes in (("one", "1"), ("two and more", "2")):
        folder = tmp_path / name
        folder.mkdir()
        env = {**os.environ, "PYTHONHASHSEED": hashes, "TZ": "Asia/Tokyo" if name == "one" else ""}
        env["PYTHONPATH"] = str(Path(__file__).parents[2])
        subprocess.run([sys.executable, "-c", PROGRAM, here], cwd=folder, env=env, check=True)
        made.append((folder / "report.pdf").read_bytes())
    assert made[0] == made[1]


@pytest.mark.slow
def test_a_report_written_to_a_device_or_a_link_leaves_them(make, tmp_path):
    report = make.report(make.frames(sizes=("S",), patches=(4,), sweep=()), ("provenance",))
    render(report, Path("/dev/null"))
    assert not Path("/dev/null").is_file()
    target, link = tmp_path / "target.pdf", tmp_path / "link.pdf"
    target.write_text("old")
    link.symlink_to(target)
    render(report, link)
    assert link.is_symlink() and target.read_bytes().startswith(b"%PDF")
    assert compose(report).study == "scaling"
