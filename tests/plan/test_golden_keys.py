"""Every stage key that commit 87b48fe planned is planned today: results made then stay good."""

from __future__ import annotations

import fnmatch
from pathlib import Path

import frozen_keys
import pytest

KEPT = frozen_keys.kept()
CASES = [(study, profile) for study, its in KEPT.items() for profile in its["profiles"]]
SHIPPED = [study for study in KEPT if study not in ("settings", "imported")]

# Keys that moved, and why: "STUDY PROFILE KIND", with * and ? as wild cards, to the reason. Only a
# reference or an evaluation may move, where what it computes was corrected: no training and no
# sample may be lost to a change of code.
MOVED: dict[str, str] = {}
MAY_MOVE = ("reference", "evaluate")

# Profiles that were written anew, and why: (study, profile) to the reason. The text of then, which
# the golden file holds, still plans the keys of then; the shipped study does not.
REPLACED: dict[tuple[str, str], str] = {
    ("scaling", "laptop"): "five of its twelve models sampled noise; issue 15, the default study",
    ("sampling", "laptop"): "four of its six models sampled noise; they are scaling's now",
    (
        "state_of_the_art",
        "laptop",
    ): "the old recipe of scaling, which it now trains as scaling does",
}

STUDIES = Path(__file__).parents[2] / "studies"


def test_the_golden_file_holds_every_kind_of_stage_of_every_study_shipped_then() -> None:
    kinds = [kind for s, p in CASES for kind, _ in KEPT[s]["profiles"][p]["stages"].values()]
    assert len(CASES) == 24 and len(SHIPPED) == 8 and len(kinds) > 2300
    assert set(kinds) == {"complexity", "encode", "train", "reference", "sample", "evaluate"}


def lost(study: str, profile: str, path: Path) -> list[str]:
    """The stages of the golden file that `path` does not plan, less those allowed to move."""
    then, now = KEPT[study]["profiles"][profile], frozen_keys.planned(path, profile)
    by_label = {(kind, label): key for key, (kind, label) in now["stages"].items()}
    out = []
    for key, (kind, label) in then["stages"].items():
        if now["stages"].get(key, [None])[0] == kind:
            continue
        moved = any(fnmatch.fnmatch(f"{study} {profile} {kind}", pattern) for pattern in MOVED)
        if not (moved and kind in MAY_MOVE):
            today = by_label.get((kind, label), "no stage of that label")
            out.append(f"{label}: {key[:12]} then, {today[:12]} now")
    return out


@pytest.mark.parametrize(("study", "profile"), CASES)
def test_a_study_of_then_plans_the_keys_of_then(study: str, profile: str, tmp_path: Path) -> None:
    """The study's own text of then: what a user may have beside results made then."""
    path = tmp_path / f"{study}.yaml"
    path.write_text(KEPT[study]["text"])
    assert lost(study, profile, path) == []
    assert frozen_keys.planned(path, profile)["runs"] == KEPT[study]["profiles"][profile]["runs"]


STANDING = [case for case in CASES if case[0] in SHIPPED and case not in REPLACED]


@pytest.mark.parametrize(("study", "profile"), STANDING)
def test_the_study_shipped_today_still_plans_the_keys_of_then(study: str, profile: str) -> None:
    """It may ask for more than it did."""
    assert lost(study, profile, STUDIES / f"{study}.yaml") == []


def test_a_replaced_profile_stood_then_and_trains_otherwise_today() -> None:
    for (study, profile), reason in REPLACED.items():
        assert (study, profile) in CASES and len(reason) > 20
        now = frozen_keys.planned(STUDIES / f"{study}.yaml", profile)["stages"]
        then = KEPT[study]["profiles"][profile]["stages"]
        trained = {key for key, (kind, _) in then.items() if kind == "train"}
        assert trained and not trained & now.keys(), f"{study} {profile}: the line is out of date"


def test_only_references_and_evaluations_moved_and_each_line_of_the_table_says_something() -> None:
    for pattern, reason in MOVED.items():
        *_, kind = pattern.split()
        assert kind in MAY_MOVE and len(reason) > 20, pattern
        hits = [
            key
            for study, profile in CASES
            for key, (its, _) in KEPT[study]["profiles"][profile]["stages"].items()
            if fnmatch.fnmatch(f"{study} {profile} {its}", pattern)
        ]
        assert hits, f"{pattern} names no stage of the golden file"
