"""Claims: who works on what, and what becomes of those of the dead."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from harness.dispatch import claims as claims_module
from harness.dispatch.claims import STALE_S, Claims, Owner
from harness.store.process import born

KEY = "b" * 64


def dead_owner() -> Owner:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    owner = Owner(Owner.this().host, child.pid, born(child.pid) or "")
    assert owner.alive()
    child.kill()
    child.wait()
    return owner


def claim_as(root: Path, owner: Owner) -> Path:
    path = root / "claims" / KEY
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(owner)))
    return path


def test_a_claim_is_taken_once_and_given_back(tmp_path: Path) -> None:
    claims = Claims(tmp_path)
    assert claims.claim(KEY)
    assert not claims.claim(KEY)
    assert claims.holder(KEY) == claims.owner
    claims.release(KEY)
    assert claims.holder(KEY) is None and claims.claim(KEY)


def test_a_dead_owners_claim_is_broken(tmp_path: Path) -> None:
    claim_as(tmp_path, dead_owner())
    claims = Claims(tmp_path)
    assert not claims.alive(KEY)
    assert claims.claim(KEY)
    assert claims.holder(KEY) == claims.owner
    assert [p.name for p in (tmp_path / "claims").iterdir()] == [KEY]


def test_a_later_process_with_the_same_id_is_not_the_owner(tmp_path: Path) -> None:
    claim_as(tmp_path, replace(Owner.this(), born="12345"))
    assert Claims(tmp_path).claim(KEY)


def test_another_machines_claim_holds_until_it_is_stale(tmp_path: Path) -> None:
    path = claim_as(tmp_path, Owner("elsewhere", 1, "1"))
    claims = Claims(tmp_path)
    assert not claims.claim(KEY)
    old = time.time() - STALE_S - 1
    os.utime(path, (old, old))
    assert claims.claim(KEY)


def test_a_half_written_claim_is_broken(tmp_path: Path) -> None:
    path = tmp_path / "claims" / KEY
    path.parent.mkdir(parents=True)
    path.write_text('{"host": "x"')
    assert Claims(tmp_path).claim(KEY)


def test_nobody_releases_anothers_claim(tmp_path: Path) -> None:
    claim_as(tmp_path, Owner("elsewhere", 1, "1"))
    claims = Claims(tmp_path)
    claims.release(KEY)
    assert claims.holder(KEY) == Owner("elsewhere", 1, "1")


RACE = """
import sys
from pathlib import Path
from harness.dispatch.claims import Claims
claims = Claims(Path(sys.argv[1]))
sys.stdin.readline()  # all start together
print(int(claims.claim(sys.argv[2])), flush=True)
sys.stdin.readline()  # stay alive while the others try
"""


@pytest.mark.slow
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
        racer.communicate("\n", timeout=300)
    assert sorted(won) == ["0", "0", "0", "1"]


def test_one_touch_refreshes_all_claims_of_a_process(tmp_path: Path) -> None:
    claims = Claims(tmp_path)
    keys = [str(i) * 64 for i in range(5)]
    assert all(claims.claim(key) for key in keys)
    old = time.time() - STALE_S - 1
    for key in keys:
        os.utime(tmp_path / "claims" / key, (old, old))
    claims.refresh()
    assert all((tmp_path / "claims" / key).stat().st_mtime > old + STALE_S for key in keys)


def test_a_machine_whose_clock_is_wrong_breaks_no_living_claim(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim_as(tmp_path, Owner("elsewhere", 1, "1"))
    real = time.time
    monkeypatch.setattr(claims_module.time, "time", lambda: real() + 24 * 3600)
    assert not Claims(tmp_path).claim(KEY)


def test_more_claims_than_a_file_can_have_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.link

    def link(source: str, target: str) -> None:
        if os.stat(source).st_nlink > 3:
            raise OSError(errno.EMLINK, os.strerror(errno.EMLINK))
        real(source, target)

    monkeypatch.setattr(claims_module.os, "link", link)
    claims = Claims(tmp_path)
    keys = [f"{i:064d}" for i in range(10)]
    assert all(claims.claim(key) for key in keys)
    assert all(claims.holder(key) == claims.owner for key in keys)
    for key in keys:
        claims.release(key)
    assert not list((tmp_path / "claims").iterdir())
    assert not list((tmp_path / "drivers").iterdir())


def test_drivers_are_known_with_their_study_while_they_live(tmp_path: Path) -> None:
    (tmp_path / "drivers").mkdir()
    dead = replace(Owner.this(), born="12345")
    (tmp_path / "drivers" / "dead.json").write_text(json.dumps(asdict(dead)))
    (tmp_path / "drivers" / "torn.json").write_text("{")
    claims = Claims(tmp_path)
    assert claims.drivers() == []
    claims.register("scaling", "laptop")
    (seen,) = Claims(tmp_path).drivers()
    assert (seen.pid, seen.study, seen.profile) == (os.getpid(), "scaling", "laptop")
    assert not (tmp_path / "drivers" / "dead.json").exists()
    assert claims.claim(KEY)
    claims.release(KEY)
    assert len(claims.drivers()) == 1  # still there, with nothing in hand
    claims.leave()
    assert claims.drivers() == []


def test_a_claim_nobody_may_read_is_not_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = claim_as(tmp_path, Owner("elsewhere", 1, "1"))
    real = Path.read_text

    def read_text(self: Path, *arguments: object) -> str:
        if self == path:
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(self)

    monkeypatch.setattr(Path, "read_text", read_text)
    assert not Claims(tmp_path).claim(KEY)


def test_how_far_local_stages_are_is_told_while_the_driver_lives(tmp_path: Path) -> None:
    claims = Claims(tmp_path)
    claims.register("scaling", "laptop")
    claims.tell({KEY: {"done": 3, "total": 6}})
    assert Claims(tmp_path).told() == {KEY: {"done": 3, "total": 6}}
    claims.leave()
    assert Claims(tmp_path).told() == {}
    assert not list((tmp_path / "drivers").iterdir())


def test_held_claims_are_found_with_one_look_per_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, other = Claims(tmp_path), Claims(tmp_path)
    other.owner = Owner("elsewhere", 1, "1")
    keys = [f"{i:064d}" for i in range(40)]
    for i, key in enumerate(keys):
        assert (mine if i % 2 else other).claim(key)
    claim_as(tmp_path, dead_owner())
    looks = 0
    real = Claims.holder

    def holder(self: Claims, key: str) -> Owner | None:
        nonlocal looks
        looks += 1
        return real(self, key)

    monkeypatch.setattr(Claims, "holder", holder)
    assert Claims(tmp_path).held({*keys, KEY}) == set(keys)
    assert looks == 3
    assert not (tmp_path / "claims" / KEY).exists()  # the dead one's was broken
    assert Claims(tmp_path).held(set()) == set()


def test_another_users_process_that_is_hidden_in_proc_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """hidepid=2, as many login nodes have it."""
    claim_as(tmp_path, Owner(Owner.this().host, 1234567, "99"))

    def kill(pid: int, number: int) -> None:
        assert (pid, number) == (1234567, 0)
        raise PermissionError

    assert not Claims(tmp_path).alive(KEY)
    monkeypatch.setattr(claims_module.os, "kill", kill)
    assert Claims(tmp_path).alive(KEY)
    assert not Claims(tmp_path).claim(KEY)


def test_a_link_that_was_made_though_its_answer_was_lost_is_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network disk: the question was asked twice, the second time the link is there already."""
    real = os.link
    for number in (errno.EEXIST, errno.EIO, errno.ESTALE):
        claims, key = Claims(tmp_path), f"{number:064d}"

        def link(source: str, target: str, number: int = number) -> None:
            real(source, target)
            raise OSError(number, os.strerror(number))

        with monkeypatch.context() as patched:
            patched.setattr(claims_module.os, "link", link)
            assert claims.claim(key)
        assert not claims.claim(key) and not Claims(tmp_path).claim(key)
        claims.release(key)
        assert Claims(tmp_path).claim(key)


