"""A whole run over a network disk: listings a minute old, lost answers, errors at any step.

A network file system answers a question that it was asked before with what it knew then, reports as
failed a rename or a link that happened, loses hold of files, and fails now and then. All of it goes
through harness.store.files and the few calls beneath it, where it is injected here. Whatever the
disturbed run came to, the same command on a quiet disk ends with all numbers, each once, as an
undisturbed run has them.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import random
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from in_process import here_alone
from scanned import Entries
from tiny_study import TINY

from harness.cli import main
from harness.dispatch import claims
from harness.dispatch.claims import Owner
from harness.dispatch.ledger import Ledger
from harness.plan import make_plan
from harness.spec import load_study
from harness.store import files

SMALL = TINY.replace("milestones: [3, 6]", "milestones: [3]").replace("[S, B]", "[S]")


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "tiny.yaml").write_text(SMALL)
    monkeypatch.chdir(tmp_path)
    here_alone(monkeypatch)
    return tmp_path / "tiny.yaml"


def run(results: str) -> int:
    return main(["run", "tiny.yaml", "--no-report", "--results", results])


def numbers(results: str, capsys: pytest.CaptureFixture[str]) -> dict[tuple[str, ...], float]:
    """Every number that `results --csv` shows; raises where one is shown twice."""
    found: dict[tuple[str, ...], float] = {}
    for table, value in (("metrics", "value"), ("runs", "loss"), ("training", "loss")):
        capsys.readouterr()
        command = ["results", "tiny.yaml", "--csv", "--table", table, "--results", results]
        assert main(command) == 0
        frame = pd.read_csv(io.StringIO(capsys.readouterr().out))
        names = [c for c in ("key", "metric", "step") if c in frame]
        for row in frame.to_dict("records"):
            name = (table, *(str(row[c]) for c in names))
            assert name not in found, f"{name} is shown twice"
            found[name] = row[value]
    return found


class NetworkDisk:
    """What lies under `root` behaves as on a network disk, until `quiet`."""

    def __init__(self, root: Path, seed: int, errors: float) -> None:
        self.root, self.errors, self.draws = str(root.resolve()), errors, random.Random(seed)
        self.listings: dict[str, tuple[float, list[str]]] = {}
        self.old = self.lost = self.failed = 0

    def below(self, path: Any) -> bool:
        try:
            return os.path.abspath(os.fspath(path)).startswith(self.root)
        except TypeError:
            return False

    def listing(self, real: Callable[..., list[str]]) -> Callable[..., list[str]]:
        """A folder is listed as it was up to 60 seconds ago, at least half of the time."""

        def listdir(path: Any = ".") -> list[str]:
            if not self.below(path):
                return real(path)
            name, now = os.path.abspath(path), time.monotonic()
            before = self.listings.get(name)
            if before is not None and now - before[0] < 60 and self.draws.random() < 0.5:
                self.old += 1
                return list(before[1])
            found = real(path)
            self.listings[name] = (now, found)
            return found

        return listdir

    def scanning(self, real: Callable[..., Any], listdir: Callable[..., Any]) -> Callable[..., Any]:
        """The same of os.scandir: entries that have come since are not seen."""

        def scandir(path: Any = ".") -> Any:
            if not self.below(path):
                return real(path)
            known = set(listdir(path))
            with real(path) as entries:
                return Entries([e for e in entries if e.name in known])

        return scandir

    def changing(self, real: Callable[..., Any]) -> Callable[..., Any]:
        """A rename or link that happens, and is reported failed: its answer was lost."""

        def change(source: Any, target: Any, *args: Any, **kwargs: Any) -> Any:
            done = real(source, target, *args, **kwargs)
            if self.below(target) and self.draws.random() < 0.1:
                self.lost += 1
                raise OSError(errno.EIO, "the server's answer was lost", str(target))
            return done

        return change

    def step(self, operation: str, path: Path) -> None:
        """An error of the disk at any step of the commit protocol."""
        if self.below(path) and self.draws.random() < self.errors:
            self.failed += 1
            number = self.draws.choice([errno.ESTALE, errno.EIO, errno.EDQUOT])
            raise OSError(number, os.strerror(number), str(path))


@contextlib.contextmanager
def disturbed(disk: NetworkDisk) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        listdir = disk.listing(os.listdir)
        patch.setattr(os, "scandir", disk.scanning(os.scandir, listdir))
        patch.setattr(os, "listdir", listdir)
        for name in ("replace", "rename", "link"):
            patch.setattr(os, name, disk.changing(getattr(os, name)))
        patch.setattr(files, "step", disk.step)
        yield


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("seed", "errors"), [(1, 0.0), (2, 0.01), pytest.param(3, 0.05, marks=[pytest.mark.full])]
)
def test_a_run_over_a_network_disk_loses_and_doubles_nothing(
    seed: int, errors: float, study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("quiet") == 0
    wanted = numbers("quiet", capsys)
    assert len(wanted) > 10
    disk = NetworkDisk(study.parent / "results", seed, errors)
    for _ in range(6):  # whoever sits before it runs it again
        with disturbed(disk):
            code = run("results")
        assert code in (0, 1, 2, 3)
        said = capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        if code == 0:
            break
    assert disk.old + disk.lost + disk.failed > 5 and bool(disk.failed) == bool(errors)
    assert run("results") == 0
    assert numbers("results", capsys) == wanted
    assert not [p for p in (study.parent / "results" / "claims").iterdir() if p.name[0] != "_"]
    assert not list((study.parent / "results").glob("quarantine/*")), "whole work was thrown away"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("hours", [-1, 1])
def test_a_run_on_a_host_an_hour_off_takes_no_claim_from_the_living(
    hours: int, study: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another host works on a stage, and has just said so; our clock is an hour off."""
    root = study.parent / "results"
    plan = make_plan(load_study(study))
    key = next(s.key for s in plan.stages.values() if s.kind == "complexity")
    other = Ledger(root)
    other.owner = Owner("another-host", 4321, "then")
    assert other.claim(key)
    assert socket.gethostname() != "another-host"
    real = time.time
    monkeypatch.setattr(claims.time, "time", lambda: real() + 3600 * hours)
    ours = Ledger(root)
    assert not ours.claim(key) and ours.holder(key) == other.owner
    other.release(key)
    assert run("results") == 0
    values = numbers("results", capsys)
    monkeypatch.setattr(claims.time, "time", real)
    assert run("quiet") == 0 and numbers("quiet", capsys) == values
