"""Built-in samplers keep the laws; a sampler that breaks one is found by that one."""

from __future__ import annotations

import pytest
import torch

import harness.testing
from harness.components import names
from harness.diffusion.flow import FlowEuler, FlowSDE, as_flow


@pytest.mark.slow
@pytest.mark.parametrize("name", names("sampler"))
def test_built_in_samplers_keep_every_law(name) -> None:
    harness.testing.check("sampler", name)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("ddim", {"eta": 1.0, "clip": True}),
        ("flow-euler", {"shift": 2.0}),
        ("edm-heun", {"churn": 10.0}),
    ],
)
def test_built_in_samplers_keep_every_law_with_other_settings(name, settings) -> None:
    harness.testing.check("sampler", name, **settings)


class Orphan(FlowEuler):
    serves = ()


class AnySteps(FlowEuler):
    def check(self, objective, steps):
        as_flow(objective)


class OneMore(FlowEuler):
    def sample(self, objective, denoise, z, steps, noise, **condition):
        return super().sample(objective, denoise, z, steps + 1, noise, **condition)


class Backwards(FlowEuler):
    def times(self, objective, steps):
        return super().times(objective, steps)[::-1]


class Whitened(FlowEuler):
    def sample(self, objective, denoise, z, steps, noise, **condition):
        out = super().sample(objective, denoise, z, steps, noise, **condition)
        return out - out.mean(dim=0)


class OwnNoise(FlowSDE):
    def sample(self, objective, denoise, z, steps, noise, **condition):
        return super().sample(
            objective, denoise, z, steps, lambda i: torch.randn_like(z), **condition
        )


class InPlace(FlowEuler):
    def sample(self, objective, denoise, z, steps, noise, **condition):
        return super().sample(objective, denoise, z.mul_(0.999), steps, noise, **condition)


class Doubles(FlowEuler):
    def sample(self, objective, denoise, z, steps, noise, **condition):
        return super().sample(objective, denoise, z, steps, noise, **condition).double()


class Rewinds(FlowSDE):
    def sample(self, objective, denoise, z, steps, noise, **condition):
        ahead = noise(steps)
        out = super().sample(objective, denoise, z, steps, noise, **condition)
        return out + 0 * ahead


class WrongWay(FlowEuler):
    def sample(self, objective, denoise, z, steps, noise, **condition):
        def away(x, t, **more):
            return -denoise(x, t, **more)

        return super().sample(objective, away, z, steps, noise, **condition)


class TooQuiet(FlowSDE):
    """Its SDE's noise is too small by a quarter."""

    def sample(self, objective, denoise, z, steps, noise, **condition):
        return super().sample(objective, denoise, z, steps, lambda i: 0.75 * noise(i), **condition)


BROKEN = [
    (Orphan, "it_serves_some_objective"),
    (AnySteps, "impossible_steps_are_refused"),
    (OneMore, "evaluations_are_those_counted"),
    (Backwards, "evaluations_are_those_counted"),
    (Whitened, "a_sample_is_the_same_in_any_batch"),
    (OwnNoise, "a_sample_is_drawn_from_its_noise_alone"),
    (InPlace, "a_sample_is_drawn_from_its_noise_alone"),
    (Doubles, "samples_are_like_the_noise"),
    (Rewinds, "noise_is_asked_for_in_order"),
    (WrongWay, "a_gaussian_is_sampled_right"),
    (TooQuiet, "a_gaussian_is_sampled_right"),
]


@pytest.mark.parametrize(
    ("broken", "law"),
    [BROKEN[0], *(pytest.param(*each, marks=pytest.mark.slow) for each in BROKEN[1:])],
)
def test_a_broken_sampler_is_found_by_the_law_it_breaks(broken, law) -> None:
    with pytest.raises(AssertionError, match=f"- {law}: "):
        harness.testing.check("sampler", broken())
