"""Attempts and claims: who works on what, and what becomes of the dead."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

from harness.dispatch import ledger as ledger_module
from harness.dispatch.ledger import STALE_S, Ledger, Owner, describe

KEY = "b" * 64


def dead_owner() -> Owner:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    owner = Owner(Owner.this().host, child.pid, ledger_module._born(child.pid) or "")
    assert owner.alive()
    child.kill()
    child.wait()
    return owner


def claim_as(root: Path, owner: Owner) -> Path:
    path = root / "claims" / KEY
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(owner)))
    return path


def test_attempts_are_written_before_they_start_and_kept(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    first = ledger.begin(KEY, "train", "train X")
    assert [a.state for a in ledger.attempts(KEY)] == ["running"]
    ledger.end(first, "failed", "error", "boom")
    second = ledger.begin(KEY, "train", "train X")
    ledger.end(second, "done")
    assert [a.state for a in ledger.attempts(KEY)] == ["failed", "done"]
    assert first.log != second.log
    assert ledger.last(KEY) is not None and ledger.last(KEY).state == "done"  # type: ignore[union-attr]


def test_a_claim_is_taken_once_and_given_back(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    assert ledger.claim(KEY)
    assert not ledger.claim(KEY)
    assert ledger.holder(KEY) == ledger.owner
    ledger.release(KEY)
    assert ledger.holder(KEY) is None and ledger.claim(KEY)


def test_a_dead_owners_claim_is_broken(tmp_path: Path) -> None:
    claim_as(tmp_path, dead_owner())
    ledger = Ledger(tmp_path)
    assert not ledger.alive(KEY)
    assert ledger.claim(KEY)
    assert ledger.holder(KEY) == ledger.owner
    assert [p.name for p in (tmp_path / "claims").iterdir()] == [KEY]


def test_a_later_process_with_the_same_id_is_not_the_owner(tmp_path: Path) -> None:
    claim_as(tmp_path, replace(Owner.this(), born="12345"))
    assert Ledger(tmp_path).claim(KEY)


def test_another_machines_claim_holds_until_it_is_stale(tmp_path: Path) -> None:
    path = claim_as(tmp_path, Owner("elsewhere", 1, "1"))
    ledger = Ledger(tmp_path)
    assert not ledger.claim(KEY)
    old = time.time() - STALE_S - 1
    os.utime(path, (old, old))
    assert ledger.claim(KEY)


def test_a_half_written_claim_is_broken(tmp_path: Path) -> None:
    path = tmp_path / "claims" / KEY
    path.parent.mkdir(parents=True)
    path.write_text('{"host": "x"')
    assert Ledger(tmp_path).claim(KEY)


def test_nobody_releases_anothers_claim(tmp_path: Path) -> None:
    claim_as(tmp_path, Owner("elsewhere", 1, "1"))
    ledger = Ledger(tmp_path)
    ledger.release(KEY)
    assert ledger.holder(KEY) == Owner("elsewhere", 1, "1")


RACE = """
import sys
from pathlib import Path
from harness.dispatch.ledger import Ledger
ledger = Ledger(Path(sys.argv[1]))
sys.stdin.readline()  # all start together
print(int(ledger.claim(sys.argv[2])), flush=True)
sys.stdin.readline()  # stay alive while the others try
"""


def test_of_many_processes_one_gets_a_dead_ones_claim(tmp_path: Path) -> None:
    claim_as(tmp_path, dead_owner())
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACE, str(tmp_path), KEY],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("\n")
        racer.stdin.flush()
    won = [racer.stdout.readline().strip() for racer in racers if racer.stdout is not None]
    for racer in racers:
        racer.communicate("\n", timeout=60)
    assert sorted(won) == ["0", "0", "0", "1"]


def test_running_attempts_of_the_dead_are_settled_as_lost(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.begin(KEY, "train", "train X")
    claim_as(tmp_path, dead_owner())
    (lost,) = ledger.settle([KEY])
    assert (lost.state, lost.failure) == ("lost", "lost")
    assert ledger.failed([KEY]) == {}  # lost work is done again without asking
    assert ledger.settle([KEY]) == []


def test_a_living_owners_attempt_is_not_settled(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.claim(KEY)
    ledger.begin(KEY, "train", "train X")
    assert ledger.settle([KEY]) == []


def test_failures_stay_until_retry_but_passing_ones_do_not(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.end(ledger.begin(KEY, "train", "train X"), "failed", "environment", "disk full")
    assert ledger.failed([KEY]) == {}
    ledger.end(ledger.begin(KEY, "train", "train X"), "failed", "error", "boom")
    assert set(ledger.failed([KEY])) == {KEY}
    assert ledger.forgive([KEY]) == [KEY]
    assert ledger.failed([KEY]) == {}


def test_a_failure_is_described_with_its_cause_log_and_retry(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    attempt = ledger.begin(KEY, "train", "train DiT-S/8 to 400")
    Path(attempt.log).parent.mkdir(parents=True)
    Path(attempt.log).write_text("".join(f"line {i}\n" for i in range(40)))
    ended = ledger.end(attempt, "failed", "error", "ValueError: boom")
    text = describe(ended, "python -m harness retry studies/x.yaml")
    assert "failed: train DiT-S/8 to 400" in text
    assert "ValueError: boom" in text
    assert "line 39" in text and "line 10" not in text
    assert attempt.log in text and "python -m harness retry studies/x.yaml" in text


def test_unreadable_attempt_files_are_passed_over(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.begin(KEY, "train", "train X")
    (tmp_path / "attempts" / KEY / "002-zzz.json").write_text("{")
    assert len(ledger.attempts(KEY)) == 1
