"""EDM agrees with the published code, and with the probability flow known in closed form."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mixtures import GAUSSIAN, TWO, order
from pydantic import ValidationError

from harness import components
from harness.data.randomness import generator
from harness.diffusion.edm import EDM, EDMHeun
from harness.diffusion.flow import Flow
from harness.errors import BadInput

DATA = Path(__file__).parents[1] / "data" / "tenants"


def network_of(denoiser):
    """The raw network F whose preconditioned output is denoiser(x, sigma), in float64."""
    edm = EDM()

    def network(x, t):
        sigma = (4 * t.double()).exp()[:, None, None, None]
        c_skip, c_out, c_in = edm.preconditioning(sigma)
        x = x.double() / c_in
        return (denoiser(x, sigma) - c_skip * x) / c_out

    return network


def published(x, sigma):
    return 0.7 * torch.tanh(x / (1 + sigma))


def golden() -> dict[str, torch.Tensor]:
    with np.load(DATA / "edm.npz") as arrays:
        return {k: torch.from_numpy(arrays[k]) for k in arrays if arrays[k].dtype.kind == "f"}


def test_losses_are_the_published_codes() -> None:
    g = golden()
    sigma = torch.exp(-1.2 + 1.2 * g["normal"].double()).flatten()
    loss = EDM().training_losses(network_of(published), g["images"].double(), sigma, g["noise"])
    np.testing.assert_allclose(loss["loss"], g["loss"].mean(dim=(1, 2, 3)), rtol=1e-5)


@pytest.mark.parametrize(("churn", "expected"), [(0.0, "deterministic"), (40.0, "stochastic")])
def test_samples_are_the_published_codes(churn, expected) -> None:
    g = golden()
    seen: list[float] = []
    inner = network_of(published)

    def network(x, t):
        seen.append(EDM().own_time(float(t[0])))
        return inner(x, t)

    sampler = EDMHeun(churn=churn)
    out = sampler.sample(EDM(), network, g["latents"], 18, lambda i: g["churn_noise"][i].float())
    np.testing.assert_allclose(out, g[expected], rtol=1e-5, atol=1e-6)
    assert sampler.evaluations(EDM(), 18) == len(seen) == 35
    np.testing.assert_allclose(seen, sampler.times(EDM(), 18), rtol=1e-5)


def test_deterministic_sampling_asks_for_no_noise() -> None:
    def never(i):
        raise AssertionError("noise was asked for")

    z = torch.zeros(1, 1, 2, 2)
    assert EDMHeun().sample(EDM(), network_of(published), z, 4, never).dtype == torch.float32


@pytest.mark.slow
@pytest.mark.parametrize("data", [GAUSSIAN, TWO])
def test_heun_converges_with_order_two_on_data_in_closed_form(data) -> None:
    z = torch.randn(400, 1, 1, 1, generator=torch.Generator().manual_seed(0)).double()
    network = network_of(lambda x, sigma: data.clean(x, 1.0, sigma))
    # From a noise level this high the flow keeps the quantile among x + sigma z, near z's own.
    top = 200.0
    start = torch.from_numpy(
        np.sqrt(data.variance + top**2) * z.numpy() + data.mean  # mixture and Gaussian meet here
    )
    exact = data.at_the_end(z.numpy())
    errors = []
    for steps in (16, 32, 64, 128):
        sampler = EDMHeun(sigma_max=top, sigma_min=1e-4)
        found = sampler.sample(EDM(), network, start / top, steps, lambda i: None)
        errors.append(float(np.sqrt(np.mean((found.numpy() - exact) ** 2))))
    assert order(errors) == pytest.approx(2, abs=0.25)
    assert errors[-1] < 2e-3


@pytest.mark.slow
@pytest.mark.parametrize("data", [GAUSSIAN, TWO])
def test_churned_samples_have_the_datas_mean_and_variance(data) -> None:
    count = 20_000
    source = torch.Generator().manual_seed(6)
    z = torch.randn(count, 1, 1, 1, generator=source)
    network = network_of(lambda x, sigma: data.clean(x, 1.0, sigma))
    sampler = EDMHeun(churn=30.0, churn_noise=1.0)
    found = sampler.sample(EDM(), network, z, 100, lambda i: torch.randn(z.shape, generator=source))
    found = found.double().numpy().ravel()
    assert abs(found.mean() - data.mean) < 4 * np.sqrt(data.variance / count) + 0.01
    assert found.var() == pytest.approx(data.variance, rel=4 * np.sqrt(2 / count) + 0.02)


def test_the_loss_is_the_weighted_error_of_the_denoised_image() -> None:
    edm = EDM(data_std=0.8)
    x, noise = torch.randn(2, 3, 4, 4).double(), torch.randn(2, 3, 4, 4).double()
    sigma = torch.tensor([0.3, 5.0]).double()
    output = torch.randn(2, 3, 4, 4).double()
    loss = edm.training_losses(lambda x, t: output, x, sigma, noise)["loss"]
    s = sigma[:, None, None, None]
    c_skip, c_out, _ = edm.preconditioning(s)
    denoised = c_skip * (x + s * noise) + c_out * output
    weight = (s**2 + 0.8**2) / (s * 0.8) ** 2
    torch.testing.assert_close(loss, (weight * (denoised - x) ** 2).mean(dim=(1, 2, 3)))


def test_noise_levels_are_log_normal() -> None:
    drawn = EDM().draw_times(generator("times", 2), 100_000)
    assert drawn.dtype == np.float32
    logs = np.log(drawn.astype(np.float64))
    assert (logs.mean(), logs.std()) == pytest.approx((-1.2, 1.2), abs=0.02)


@pytest.mark.slow
def test_importing_the_light_half_does_not_import_torch() -> None:
    code = "import sys, harness.diffusion.edm, harness.diffusion.dpm_solver; " + (
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_registry_finds_them_and_keys_are_read_back() -> None:
    assert components.get("objective", "edm") is EDM
    assert components.get("sampler", "edm-heun") is EDMHeun
    for role, each in (("objective", EDM(data_std=1.0)), ("sampler", EDMHeun(churn=40.0))):
        assert type(each).from_key(role, each.key_fields(role)) == each


@pytest.mark.parametrize("settings", [{"sigma_min": 80.0}, {"rho": 0.0}, {"churn": -1.0}])
def test_settings_that_make_no_sampler_are_refused(settings) -> None:
    with pytest.raises(ValidationError):
        EDMHeun(**settings)


def test_the_sampler_refuses_what_it_does_not_serve() -> None:
    with pytest.raises(BadInput, match="'flow' has no denoiser"):
        EDMHeun().check(Flow(), 18)
    with pytest.raises(BadInput, match="at least 1 step"):
        EDMHeun().check(EDM(), 0)


def test_the_noise_level_is_the_objectives_own_time() -> None:
    edm = EDM()
    given = edm.network_time(torch.tensor([0.002, 80.0]))
    assert given.tolist() == pytest.approx([math.log(0.002) / 4, math.log(80) / 4])
    assert [edm.own_time(float(t)) for t in given] == pytest.approx([0.002, 80.0], rel=1e-5)
