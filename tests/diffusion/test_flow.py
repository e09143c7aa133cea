"""Flow matching agrees with SiT's published code, and with flows known in closed form."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mixtures import GAUSSIAN, TWO, Mixture, order
from pydantic import ValidationError

from harness import components
from harness.data.randomness import generator
from harness.diffusion import SampleNoise
from harness.diffusion.ddpm import DDPM
from harness.diffusion.flow import Flow, FlowEuler, FlowHeun, FlowSDE
from harness.errors import BadInput
from harness.models.dit import DiT

DATA = Path(__file__).parents[1] / "data" / "tenants"


@pytest.fixture(scope="module")
def sit() -> DiT:
    """The published network, which is a DiT whose further channels are not used."""
    model = DiT(
        input_size=8, patch_size=2, channels=4, depth=2, width=32, heads=2, num_classes=10
    ).eval()
    model.load_state_dict(torch.load(DATA / "sit.pt", weights_only=True))
    return model


def golden(name: str) -> dict[str, torch.Tensor]:
    with np.load(DATA / f"{name}.npz") as arrays:
        return {k: torch.from_numpy(arrays[k]) for k in arrays if arrays[k].dtype.kind in "if"}


def known(data: Mixture, objective: Flow):
    """The network that predicts perfectly what `objective` asks for, in float64."""

    def network(x, t, **condition):
        t = objective.own_time(t.double())[:, None, None, None]
        clean = data.clean(x, t, 1 - t)
        if objective.prediction == "data":
            return clean.to(x.dtype)
        return (clean - data.noise(x, t, 1 - t)).to(x.dtype)

    return network


def ends(sampler, objective, data, steps, count=4000):
    """Where the sampler ends, and where the flow does: (count,) each, float64."""
    z = torch.randn(count, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    z = z.view(-1, 1, 1, 1)
    found = sampler.sample(objective, known(data, objective), z, steps, lambda i: None)
    return found.numpy().ravel(), z.numpy().ravel()


def test_network_outputs_are_the_published_codes(sit) -> None:
    g = golden("sit_forward")
    with torch.no_grad():
        out = sit(g["x"], g["t"], g["y"])[:, :4]
    np.testing.assert_allclose(out, g["out"], rtol=1e-5, atol=1e-5)


def test_losses_are_the_published_codes(sit) -> None:
    g = golden("sit_loss")
    losses = Flow(spare_channels=True).training_losses(sit, g["data"], g["t"], g["noise"], y=g["y"])
    np.testing.assert_allclose(losses["loss"].detach(), g["loss"], rtol=1e-5)


@pytest.mark.parametrize(
    ("sampler", "expected", "evaluations"),
    [(FlowEuler(), "euler_11", 10), (FlowHeun(), "heun2_11", 20), (FlowSDE(), "sde", 10)],
)
def test_samples_are_the_published_codes(sit, sampler, expected, evaluations) -> None:
    g = golden("sit_sample")
    seen: list[float] = []

    def network(x, t, y):
        seen.append(float(t[0]))
        return sit(x, t, y)

    out = sampler.sample(Flow(), network, g["z"], 10, lambda i: g["sde_noise"][i], y=g["y"])
    np.testing.assert_allclose(out, g[expected], rtol=1e-5, atol=1e-5)
    assert sampler.evaluations(Flow(), 10) == evaluations == len(seen)
    np.testing.assert_allclose(seen, sampler.times(Flow(), 10), atol=1e-7)


@pytest.mark.slow
def test_heun_at_many_steps_is_the_published_exact_solution(sit) -> None:
    g = golden("sit_sample")
    out = FlowHeun().sample(Flow(), sit, g["z"], 100, lambda i: None, y=g["y"])
    np.testing.assert_allclose(out, g["exact"], atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("data", [GAUSSIAN, TWO])
@pytest.mark.parametrize(("sampler", "expected"), [(FlowEuler(), 1), (FlowHeun(), 2)])
def test_order_of_convergence_on_data_in_closed_form(data, sampler, expected) -> None:
    errors = []
    for steps in (20, 40, 80, 160):
        found, z = ends(sampler, Flow(), data, steps, count=400)
        errors.append(np.sqrt(np.mean((found - data.at_the_end(z)) ** 2)))
    assert order(errors) == pytest.approx(expected, abs=0.15)
    assert errors[-1] < 0.02


@pytest.mark.slow
@pytest.mark.parametrize("shift", [0.5, 3.0])
@pytest.mark.parametrize("prediction", ["velocity", "data"])
def test_shifted_grids_and_data_prediction_end_at_the_same_place(prediction, shift) -> None:
    objective = Flow(prediction=prediction, shift=shift, least_divisor=1e-6)
    for sampler in (FlowEuler(), FlowEuler(shift=1.0), FlowHeun()):
        found, z = ends(sampler, objective, TWO, 400, count=300)
        assert np.abs(found - TWO.at_the_end(z)).max() < 0.05


def test_data_prediction_spares_heun_the_evaluation_at_the_end() -> None:
    objective = Flow(prediction="data")
    seen: list[float] = []

    def network(x, t):
        seen.append(float(t[0]))
        return x

    FlowHeun().sample(objective, network, torch.zeros(1, 1, 2, 2), 5, lambda i: None)
    assert len(seen) == FlowHeun().evaluations(objective, 5) == 9
    assert max(seen) < 1


@pytest.mark.slow
@pytest.mark.parametrize("data", [GAUSSIAN, TWO])
def test_sde_samples_have_the_datas_mean_and_variance(data) -> None:
    """Bias of Euler-Maruyama at 300 steps is below the Monte-Carlo error of 20,000 samples."""
    count = 20_000
    z = torch.randn(count, 1, 1, 1, generator=torch.Generator().manual_seed(5))
    source = torch.Generator().manual_seed(6)
    found = FlowSDE(last=0.005).sample(
        Flow(), known(data, Flow()), z, 300, lambda i: torch.randn(z.shape, generator=source)
    )
    found = found.double().numpy().ravel()
    spread = np.sqrt(data.variance / count)
    assert abs(found.mean() - data.mean) < 4 * spread + 0.01
    assert found.var() == pytest.approx(data.variance, rel=4 * np.sqrt(2 / count) + 0.01)


def test_data_prediction_has_the_loss_of_the_velocity() -> None:
    x, noise = torch.randn(3, 2, 4, 4), torch.randn(3, 2, 4, 4)
    t = torch.tensor([0.1, 0.5, 0.99])
    guess = torch.randn(3, 2, 4, 4)
    time = t[:, None, None, None]
    x_t = time * x + (1 - time) * noise
    loss = Flow(prediction="data").training_losses(lambda x, t: guess, x, t, noise)["loss"]
    divisor = torch.tensor([0.9, 0.5, 0.05])[:, None, None, None]  # 1 - t, 0.05 at least
    velocity = (guess - x_t) / divisor
    expected = (velocity - (x - x_t) / divisor).square().mean(dim=(1, 2, 3))
    torch.testing.assert_close(loss, expected, rtol=1e-4, atol=1e-5)
    as_velocity = Flow().training_losses(lambda x, t: velocity[:2], x[:2], t[:2], noise[:2])
    torch.testing.assert_close(loss[:2], as_velocity["loss"][:2], rtol=1e-4, atol=1e-5)


def test_the_direction_term_is_one_less_the_cosine_over_channels() -> None:
    rng = np.random.default_rng(5)
    x, noise, guess = (torch.from_numpy(rng.normal(size=(3, 4, 2, 2))) for _ in range(3))
    t = torch.tensor([0.0, 0.3, 0.999], dtype=torch.float64)
    both = Flow(direction_weight=0.5).training_losses(lambda x, t: guess, x, t, noise)
    plain = Flow().training_losses(lambda x, t: guess, x, t, noise)["loss"]
    target = (x - noise).numpy()
    dot = (guess.numpy() * target).sum(axis=1)
    lengths = np.linalg.norm(guess.numpy(), axis=1) * np.linalg.norm(target, axis=1)
    expected = 1 - (dot / lengths).mean(axis=(1, 2))
    np.testing.assert_allclose(both["direction"], expected, rtol=1e-6)
    torch.testing.assert_close(both["squared"], plain)
    np.testing.assert_allclose(both["loss"], plain.numpy() + 0.5 * expected, rtol=1e-6)
    # the velocity itself, however long, has no error of direction; its opposite has two
    for factor, error in ((1.0, 0.0), (3.0, 0.0), (-1.0, 2.0)):
        found = Flow(direction_weight=1.0).training_losses(
            lambda _, t, factor=factor: factor * (x - noise), x, t, noise
        )
        torch.testing.assert_close(found["direction"], torch.full_like(t, error))


def test_with_data_prediction_the_direction_is_that_of_the_implied_velocity() -> None:
    x, noise, guess = (torch.randn(2, 3, 2, 2, dtype=torch.float64) for _ in range(3))
    t = torch.tensor([0.2, 0.7], dtype=torch.float64)
    time = t[:, None, None, None]
    velocity = (guess - time * x - (1 - time) * noise) / (1 - time)
    weighted = {"direction_weight": 1.0}
    data = Flow(prediction="data", **weighted).training_losses(lambda x, t: guess, x, t, noise)
    direct = Flow(**weighted).training_losses(lambda x, t: velocity, x, t, noise)
    torch.testing.assert_close(data["loss"], direct["loss"])


def test_times_are_drawn_as_said() -> None:
    def draw(**settings):
        return Flow(**settings).draw_times(generator("times", 1), 100_000)

    uniform = draw()
    assert uniform.dtype == np.float32
    assert 0 <= uniform.min() < uniform.max() <= 1
    assert uniform.mean() == pytest.approx(1 / 2, abs=0.005)
    assert uniform.var() == pytest.approx(1 / 12, abs=0.002)
    logits = draw(time="logit-normal", time_mean=-0.8, time_std=0.7).astype(np.float64)
    logits = np.log(logits / (1 - logits))
    assert (logits.mean(), logits.std()) == pytest.approx((-0.8, 0.7), abs=0.01)
    # the median of a shifted uniform time is 1 / (1 + shift)
    assert np.median(draw(shift=3.0)) == pytest.approx(0.25, abs=0.005)


def test_the_network_is_given_time_in_its_own_scale() -> None:
    objective = Flow(time_scale=999.0)
    seen: list[float] = []

    def network(x, t):
        seen.append(float(t[0]))
        return x

    FlowEuler().sample(objective, network, torch.zeros(1, 1, 2, 2), 4, lambda i: None)
    assert seen == pytest.approx([0, 249.75, 499.5, 749.25])
    assert objective.own_time(seen[2]) == pytest.approx(FlowEuler().times(objective, 4)[2])


@pytest.mark.slow
def test_importing_the_light_half_does_not_import_torch() -> None:
    code = "import sys, harness.diffusion.flow; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_registry_finds_them_and_keys_are_read_back() -> None:
    objective = Flow(time="logit-normal", shift=2.0, direction_weight=1.0)
    assert "direction_weight" not in Flow().key_fields("objective")  # keys of before stand
    assert components.get("objective", "flow") is Flow
    assert Flow.from_key("objective", objective.key_fields("objective")) == objective
    for sampler in (FlowEuler(), FlowHeun(shift=2.0), FlowSDE(last=0.1)):
        assert components.get("sampler", sampler.name) is type(sampler)
        assert type(sampler).from_key("sampler", sampler.key_fields("sampler")) == sampler


@pytest.mark.parametrize(
    "settings", [{"shift": 0}, {"time_std": 0}, {"prediction": "score"}, {"direction_weight": -1}]
)
def test_settings_that_make_no_flow_are_refused(settings) -> None:
    with pytest.raises(ValidationError):
        Flow(**settings)


def test_samplers_refuse_what_they_do_not_serve() -> None:
    for sampler in (FlowEuler(), FlowHeun(), FlowSDE()):
        with pytest.raises(BadInput, match="'ddpm' has no flow"):
            sampler.check(DDPM(), 10)
        with pytest.raises(BadInput, match="at least"):
            sampler.check(Flow(), 0)
    with pytest.raises(BadInput, match="returned 3 channels"):
        Flow().training_losses(
            lambda x, t: x[:, :3],
            *(torch.zeros(2, 4, 2, 2), torch.zeros(2), torch.zeros(2, 4, 2, 2)),
        )


def test_a_sample_is_the_same_alone() -> None:
    noise = SampleNoise(0, [4, 5, 6], (4, 8, 8))
    alone = SampleNoise(0, [5], (4, 8, 8))
    network = known(TWO, Flow())
    together = FlowSDE().sample(Flow(), network, noise.initial(), 6, noise)
    one = FlowSDE().sample(Flow(), network, alone.initial(), 6, alone)
    torch.testing.assert_close(together[1:2], one)
