"""The section on provenance: everything that was given, gaps named, checksums as code."""

from __future__ import annotations

import pytest

from harness.report.blocks import Pairs
from harness.report.findings import find
from harness.report.sections.method import setting_in_words
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


@pytest.mark.slow
def test_what_the_method_lists_is_not_said_twice(make) -> None:
    """Twenty settings stood in both, and made a last page of three lines."""
    settings = {"batch_size": 16, "betas": [0.9, 0.99], "seed": 0}
    found = make.frames(sizes=("S",), patches=(2,), sweep=(), milestones=(1500,))
    given = {
        "settings": settings,
        "samples": {},
        "provenance": {**settings, "seed": 7, "torch": "2"},
    }
    names = {}
    for sections in (("method", "provenance"), ("provenance",)):
        blocks = Provenance().blocks(find(make.report(found, sections, **given)))
        names[sections[0]] = [name for name, _, _ in blocks[-1].rows]
        assert ("tab-method" in str(blocks[0])) == (sections[0] == "method")
    every = [name for name, _ in _flat(given["provenance"])]
    assert names["provenance"] == every
    assert names["method"] == [name for name in every if name not in _words(settings, "seed")]


def _words(settings, *but) -> set[str]:
    return {setting_in_words(name) for name in settings if name not in but}
