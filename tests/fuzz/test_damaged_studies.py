"""Damaged studies through `validate` and `plan`: refused with their place, or planned.

Every input is a function of (SEED, its number): the same on every machine. HARNESS_TEST_SEED=N
draws others, HARNESS_TEST_INPUTS=N as many as wanted of each base. A fifth of
them is among the quick tests; CI tries all.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from harmless import COUNTS, call, collect, in_parts, numbers
from mutations import study
from tiny_study import TINY

SEED = os.environ.get("HARNESS_TEST_SEED", "1")
STUDIES = Path(__file__).parents[2] / "studies"
FROZEN = Path(__file__).parents[1] / "data" / "frozen"
# The frozen study of all settings asks for what no machine can measure; its damage is to be found.
MEASURABLE = {
    "[fd, kid,": "[fd, {name: kid, subset_size: 50},",
    'extractor_sha256: "abcd"': f'extractor: inception-2015, extractor_sha256: "{"ab" * 32}"',
    "fingerprint: 9f2c": f"fingerprint: {'9f' * 32}",
    'sha256: "00ff"': f'sha256: "{"0f" * 32}"',
    'statistics_sha256: "1234"': f'statistics_sha256: "{"12" * 32}", extractor_weights: null',
}


def measurable(text: str) -> str:
    for given, instead in MEASURABLE.items():
        text = text.replace(given, instead)
    return text


BASES = {
    "tiny": TINY,
    **{
        path.stem: measurable(path.read_text())
        for path in (
            *(STUDIES / f"{name}.yaml" for name in ("scaling", "guidance", "decoders")),
            *(FROZEN / f"{name}.yaml" for name in ("settings", "imported")),
        )
    },
}


def test_there_are_at_least_two_thousand_damaged_inputs() -> None:
    assert sum(COUNTS.values()) + (len(BASES) - 1) * COUNTS["study"] >= 2_000
    both = sorted([*numbers("npz", True), *numbers("npz", False)])
    assert both == [*range(len(both))]  # each is tried, and once


@pytest.mark.slow
@in_parts
@pytest.mark.parametrize("base", BASES)
def test_a_damaged_study_is_planned_or_refused_with_its_place(
    base: str, part: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path("damaged.yaml")
    path.write_text(BASES[base])
    assert call("validate", str(path))[0] == 0, "undamaged, it is accepted"
    codes: dict[str, list[int | None]] = {"validate": [], "plan": []}

    def one(i: int) -> str | None:
        path.write_bytes(study(BASES[base], random.Random(f"{SEED} {base} {i}")))
        for verb in codes:
            code, said, problem = call(verb, str(path))
            codes[verb].append(code)
            if problem is not None:
                return problem
            if code == 2 and str(path) not in said:
                return f"{verb}: the error does not name the file:\n{said}"
        return None

    found = collect(numbers("study", part), one)
    assert not found, "\n\n".join(found)
    assert 2 in codes["validate"]
    assert not list(tmp_path.glob("results*")), "plan and validate write nothing"
