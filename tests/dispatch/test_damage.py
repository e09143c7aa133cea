"""Files of the ledger that were damaged: no verb falls over them, and `run` goes on to the end."""

from __future__ import annotations

import contextlib
import io
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from pretender import drive
from tiny_study import TINY

from harness.cli import main
from harness.dispatch.ledger import Ledger
from harness.plan import Plan, Stage, make_plan
from harness.spec import load_study
from harness.store import files as store_files

PATTERNS = {
    "ledger entry": "attempts/*/*.json",
    "claim": "claims/*",
    "driver": "drivers/*.json",
    "progress": "drivers/*.progress",
    "log": "logs/*/*.log",
}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("study") / "tiny.yaml"
    path.write_text(TINY)
    return path


@pytest.fixture(scope="module")
def plan(study: Path) -> Plan:
    return make_plan(load_study(study))


def truncate(path: Path) -> None:
    path.write_bytes(b"")


def halve(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    if data:
        data[random.Random(len(data)).randrange(len(data))] ^= 1
        path.write_bytes(bytes(data))


def garble(path: Path) -> None:
    path.write_text('["no object"]')


def fold(path: Path) -> None:
    path.unlink()
    path.mkdir()


def lose(path: Path) -> None:
    path.unlink()


def loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)  # whoever opens it is refused, root too


DAMAGES = (truncate, halve, flip, garble, fold, lose, loop)
QUICK = (truncate, garble)  # a sample for each change


def interrupted(plan: Plan, root: Path) -> list[Stage]:
    """Results of a driver that died: one stage done, one failed, one at work."""
    code, _, _ = drive(plan, root, fail="sample")
    assert code == 1
    waiting = [s for s in plan.stages.values() if s.kind == "train"][:2]
    ledger = Ledger(root)
    ledger.register("tiny", "laptop")
    for stage in waiting:
        ledger.claim(stage.key)
        attempt = ledger.begin(stage.key, stage.kind, stage.label)
        Path(attempt.log).parent.mkdir(parents=True, exist_ok=True)
        Path(attempt.log).write_text("step 1\n" * 40)
        shutil.rmtree(root / "artifacts" / "train" / stage.key)
    ledger.tell({s.key: {"done": 1, "total": 2} for s in waiting})
    for path in [*root.glob("claims/*"), *root.glob("drivers/*.json")]:  # it has died
        content = json.loads(path.read_text()) | {"born": "1"}
        content["check"] = store_files.checksum({k: v for k, v in content.items() if k != "check"})
        path.write_text(json.dumps(content))
    return waiting


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(damage, id=damage.__name__, marks=() if damage in QUICK else pytest.mark.slow)
        for damage in DAMAGES
    ],
)
@pytest.mark.parametrize("what", PATTERNS)
def test_a_damaged_file_stops_nobody(
    plan: Plan, study: Path, tmp_path: Path, what: str, damage: Callable[[Path], None]
) -> None:
    interrupted(plan, tmp_path)
    files = [p for p in tmp_path.glob(PATTERNS[what]) if p.is_file()]
    assert files
    for path in files[-3:]:
        damage(path)
    for verb in (["status"], ["status", "--json"], ["plan"], ["logs", "train"]):
        said = io.StringIO()
        words = [*verb, str(study), "--results", str(tmp_path)]
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            code = main(words)
        assert code in (0, 1, 2) and "Traceback" not in said.getvalue(), said.getvalue()
    code, driver, _ = drive(plan, tmp_path)
    assert code == 0 and driver.agenda.done == set(plan.stages)
    assert not [p for p in tmp_path.glob("claims/[!_]*") if p.is_file()]
