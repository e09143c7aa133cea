"""The section on provenance: everything that was given, gaps named, checksums as code."""

from __future__ import annotations

import pytest

from harness.report.blocks import Pairs
from harness.report.findings import find
from harness.report.sections.provenance import Provenance, _flat


def test_nested_values_are_told_by_their_path_and_gaps_are_named() -> None:
    given = {
        "commit": "abc", "learning_rate": 1e-3, "devices": ["cpu", "cuda"], "seeds": [],
        "extractor": {"name": "x", "sha256": None, "training": {"held_out": 200.0}},
        "records": "",
    }  # fmt: skip
    assert _flat(given) == [
        ("commit", "abc"),
        ("learning rate", "0.001"),
        ("devices", "cpu, cuda"),
        ("seeds", "–"),
        ("extractor name", "x"),
        ("extractor sha256", "not recorded"),
        ("extractor training held out", "200"),
        ("records", "not recorded"),
    ]


@pytest.mark.slow
def test_checksums_and_the_command_are_code(make) -> None:
    found = make.frames(sizes=("S",), patches=(2,), sweep=(), milestones=(1500,))
    made = make.report(found, ("provenance",), samples={})
    *_, pairs = Provenance().blocks(find(made))
    assert isinstance(pairs, Pairs)
    code = {name for name, _, is_code in pairs.rows if is_code}
    assert code == {"extractor sha256", "reference sha256", "command"}


def test_without_provenance_it_says_so(make) -> None:
    made = make.report(make.frames(sizes=()), ("provenance",), provenance={}, samples={})
    (only,) = Provenance().blocks(find(made))
    assert "No provenance was recorded." in str(only)
