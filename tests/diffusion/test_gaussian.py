from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.diffusion import Diffusion, SampleNoise, guided, sample_labels
from harness.errors import BadInput


def tensors(golden, *names):
    return [torch.from_numpy(golden[name]) for name in names]


def reference_step(tables, k, x, out):
    """Posterior of kept step k by the papers' formulas, in float64: x_0, mean, log-variance."""
    noise, v = np.split(out.double().numpy(), 2, axis=1)
    a = tables.alphas_cumprod[k]
    x0 = (x - np.sqrt(1 - a) * noise) / np.sqrt(a)
    mean = tables.posterior_mean_x0[k] * x0 + tables.posterior_mean_xt[k] * x
    f = (v + 1) / 2
    log_variance = f * np.log(tables.betas[k]) + (1 - f) * tables.posterior_log_variance[k]
    return x0, mean, log_variance


def test_losses_and_gradients_are_the_references(golden_losses, small_dit) -> None:
    x_start, t, y, noise = tensors(golden_losses, "x_start", "t", "y", "noise")
    losses = Diffusion(sampling=None).training_losses(small_dit, x_start, t, noise, y=y)
    assert set(losses) == {"loss", "mse", "vb"}
    for name, value in losses.items():
        assert value.shape == (6,)
        np.testing.assert_allclose(value.detach(), golden_losses[name], rtol=1e-5, atol=1e-6)
    losses["loss"].mean().backward()
    parameters = dict(small_dit.named_parameters())
    for key in (key for key in golden_losses if key.startswith("grad.")):
        gradient = parameters[key.removeprefix("grad.")].grad.reshape(golden_losses[key].shape)
        np.testing.assert_allclose(gradient, golden_losses[key], rtol=1e-5, atol=1e-6, err_msg=key)
    norm = torch.linalg.vector_norm(
        torch.stack([p.grad.norm() for p in parameters.values() if p.grad is not None])
    )
    assert norm.item() == pytest.approx(float(golden_losses["grad_global_norm"]), rel=1e-5)


def test_forward_process_is_the_references(golden_losses) -> None:
    x_start, t, noise = tensors(golden_losses, "x_start", "t", "noise")
    x_t = Diffusion(sampling=None).q_sample(x_start, t, noise)
    np.testing.assert_allclose(x_t, golden_losses["x_t"], atol=1e-6)


def test_the_tests_own_reverse_step_is_the_references(golden_losses, small_dit) -> None:
    """Ties reference_step, which the sampler is compared with below, to the golden numbers."""
    tables = Diffusion(sampling=None).schedule
    x_t, t, y = tensors(golden_losses, "x_t", "t", "y")
    out = small_dit(x_t, t, y).detach()
    for row, k in enumerate(golden_losses["t"]):
        one = slice(row, row + 1)
        x0, mean, log_variance = reference_step(tables, k, x_t[one].double().numpy(), out[one])
        for value, name in ((x0, "xstart"), (mean, "mean"), (log_variance, "log_variance")):
            expected = golden_losses[f"p_{name}"][one]
            np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("sampling", ["1", "2", "16", "ddim50"])
