"""Every family, objective, sampler, optimizer and schedule of ours runs in a study, at smoke size.

Three studies of one or two models each; what they measure means nothing at six steps.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path

import pytest
from tiny_study import Harness

from harness import components

STUDY = """\
study: {name}
title: {name}
about: A study for tests.
data: {{name: glyphs, image_size: 8, channels: 1, train_images: 64}}
model: {model}
objective: {objective}
train: {{steps: 6, batch_size: 8, learning_rate: 1e-3, ema: 0.9, log_every: 2, {train}}}
reference: {{extractor: glyphs-cnn, extractor_images: 100, extractor_steps: 4, images: 60}}
evaluations:
{evaluations}
matrix: {{axes: {{{axes}}}}}
dispatch: {{executor: local, device: cpu, workers: 1, threads: 1}}
profiles: {{laptop: {{}}}}
"""
MEASURED = "samples: 40, split_size: 40, batch_size: 20, metrics: [fd]"

FLOW = {
    "model": "{family: U-ViT, depth: 3, width: 32, heads: 2, patch_size: 4}",
    "objective": "{name: flow, time: logit-normal, time_scale: 999.0}",
    "train": "optimizer: muon, schedule: {name: wsd, decay: 0.5}",
    "axes": "train.steps: [4, 6]",
}
EDM = {
    "model": "{family: UNet, width: 16, multipliers: [1, 2]}",
    "objective": "edm",
    "train": "schedule: {name: cosine, warmup: 2}",
    "axes": "",
}
DDPM = {
    "model": "{family: DiT-modern-micro, size: S, patch_size: 4, base_width: 16}",
    "objective": "{name: ddpm, steps: 50}",
    "train": "schedule: {name: warmup, warmup: 2}",
    "axes": "model.patch_size: [8, 4]",
}
GUIDED = "guidance: {scale: 2.0, channels: null, interval: [0.2, 0.7]}"


def measured(
    harness: Harness, folder: Path, settings: dict[str, str], evaluations: dict[str, str]
) -> Counter[str]:
    """Evaluations of a study of these settings, each with how many numbers it recorded."""
    lines = [f"  {name}: {{{how}, {MEASURED}}}" for name, how in evaluations.items()]
    text = STUDY.format(name="smoke", evaluations="\n".join(lines), **settings)
    (folder / "smoke.yaml").write_text(text)
    done = harness("run", "smoke.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    records = json.loads(harness("results", "smoke.yaml", "--json").stdout)
    assert all(math.isfinite(r["value"]) for r in records)
    return Counter(r["evaluation"] for r in records if r["of"] == "samples")


@pytest.mark.slow
def test_flow_matching_of_a_u_vit_with_muon_and_a_branching_schedule(harness, tmp_path) -> None:
    assert measured(
        harness,
        tmp_path,
        FLOW,
        {
            "euler": "sampler: flow-euler, sampling_steps: [2, 3]",
            "heun": f"sampler: flow-heun, sampling_steps: 2, {GUIDED}",
            "sde": "sampler: {name: flow-sde, last: 0.1}, sampling_steps: 3",
        },
    ) == {"euler": 4, "heun": 2, "sde": 2}


@pytest.mark.slow
def test_edm_of_a_unet_with_a_cosine(harness, tmp_path) -> None:
    assert measured(
        harness,
        tmp_path,
        EDM,
        {
            "heun": "sampler: edm-heun, sampling_steps: 2",
            "churned": "sampler: {name: edm-heun, churn: 10.0}, sampling_steps: 3",
        },
    ) == {"heun": 1, "churned": 1}


@pytest.mark.slow
def test_ddpm_of_a_modern_dit_by_dpm_solver(harness, tmp_path) -> None:
    assert measured(
        harness, tmp_path, DDPM, {"solver": "sampler: dpm-solver++, sampling_steps: 3"}
    ) == {"solver": 2}


@pytest.mark.parametrize(
    ("settings", "how", "said"),
    [
        (FLOW, "sampler: ancestral", "flow-euler, flow-heun, flow-sde"),
        (EDM, "sampler: ddim", "edm-heun"),
        (DDPM, "sampler: edm-heun", "ancestral, ddim, dpm-solver++"),
        (DDPM, "sampler: dpm-solver++, sampling_steps: 50", "1 to 49 of 50"),
        (FLOW, "sampler: flow-sde, sampling_steps: 1", "at least 2 steps"),
    ],
)
def test_samplers_that_do_not_serve_are_refused_with_those_that_do(
    verb, study, settings, how, said
):
    text = STUDY.format(name="bad", evaluations=f"  e: {{{how}, {MEASURED}}}", **settings)
    study.write_text(text)
    code, told = verb("validate", "tiny.yaml")
    assert code == 2
    assert said in told


@pytest.mark.parametrize("name", components.names("objective"))
def test_every_objective_names_a_sampler_for_a_study_that_names_none(name: str) -> None:
    default = components.get("objective", name).default_sampler
    assert name in components.get("sampler", default).serves