def test_a_claim_that_its_owner_gives_up_and_takes_again_meanwhile_is_not_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between another machine's look at a claim and its breaking it. The new claim is the same file
    as the old one."""
    monkeypatch.setattr(claims_module.socket, "gethostname", lambda: "elsewhere")
    owner = Claims(tmp_path)
    owner.register()
    monkeypatch.undo()
    assert owner.claim(KEY)
    other, looked, real = Claims(tmp_path), 0, os.rename

    def given_up(claimant: Owner, path: Path) -> bool:  # the look at its time finds nothing
        nonlocal looked
        looked += 1
        if looked == 1:
            owner.release(KEY)
            return False
        return True

    def rename(source: Path, target: Path) -> None:
        assert owner.claim(KEY)
        real(source, target)

    monkeypatch.setattr(other, "_lives", given_up)
    monkeypatch.setattr(claims_module.os, "rename", rename)
    assert other.holder(KEY) == owner.owner
    assert other.owner_of(KEY) == owner.owner
    assert [p.name for p in (tmp_path / "claims").iterdir()] == [KEY]


def test_a_stale_handle_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, asked = os.link, []

    def link(source: str, target: str) -> None:
        asked.append(target)
        if len(asked) == 1:
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        real(source, target)

    monkeypatch.setattr(claims_module.os, "link", link)
    assert Claims(tmp_path).claim(KEY) and len(asked) >= 2


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_is_set_while_we_run_breaks_no_living_claim(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    path = claim_as(tmp_path, Owner("elsewhere", 1, "1"))
    claims = Claims(tmp_path)
    assert not claims.claim(KEY)  # the clocks are compared
    real = time.time
    monkeypatch.setattr(claims_module.time, "time", lambda: real() + 3600 * hours)
    assert not claims.claim(KEY)
    monkeypatch.undo()
    old = time.time() - STALE_S - 1
    os.utime(path, (old, old))
    assert Claims(tmp_path).claim(KEY)  # and a silent one's is still broken


def test_attributes_a_minute_old_take_no_claim_from_the_living(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network disk shows what was a minute ago; its owner refreshes once a minute."""
    path = claim_as(tmp_path, Owner("elsewhere", 1, "1"))
    seen = time.time() - 60 - 60 - 5
    os.utime(path, (seen, seen))
    assert not Claims(tmp_path).claim(KEY)


def test_where_the_clocks_cannot_be_compared_nothing_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = claim_as(tmp_path, Owner("elsewhere", 1, "1"))
    old = time.time() - STALE_S - 1
    os.utime(path, (old, old))

    def touch(self: Path, *arguments: object, **given: object) -> None:
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    monkeypatch.setattr(Path, "touch", touch)
    assert Claims(tmp_path).holder(KEY) == Owner("elsewhere", 1, "1")
