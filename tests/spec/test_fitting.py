"""Parts of a study that do not fit are refused at their line, and told what fits."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_study import problems, write

from harness.components import get, names
from harness.errors import BadInput
from harness.spec import load_study

STUDY = """\
study: fitting
data: {name: glyphs, image_size: 8, channels: 1, train_images: 100}
model: {family: DiT-micro, size: S, patch_size: 4}
objective: flow
train: {steps: 100, batch_size: 8, ema: 0.9}
reference: {extractor: glyphs-cnn, images: 50}
evaluations:
  final:
    sampling_steps: 4
    samples: 10
    split_size: 2
matrix:
  axes:
    seed: [0]
    model.base_width: [null]
    train.batch_size: [8]
profiles:
  laptop: {}
"""
MODEL = "model: {family: DiT-micro, size: S, patch_size: 4}"
AXIS = "model.base_width: [null]"
STEPS = "    sampling_steps: 4"


@pytest.mark.parametrize(
    ("changes", "line", "said"),
    [
        # an objective with a sampler that does not serve it
        ({STEPS: f"{STEPS}\n    sampler: ddim"}, 10, "its samplers are: flow-euler, flow-heun"),
        ({STEPS: f"{STEPS}\n    sampler: {{name: edm-heun, churn: 3}}"}, 10,
         "serves the objectives edm, and this one is 'flow'"),
        ({STEPS: f"{STEPS}\n    sampler: flow-sde", AXIS: "objective: [flow, ddpm]"}, 10,
         "this one is 'ddpm'; its samplers are: ancestral, ddim, dpm-solver++"),
        ({STEPS: f"{STEPS}\n    sampler: dpm-solver++", "objective: flow": "objective: edm"}, 10,
         "its samplers are: edm-heun"),
        ({"objective: flow": "objective: edm", STEPS:
          f"{STEPS}\n    sampler: {{name: edm-heun, churn: 9, churn_min: 60}}"}, 10,
         "churn_min 60 is above churn_max 50"),
        # a family that cannot take the input's shape
        ({MODEL: "model: {family: U-ViT, size: S, patch_size: 3}"}, 3, "1, 2, 4, 8 do"),
        ({AXIS: "model.size: [S]\n    model.patch_size: [4, 3]"}, 16, "1, 2, 4, 8 do"),
        ({MODEL: "model: {family: DiT-modern, size: S, patch_size: 16}"}, 3, "1, 2, 4, 8 do"),
        ({"image_size: 8": "image_size: 9"}, 3, "input of 9; 1, 3, 9 do"),
        ({AXIS: "data.image_size: [8, 9]"}, 3, "input of 9; 1, 3, 9 do"),
        ({MODEL: "model: {family: UNet, width: 16, multipliers: [1, 1, 1, 1, 1]}"}, 3,
         "must be a multiple of 16, or give at most 4 multipliers"),
        ({MODEL: "model: {family: UNet, width: 16, attention: [5]}"}, 3,
         "the resolutions of an input of 8 are 8, 4, 2"),
        # sizes that are no network
        ({MODEL: "model: {family: UNet, width: 15}"}, 3, "must be even, as 14 or 16"),
        ({MODEL: "model: {family: UNet}", AXIS: "model.width: [16, 1]"}, 15, "must be even, as 2"),
        ({MODEL: "model: {family: U-ViT, depth: 4, width: 32, heads: 2, patch_size: 2}"}, 3,
         "so its depth is odd: 3 or 5"),
        # a step that takes off more of a weight than there is of it
        ({"ema: 0.9": "weight_decay: 20000"}, 5, "takes 2 times each weight off it in every step"),
        ({"ema: 0.9": "optimizer: {name: muon, weight_decay: 2e4}"}, 5, "give at most 10000"),
        ({"ema: 0.9": "weight_decay: 2", AXIS: "train.learning_rate: [1e-3, 1]"}, 5,
         "weight_decay 2 with learning_rate 1 takes 2 times"),
        # a schedule longer than the training
        ({"ema: 0.9": "schedule: warmup"}, 5, "warms up for 5,000 steps, training takes 100"),
        ({"ema: 0.9": "schedule: {name: cosine, warmup: 100}"}, 5, "give fewer than 100"),
        ({"ema: 0.9": "schedule: {name: wsd, warmup: 90}"}, 5, "give at most 80"),
        ({"ema: 0.9": "schedule: {name: wsd, warmup: 50}", AXIS: "train.steps: [100, 60]"}, 15,
         "of 60 steps the last 12 are its decay: give at most 48"),
        ({"ema: 0.9": "schedule: {name: wsd}", AXIS: "train.schedule.warmup: [10, 90]"}, 15,
         "give at most 80"),
        # an average made after training without what it is made of
        ({STEPS: f"{STEPS}\n    ema_length: 0.1"}, 10,
         "train.ema_snapshots keeps none: give it, as {every: 6}"),
        ({STEPS: f"{STEPS}\n    ema_length: 0.2", "ema: 0.9": "ema_snapshots: {every: 5}"}, 10,
         "lengths of 0.05 to 0.15 can be made, not 0.2"),
        ({STEPS: f"{STEPS}\n    ema: 0.5", "ema: 0.9": "ema: [0.9, 0.99]"}, 10,
         "train.ema keeps 0.9, 0.99"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told_at_its_line_with_what_does(
    tmp_path: Path, changes: dict[str, str], line: int, said: str
) -> None:
    text = STUDY
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    found = problems(tmp_path, text)
    assert any(said in each for each in found), found
    assert all(each.startswith(f"study.yaml:{line}: ") for each in found), found


def test_what_fits_is_taken(tmp_path: Path) -> None:
    load_study(write(tmp_path, STUDY))
    unet = "model: {family: UNet, width: 6, multipliers: [1, 1, 1, 1], attention: [64, 4]}"
    load_study(write(tmp_path, STUDY.replace(MODEL, unet)))


# Where a study names a component of each kind whose settings are numbers; None: tried otherwise.
PLACES = {
    "objective": "objective",
    "optimizer": "train.optimizer",
    "schedule": "train.schedule",
    "metric": "evaluations.final.metrics",
}
NUMBERS = [
    *("train.learning_rate", "train.weight_decay", "train.grad_clip", "train.checkpoint_minutes"),
    *("dispatch.rendezvous_minutes", "dispatch.exchange_minutes", "dispatch.slurm.minutes"),
    *("dispatch.slurm.mem_gb", "dispatch.slurm.nodes", "dispatch.slurm.cpus_per_task"),
    *("dispatch.slurm.gpus_per_node", "dispatch.threads", "dispatch.workers"),
]
NUMBERS += [
    f"{place}={{name: {name}, {field}: %s}}"
    for kind, place in PLACES.items()
    for name in names(kind)
    for field, about in get(kind, name).model_fields.items()
    if "float" in str(about.annotation) and "tuple" not in str(about.annotation)
]


@pytest.mark.parametrize("where", NUMBERS)
def test_a_number_with_which_nothing_can_be_computed_is_refused_before_anything_starts(
    where: str, tmp_path: Path
) -> None:
    """Beyond float32, or beyond all clocks: training would end with NaN, or with a traceback."""
    file = write(tmp_path, STUDY)
    for number in ("1e300", "-1e300", "4e38"):
        setting = where % number if "%" in where else f"{where}={number}"
        setting = setting.replace("metrics={", "metrics=[{").replace(
            "}", "}]" * ("metrics" in where) or "}"
        )
        with pytest.raises(BadInput, match=r"e\+(300|38)|times each weight"):
            load_study(file, overrides=(setting,))