@pytest.mark.parametrize("clip", [False, True])
def test_ancestral_sampling_follows_the_papers_formulas(small_dit, sampling, clip) -> None:
    diffusion = Diffusion(sampling=sampling)
    noise = SampleNoise(0, range(3), (4, 8, 8))
    y = torch.tensor([1, 5, 10])
    tame = lambda x, t, y: 0.1 * small_dit(x, t, y)  # noqa: E731  (random weights explode)
    asked = []

    def draws(i):
        asked.append(i)
        return noise(i)

    sample = diffusion.sample(tame, noise.initial(), draws, clip=clip, y=y)
    x = noise.initial().double().numpy()
    steps = len(diffusion)
    with torch.no_grad():
        for i, k in enumerate(reversed(range(steps))):
            t = torch.full((3,), int(diffusion.timesteps[k]))
            out = tame(torch.from_numpy(x).float(), t, y)
            x0, mean, log_variance = reference_step(diffusion.schedule, k, x, out)
            if clip:
                s = diffusion.schedule
                mean = s.posterior_mean_x0[k] * x0.clip(-1, 1) + s.posterior_mean_xt[k] * x
            x = mean + (k > 0) * np.exp(log_variance / 2) * noise(i).double().numpy()
    scale = np.abs(x).max()
    np.testing.assert_allclose(sample / scale, x / scale, atol=2e-5)
    assert asked == list(range(steps - 1))


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("clip", [False, True])
def test_ddim_follows_the_papers_formulas(small_dit, eta, clip) -> None:
    diffusion = Diffusion(sampling="16")
    noise = SampleNoise(0, range(2), (4, 8, 8))
    y = torch.tensor([1, 5])
    tame = lambda x, t, y: 0.1 * small_dit(x, t, y)  # noqa: E731
    sample = diffusion.ddim(tame, noise.initial(), eta, noise, clip=clip, y=y)
    x, s = noise.initial().double().numpy(), diffusion.schedule
    with torch.no_grad():
        for i, k in enumerate(reversed(range(16))):
            t = torch.full((2,), int(diffusion.timesteps[k]))
            out = tame(torch.from_numpy(x).float(), t, y)
            x0, _, _ = reference_step(s, k, x, out)
            x0 = x0.clip(-1, 1) if clip else x0
            a, b = s.alphas_cumprod[k], s.alphas_cumprod_prev[k]
            predicted = (x - np.sqrt(a) * x0) / np.sqrt(1 - a)
            sigma = eta * np.sqrt((1 - b) / (1 - a)) * np.sqrt(1 - a / b)
            x = np.sqrt(b) * x0 + np.sqrt(1 - b - sigma**2) * predicted
            x = x + sigma * noise(i).double().numpy()
    scale = np.abs(x).max()
    np.testing.assert_allclose(sample / scale, x / scale, atol=2e-5)


def knows(target: torch.Tensor, diffusion: Diffusion):
    """The perfect model of a data set that holds one image."""

    def model(x, t):
        a = diffusion.alphas_cumprod[np.searchsorted(diffusion.timesteps, int(t[0]))]
        noise = (x - math.sqrt(a) * target) / math.sqrt(1 - a)
        return torch.cat([noise, torch.zeros_like(x)], dim=1)

    return model


@given(steps=st.integers(1, 60), eta=st.sampled_from([None, 0.0, 0.7]))
@settings(max_examples=25, deadline=None)
def test_a_perfect_model_of_one_image_is_sampled_to_that_image(steps: int, eta) -> None:
    diffusion = Diffusion(sampling=steps)
    noise = SampleNoise(1, range(2), (3, 4, 4))
    target = torch.linspace(-1, 1, 48).view(1, 3, 4, 4)
    model = knows(target, diffusion)
    if eta is None:
        x = diffusion.sample(model, noise.initial(), noise)
    else:
        x = diffusion.ddim(model, noise.initial(), eta, noise)
    np.testing.assert_allclose(x, target.expand_as(x), atol=1e-4)


def test_a_perfect_model_has_no_loss_but_the_variances() -> None:
    diffusion = Diffusion(sampling=None)
    noise = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    lowest = torch.cat([noise, -torch.ones_like(noise)], dim=1)  # the posterior's own variance
    t = torch.tensor([1, 10, 500, 999])
    losses = diffusion.training_losses(lambda x, t: lowest, torch.zeros_like(noise), t, noise)
    assert losses["mse"].max() == 0
    assert losses["vb"].abs().max() < 1e-7


def test_the_variance_loss_does_not_train_the_noise_prediction() -> None:
    out = torch.randn(6, 8, 4, 4, requires_grad=True)
    t = torch.tensor([0, 1, 2, 400, 750, 999])
    losses = Diffusion(sampling=None).training_losses(lambda x, t: out, torch.randn(6, 4, 4, 4), t)
    losses["vb"].sum().backward()
    assert out.grad[:, :4].abs().max() == 0
    assert (out.grad[:, 4:].abs().amax(dim=(1, 2, 3)) > 0).all()


