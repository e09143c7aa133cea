"""Places of this machine: a GPU, or a few CPU cores."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from tiny_study import TINY

from harness.dispatch.local import places
from harness.dispatch.local.places import DEVICES, choose, choose_all, device, gpus, layout
from harness.spec import load_study
from harness.spec.schema import DispatchSettings

CPU: dict[str, str] = {}


def gpu(number: int) -> dict[str, str]:
    return {DEVICES: str(number)}


@pytest.mark.parametrize(
    ("visible", "found"), [("0,2", ["0", "2"]), ("", []), ("-1", []), ("GPU-ab", ["GPU-ab"])]
)
def test_gpus_are_those_that_the_environment_shows(
    visible: str, found: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DEVICES, visible)
    assert gpus() == found


def test_without_a_word_the_driver_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DEVICES, raising=False)
    monkeypatch.setattr(places.shutil, "which", lambda _: None)
    assert gpus() == []
    monkeypatch.setattr(places.shutil, "which", lambda _: "/bin/nvidia-smi")

    def answer(*_: Any, **__: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], 0, "0\n1\n", "")

    monkeypatch.setattr(places.subprocess, "run", answer)
    assert gpus() == ["0", "1"]

    def fails(*_: Any, **__: Any) -> None:
        raise subprocess.TimeoutExpired("nvidia-smi", 20)

    monkeypatch.setattr(places.subprocess, "run", fails)
    assert gpus() == []


def test_processes_of_one_stage_get_different_gpus() -> None:
    assert choose([gpu(0), gpu(0), gpu(1)], 2) == [gpu(0), gpu(1)]
    assert choose([gpu(0), gpu(0)], 2) is None
    assert choose([CPU, CPU], 2) == [CPU, CPU], "of the processor any two"
    assert len(choose_all([gpu(0), gpu(0), gpu(1)])) == 2
    assert device(CPU) == "" and device(gpu(3)) == "3"


def test_more_workers_than_gpus_share_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DEVICES, "4,5")
    found = layout(DispatchSettings(device="cuda", workers=3, threads=2))
    assert [place[DEVICES] for place in found] == ["4", "5", "4"]
    assert {place["OMP_NUM_THREADS"] for place in found} == {"2"}


def test_a_large_machine_gets_no_more_workers_than_memory_allows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(places, "cores", lambda: 64)
    assert len(layout(DispatchSettings(device="cpu"))) == places.MOST_CPU_WORKERS
    wide = DispatchSettings(device="cpu", local={"train": 12})
    assert len(layout(wide)) == 12, "but as many as one stage is given"


@pytest.mark.slow
def test_more_workers_than_a_machine_can_have_are_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(TINY)
    asked = load_study(tmp_path / "tiny.yaml", overrides=["dispatch.workers=65535"])
    (said,) = places.problems(asked)
    assert "each is a process of this machine" in said and "at most 1,024" in said
    assert len(layout(asked.settings.dispatch)) == places.MOST_WORKERS
