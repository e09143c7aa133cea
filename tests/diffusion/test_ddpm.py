"""The DDPM components give the numbers and the keys of harness.diffusion's own calls."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from harness import components
from harness.data.randomness import generator
from harness.diffusion import Diffusion, SampleNoise, guided, training_draws
from harness.diffusion.ddpm import DDIM, DDPM, Ancestral
from harness.errors import BadInput

SHAPE = (4, 8, 8)


def test_the_registry_finds_them() -> None:
    assert components.get("objective", "ddpm") is DDPM
    assert components.get("sampler", "ancestral") is Ancestral
    assert components.get("sampler", "ddim") is DDIM


@pytest.mark.slow
def test_importing_the_light_half_does_not_import_torch() -> None:
    code = "import sys, harness.diffusion.ddpm; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("steps", [1000, 50])
def test_times_are_drawn_as_training_draws_them(steps) -> None:
    ours = DDPM(steps=steps).draw_times(generator("training", 3, 7), 24)
    today = training_draws(3, 7, 24, SHAPE, steps).t.numpy()
    assert ours.dtype == today.dtype
    np.testing.assert_array_equal(ours, today)


def test_losses_and_gradients_are_those_of_the_diffusion_bit_for_bit(small_dit, golden_losses):
    x, t, y, noise = (torch.from_numpy(golden_losses[k]) for k in ("x_start", "t", "y", "noise"))
    found = []
    for losses in (
        DDPM().training_losses(small_dit, x, t, noise, y=y),
        Diffusion(1000, sampling=None).training_losses(small_dit, x, t, noise, y=y),
    ):
        small_dit.zero_grad(set_to_none=True)
        losses["loss"].sum().backward()
        found.append((losses, [p.grad.clone() for p in small_dit.parameters()]))
    (ours, our_gradients), (today, todays_gradients) = found
    assert ours.keys() == today.keys()
    assert all(torch.equal(ours[k], today[k]) for k in today)
    assert all(map(torch.equal, our_gradients, todays_gradients))


@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize("eta", [None, 0.0, 0.5])
def test_samples_are_those_of_the_diffusion_bit_for_bit(small_dit, eta, clip) -> None:
    denoise = guided(small_dit.eval(), 1.5)
    y = torch.tensor([1, 2, 3])
    diffusion = Diffusion(1000, sampling=7)
    drawn = []
    for ours in (True, False):
        noise = SampleNoise(0, [4, 5, 6], SHAPE)
        z = noise.initial()
        if ours:
            sampler = Ancestral(clip=clip) if eta is None else DDIM(eta=eta, clip=clip)
            drawn.append(sampler.sample(DDPM(), denoise, z, 7, noise, y=y))
        elif eta is None:
            drawn.append(diffusion.sample(denoise, z, noise=noise, clip=clip, y=y))
        else:
            drawn.append(diffusion.ddim(denoise, z, eta=eta, noise=noise, clip=clip, y=y))
    assert torch.equal(*drawn)


def test_times_are_the_kept_indices_in_the_order_of_evaluation() -> None:
    seen: list[int] = []

    def network(x, t):
        seen.append(int(t[0]))
        return torch.zeros(len(x), 8, 8, 8)

    sampler = Ancestral()
    sampler.sample(DDPM(), network, torch.zeros(1, *SHAPE), 10, SampleNoise(0, [0], SHAPE))
    assert seen == list(sampler.times(DDPM(), 10))
    assert sampler.evaluations(DDPM(), 10) == 10
    assert seen[0] == 999 == DDPM().time_range[1]
    assert seen[-1] == 0 == DDPM().time_range[0]


@pytest.mark.parametrize(
    ("sampler", "written"),
    [
        (Ancestral(), {"sampler": "ancestral", "eta": None}),
        (Ancestral(clip=True), {"sampler": "ancestral", "eta": None, "clip": True}),
        (DDIM(), {"sampler": "ddim", "eta": 0.0}),
        (DDIM(eta=0.5, clip=True), {"sampler": "ddim", "eta": 0.5, "clip": True}),
    ],
)
def test_a_sampler_is_keyed_as_before_and_read_back(sampler, written) -> None:
    assert sampler.key_fields("sampler") == written
    assert type(sampler).from_key("sampler", written) == sampler


def test_the_objective_is_keyed_as_before_and_read_back() -> None:
    assert DDPM(steps=50).key_fields("objective") == {"diffusion_steps": 50}
    assert DDPM.from_key("objective", {"diffusion_steps": 50, "flip": True}) == DDPM(steps=50)


@pytest.mark.parametrize("settings", [{"steps": 20}, {"steps": 0}, {"betas": "cosine"}])
def test_settings_that_make_no_process_are_refused(settings) -> None:
    with pytest.raises(ValidationError):
        DDPM(**settings)


@pytest.mark.parametrize("eta", [-0.1, 1.1, float("nan")])
def test_an_eta_outside_0_to_1_is_refused(eta) -> None:
    with pytest.raises(ValidationError):
        DDIM(eta=eta)


def test_more_steps_than_the_objective_has_are_refused() -> None:
    with pytest.raises(BadInput, match=r"51 is more than diffusion\.steps 50"):
        Ancestral().check(DDPM(steps=50), 51)
    DDIM().check(DDPM(steps=50), 50)
