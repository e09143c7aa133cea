"""Numbers of which nothing can be computed are refused, those that take years are noted."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_study import TINY

from harness.cli import main
from harness.spec import load_study, too_large
from harness.spec.never import never
from harness.spec.study import Study


def study(folder: Path, *overrides: str) -> Study:
    (folder / "tiny.yaml").write_text(TINY)
    return load_study(folder / "tiny.yaml", overrides=overrides)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("data.image_size=100000", "one image is 40 GB in float32; give at most 16,384"),
        ("diffusion.steps=1000000000000", "give at most 100,000,000 (the paper has 1,000)"),
        ("train.steps=1000000000000000", "at 10,000 steps a second they take 3,169 years"),
        ("reference.extractor_steps=1000000000000000", "they take 3,169 years; give fewer"),
        ("train.batch_size=1000000000000", "takes 1 PB on a device for its inputs alone"),
        ("reference.images=1000000000000", "are made in memory, and so many take 64 TB"),
        ("reference.extractor_images=1000000000000", "are made in memory"),
        ("data.train_images=1000000000000", "are made in memory"),
        ("evaluations.final.samples=1000000000000", "their features alone take 256 TB"),
        ("evaluations.final.subsets=1000000000000", "a distance is computed of each"),
    ],
)
def test_what_cannot_be_computed_is_refused_with_what_can(
    override: str, said: str, tmp_path: Path
) -> None:
    found = list(never(study(tmp_path, override)))
    assert any(line.startswith(f"--set {override}: ") and said in line for line in found), found
    assert len(found) == 1


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("train.steps=1000000000000", "at 10,000 steps a second they take 3 years"),
        ("train.batch_size=1000000000", "takes 1 TB on a device for its inputs alone"),
    ],
)
def test_what_takes_years_or_more_than_a_device_is_noted(
    override: str, said: str, tmp_path: Path
) -> None:
    asked = study(tmp_path, override)
    assert list(never(asked)) == []
    (note,) = too_large.notes(asked)
    assert said in note


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (("data.channels=3", "data.image_size=100000"), "one image is 120 GB in float32"),
        (("data.channels=3", "reference.images=1000000000000"), "so many take 192 TB"),
        (
            ("dispatch.local={train: 4}", "train.batch_size=1000000000000"),
            "takes 256 TB on each of 4 devices for its inputs alone",
        ),
    ],
)
def test_channels_and_the_devices_that_share_a_batch_count(
    overrides: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    (line,) = never(study(tmp_path, *overrides))
    assert said in line
    shared = study(tmp_path, "dispatch.local={train: 4}", "train.batch_size=1000000000")
    assert "takes 256 GB on a device" in too_large.notes(shared)[0]


def test_a_checkpoint_that_is_brought_is_trained_by_nobody(tmp_path: Path) -> None:
    text = TINY.replace("model: {family: DiT-micro}", "model: {checkpoint: brought}")
    axes = ("matrix:", "  axes:", "    model.")
    lines = [line for line in text.splitlines() if not line.startswith(axes)]
    (tmp_path / "brought.yaml").write_text("\n".join(lines))
    changed = ("train.steps=1000000000000000", "evaluations.final.at=end")
    asked = load_study(tmp_path / "brought.yaml", overrides=changed)
    assert [run.model.checkpoint for run in asked.runs] == ["brought"]
    assert not [line for line in never(asked) if "train.steps" in line]


def test_what_people_ask_for_is_neither(tmp_path: Path) -> None:
    for overrides in (
        (),
        ("train.steps=7000000", "evaluations.final.samples=50000", "data.image_size=1024"),
        ("train.batch_size=1000000000", "train.batch_per_device=1000"),
        ("train.batch_size=1000000", "dispatch.executor=slurm"),
    ):
        asked = study(tmp_path, *overrides)
        assert list(never(asked)) == [] and too_large.notes(asked) == []


def test_a_year_of_a_fast_device_is_noted_by_plan(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tiny.yaml").write_text(TINY)
    given = ["plan", str(tmp_path / "tiny.yaml"), "--results", str(tmp_path / "results")]
    assert main([*given, "--set", "train.steps=500000000000000"]) == 2
    capsys.readouterr()
    for override in ("train.steps=300000000000", "train.batch_size=10000000",
                     "train.milestones=[300000000000]"):  # fmt: skip
        given += ["--set", override]
    assert main(given) == 0
    assert "years of one device at 1 Pflop/s" in capsys.readouterr().out
    year_and_a_half = 1.5 * too_large.YEAR * too_large.PFLOPS
    assert "takes 1.5 years of one device" in (too_large.years_of(year_and_a_half) or "")
    assert too_large.years_of(1e13) is None and "3 years" in (too_large.years_of(1e14) or "")


@pytest.mark.parametrize("count", [1.2e11, 3e15, 4e22])
def test_sizes_have_their_unit(count: float) -> None:
    assert too_large.size(count) in ("120 GB", "3 PB", "40,000,000 PB")