def test_the_first_steps_likelihood_is_the_same_worked_out_for_all_or_for_some(monkeypatch) -> None:
    diffusion = Diffusion(sampling=None)
    x_start = torch.rand(4, 3, 4, 4) * 2.2 - 1.1
    x_start[0] = -1.0
    x_start[1] = 1.0
    noise, out = torch.randn_like(x_start), torch.randn(4, 6, 4, 4)
    t = torch.tensor([0, 0, 0, 5])
    some = diffusion.training_losses(lambda x, t: out, x_start, t, noise)["vb"]
    # Devices take the other branch.
    monkeypatch.setattr("harness.diffusion.gaussian._host_may_look", lambda x: False)
    everywhere = diffusion.training_losses(lambda x, t: out, x_start, t, noise)["vb"]
    torch.testing.assert_close(everywhere, some)
    assert some.isfinite().all() and len(some.unique()) == 4


def test_branching_or_not_the_gradients_are_the_same(monkeypatch) -> None:
    diffusion = Diffusion(sampling=None)
    x_start, noise = torch.randn(3, 2, 2, 2), torch.randn(3, 2, 2, 2)
    gradients = []
    for look in (True, False):
        monkeypatch.setattr("harness.diffusion.gaussian._host_may_look", lambda x, look=look: look)
        out = torch.linspace(-40, 40, 48).view(3, 4, 2, 2).requires_grad_()
        t = torch.tensor([0, 999, 3])
        losses = diffusion.training_losses(lambda x, t, out=out: out, x_start, t, noise)
        losses["loss"].sum().backward()
        gradients.append(out.grad)
    assert gradients[0].isfinite().all()
    torch.testing.assert_close(*gradients)


def test_the_model_sees_the_original_timesteps() -> None:
    diffusion = Diffusion(sampling="16")
    seen = []

    def model(x, t):
        seen.extend(t.tolist())
        assert t.dtype == torch.int64
        return torch.zeros(x.shape[0], 2, 2, 2)

    diffusion.sample(model, torch.zeros(1, 1, 2, 2), lambda i: torch.zeros(1, 1, 2, 2))
    assert seen == diffusion.timesteps[::-1].tolist()
    seen.clear()
    diffusion.training_losses(model, torch.zeros(3, 1, 2, 2), torch.tensor([0, 1, 15]))
    assert seen == [0, 67, 999]


def test_the_starting_noise_is_left_alone_and_progress_is_told() -> None:
    z = torch.ones(1, 1, 2, 2)
    told = []
    model = lambda x, t: torch.zeros(1, 2, 2, 2)  # noqa: E731
    for clip in (False, True):
        Diffusion(sampling=3).sample(
            model, z, clip=clip, progress=lambda done, total: told.append((done, total))
        )
        Diffusion(sampling=3).ddim(model, z, clip=clip)
    assert (z == 1).all()
    assert told == [(1, 3), (2, 3), (3, 3)] * 2


def test_a_model_without_learned_variance_is_refused() -> None:
    with pytest.raises(BadInput, match="4 channels for 4 input"):
        Diffusion(sampling=2).sample(lambda x, t: x, torch.zeros(1, 4, 2, 2))


def test_noise_of_another_shape_is_refused() -> None:
    model = lambda x, t: torch.cat([x, x], dim=1)  # noqa: E731
    with pytest.raises(BadInput, match=r"noise\(0\)"):
        Diffusion(sampling=2).sample(model, torch.zeros(2, 1, 2, 2), lambda i: torch.zeros(1, 1))


@pytest.mark.slow
@pytest.mark.parametrize("scale", [1.0, 1.5])
def test_samples_are_the_same_to_rounding_for_any_batch_size(small_dit, scale) -> None:
    diffusion = Diffusion(sampling="8")
    labels = sample_labels(0, range(11), 10)

    def samples(size: int) -> torch.Tensor:
        parts = []
        for start in range(0, 11, size):
            noise = SampleNoise(0, range(start, min(start + size, 11)), (4, 8, 8))
            y = labels[start : start + size]
            model = guided(small_dit, scale)
            parts.append(diffusion.sample(model, noise.initial(), noise, y=y))
        return torch.cat(parts)

    whole = samples(11)
    assert len(whole.unique(dim=0)) == 11
    size_of = whole.abs().max()  # large: random weights do not denoise
    for size in (1, 3, 7):
        torch.testing.assert_close(samples(size) / size_of, whole / size_of, rtol=0, atol=1e-5)
