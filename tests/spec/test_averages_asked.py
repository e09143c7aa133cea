"""Which average of the weights a study samples from: what is refused, and what the keys say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.errors import BadInput
from harness.plan import make_plan
from harness.plan.plan import Plan
from harness.spec import load_study

STUDY = """\
study: averages
data: {name: glyphs, image_size: 8, channels: 1, train_images: 100}
model: {family: DiT-micro, size: S, patch_size: 4}
train: {steps: 800, milestones: [400, 800], batch_size: 8, ema: 0.99}
reference: {extractor: glyphs-cnn, images: 50}
evaluations:
  final: {at: end, sampling_steps: 4, samples: 10, split_size: 2}
"""


def plan(folder: Path, *overrides: str) -> Plan:
    path = folder / "study.yaml"
    path.write_text(STUDY)
    return make_plan(load_study(path, overrides=overrides))


def keys(folder: Path, kind: str, *overrides: str) -> list[str]:
    return [k for k, s in plan(folder, *overrides).stages.items() if s.kind == kind]


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (
            ["evaluations.final.ema=0.9"],
            "evaluations.final.ema is 0.9, and train.ema keeps 0.99: name one of them",
        ),
        (
            ["train.ema=[0.99,0.9]", "evaluations.final.ema=0.95"],
            "is 0.95, and train.ema keeps 0.99, 0.9",
        ),
        (
            ["evaluations.final.ema_length=0.1"],
            "train.ema_snapshots keeps none: give it, as {every: 50}, and train with it",
        ),
        (
            ["evaluations.final.ema_length=0.2", "train.ema_snapshots.every=50"],
            "lengths of 0.05 to 0.15 can be made, not 0.2",
        ),
        (
            ["evaluations.final.ema_length=0.075", "train.ema_snapshots.every=400"],
            "4% off what was asked for (at most 3%): every 100 steps would do",
        ),
        (
            [
                "evaluations.final.ema_length=0.075",
                "evaluations.final.at=milestones",
                "train.milestones=[100,800]",
                "train.ema_snapshots.every=100",
            ],
            "at step 100 is 4% off",
        ),
        (
            ["evaluations.final.ema_length=0.1", "evaluations.final.ema=0.99"],
            "give ema or ema_length, not both",
        ),
        (["train.ema=[0.9,0.9]"], "none of them twice"),
        (["train.ema=[]"], "one or more"),
        (
            ["train.ema_snapshots.every=10", "train.ema_snapshots.lengths=[0.1]"],
            "two or more that ascend",
        ),
        (["train.ema_snapshots.lengths=[0.05,0.1]"], "train.ema_snapshots.every"),
    ],
)
def test_an_average_that_cannot_be_had_is_refused(
    tmp_path: Path, overrides: list[str], said: str
) -> None:
    with pytest.raises(BadInput) as caught:
        plan(tmp_path, *overrides)
    assert said in str(caught.value)


def test_todays_keys_stand(tmp_path: Path) -> None:
    """A list of one decay is that decay; naming the first is naming none."""
    for kind in ("train", "sample"):
        today = keys(tmp_path, kind)
        assert keys(tmp_path, kind, "train.ema=[0.99]") == today
        assert keys(tmp_path, kind, "evaluations.final.ema=0.99") == today


def test_what_is_kept_beside_is_in_the_key_and_its_order_is_not(tmp_path: Path) -> None:
    one = keys(tmp_path, "train", "train.ema=[0.99,0.9,0.5]")
    assert one == keys(tmp_path, "train", "train.ema=[0.99,0.5,0.9]")
    found = [
        tuple(keys(tmp_path, "train", *overrides))
        for overrides in (
            [],
            ["train.ema=[0.99,0.9,0.5]"],
            ["train.ema=[0.9,0.99,0.5]"],
            ["train.ema_snapshots.every=50"],
            ["train.ema_snapshots.every=100"],
            ["train.ema_snapshots.every=50", "train.ema_snapshots.lengths=[0.05,0.15]"],
        )
    ]
    assert len(set(found)) == len(found)


def test_two_lengths_are_two_samples_of_one_training(tmp_path: Path) -> None:
    kept = "train.ema_snapshots.every=50"
    more = ["evaluations.short={sampling_steps: 4, samples: 10, split_size: 2, ema_length: 0.06}"]
    more += ["evaluations.long={sampling_steps: 4, samples: 10, split_size: 2, ema_length: 0.12}"]
    made = plan(tmp_path, kept, *more)
    stages = list(made.stages.values())
    assert sum(s.kind == "train" for s in stages) == 1
    drawn = [json.loads(s.settings).get("ema_length") for s in stages if s.kind == "sample"]
    assert drawn == [None, 0.06, 0.12]
    assert any("EMA of length 0.06" in s.label for s in stages)


def test_each_average_asked_for_is_one_that_its_own_run_keeps(tmp_path: Path) -> None:
    """The first of one run may be a further one of another."""
    axis = "matrix.axes={train.ema: [[0.99, 0.9], [0.9, 0.99]]}"
    made = plan(tmp_path, axis, "evaluations.final.ema=0.9")
    drawn = [json.loads(s.settings).get("ema") for s in made.stages.values() if s.kind == "sample"]
    assert drawn == [0.9, None]


def test_an_imported_checkpoint_has_one_average(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(
        STUDY.replace("{family: DiT-micro, size: S, patch_size: 4}", "{checkpoint: its}")
    )
    with pytest.raises(BadInput, match="an imported checkpoint has one average: leave it out"):
        load_study(path, overrides=["evaluations.final.ema=0.99"])
