"""Networks whose family has no formula are counted once, in a child, and `plan` says so."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import pytest

from harness.components.family import Family, Input
from harness.plan import counts, keys
from harness.plan.build import make_plan
from harness.spec.study import load_study

FAMILY = '''
from typing import ClassVar

import torch
from torch import nn

from harness.components import Family


class Flat(Family):
    """One convolution, and no formula."""

    name: ClassVar[str] = "flat"

    size: int = 3
    "Of the kernel."

    @property
    def label(self):
        return f"flat-{self.size}"

    def check(self, given):
        pass

    def build(self, given, *, checkpointing=False):
        class Net(nn.Conv2d):
            null_label = given.num_classes

            def forward(self, x, t, y):
                return super().forward(x)

        return Net(given.channels, given.out_channels, self.size, padding=self.size // 2)
'''
STUDY = """\
study: flat
title: Convolutions
components: [flat.py]
data: {name: glyphs, image_size: 8, channels: 3, num_classes: 10, train_images: 64}
model: {family: flat}
matrix: {axes: {model.size: [3, 5]}}
train: {steps: 10, batch_size: 4, learning_rate: 1e-3}
dispatch: {device: cpu}
report: {sections: [gflops]}
profiles: {laptop: {}}
"""
COUNTED = {3: 9 * 3 * 6 * 64 / 1e9, 5: 25 * 3 * 6 * 64 / 1e9}


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "flat.py").write_text(FAMILY)
    path = tmp_path / "flat.yaml"
    path.write_text(STUDY)
    return path


def answers(asked: dict[str, Any]) -> tuple[list[dict[str, Any]], str]:
    return [{"gflops": COUNTED[a["size"]]} for a in asked["architectures"]], ""


def test_counts_are_asked_for_once_and_another_file_is_another_count(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def ask(given: dict[str, Any]) -> Any:
        asked.append(len(given["architectures"]))
        return answers(given)

    monkeypatch.setattr(counts, "_ask", ask)

    def known(ask: bool = True) -> counts.Counts:
        loaded = load_study(study)
        plan = make_plan(loaded)
        assert len(plan.uncounted) == 2
        return counts.counted(plan.uncounted, loaded.components, study.parent, ask)

    assert not known(ask=False).gflops
    found = known()
    assert sorted(found.gflops.values()) == sorted(COUNTED.values())
    plan = make_plan(load_study(study), counts=found)
    assert not plan.uncounted
    costs = {s.gflops for s in plan.stages.values() if s.kind == "train"}
    assert costs == {3 * 4 * 10 * gflops for gflops in COUNTED.values()}
    assert list(plan.stages) == list(make_plan(load_study(study)).stages)  # costs are in no key
    assert known() == found and known(ask=False) == found and asked == [2]
    (study.parent / "flat.py").write_text(FAMILY + "\n# changed\n")
    assert known().gflops == found.gflops and asked == [2, 2]


class Nothing(Family):
    """Is never built."""

    name = "DiT"
    label: ClassVar[str] = "nothing"

    def check(self, given: Input) -> None:
        pass

    def build(self, given: Input, *, checkpointing: bool = False) -> Any:
        raise NotImplementedError


def test_a_network_that_cannot_be_counted_and_a_child_that_fails_are_told(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = {keys.canonical({"a": 1}): (Nothing(), Input(8, 3, 10, 6))}
    monkeypatch.setattr(counts, "_ask", lambda _: ([{"error": "RuntimeError: no"}], ""))
    found = counts.counted(network, (), study.parent, ask=True)
    assert found.refused == {'{"a":1}': "RuntimeError: no"} and not found.gflops
    monkeypatch.undo()
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    found = counts.counted(network, (), study.parent, ask=True)
    assert found.unasked is not None and "No such file" in found.unasked


@pytest.mark.slow
def test_plan_says_counted_and_stays_without_torch(study: Path) -> None:
    code = (
        "import sys; sys.argv = ['harness', 'plan', 'flat.yaml']\n"
        "from harness.cli import main\ncode = main(sys.argv[1:])\n"
        "assert 'torch' not in sys.modules; sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=study.parent, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "counted, as its family has no formula: flat-3, 1.037e-05 Gflops" in done.stdout
    kept = [json.loads(p.read_text()) for p in (study.parent / "cache").rglob("*.json")]
    assert sorted(k["gflops"] for k in kept) == sorted(COUNTED.values())
    text = FAMILY.replace(
        "class Net(nn.Conv2d)", "nn.NoSuchLayer()\n\n        class Net(nn.Conv2d)"
    )
    (study.parent / "flat.py").write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "harness", "run", "flat.yaml"],
        cwd=study.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "the network of flat-3 cannot be built and counted: AttributeError" in done.stderr
