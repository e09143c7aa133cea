"""Built-in objectives keep the laws; an objective that breaks one is found by that one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import harness.testing
from harness.diffusion.flow import Flow


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("ddpm", {}),
        ("ddpm", {"steps": 50}),
        ("flow", {}),
        ("flow", {"prediction": "data", "time": "logit-normal", "shift": 3.0}),
        ("flow", {"time_scale": 999.0, "spare_channels": True}),
        ("flow", {"prediction": "data", "direction_weight": 1.0}),
        ("edm", {"data_std": 1.0}),
    ],
)
def test_built_in_objectives_keep_every_law(name, settings) -> None:
    harness.testing.check("objective", name, **settings)


class Outside(Flow):
    def draw_times(self, generator, count):
        return super().draw_times(generator, count) + np.float32(0.01)


class OwnRandomness(Flow):
    def draw_times(self, generator, count):
        return np.random.rand(count).astype(np.float32)


class LostScale(Flow):
    def own_time(self, network_time):
        return network_time


class OneNumber(Flow):
    def training_losses(self, network, x, t, noise, **condition):
        return {"loss": super().training_losses(network, x, t, noise, **condition)["loss"].mean()}


class FreshNoise(Flow):
    def training_losses(self, network, x, t, noise, **condition):
        return super().training_losses(network, x, t, torch.randn_like(noise), **condition)


class BatchMean(Flow):
    def training_losses(self, network, x, t, noise, **condition):
        loss = super().training_losses(network, x, t, noise, **condition)["loss"]
        return {"loss": loss / loss.mean()}


class Detached(Flow):
    def training_losses(self, network, x, t, noise, **condition):
        def blind(*arguments, **more):
            return network(*arguments, **more).detach()

        loss = super().training_losses(blind, x, t, noise, **condition)["loss"]
        return {"loss": loss.clone().requires_grad_()}


class Unscaled(Flow):
    def training_losses(self, network, x, t, noise, **condition):
        def early(x_t, time, **more):
            return network(x_t, time / self.time_scale, **more)

        return super().training_losses(early, x, t, noise, **condition)


class NoCondition(Flow):
    def training_losses(self, network, x, t, noise, **condition):
        def unlabelled(x_t, time, **more):
            return network(x_t, time, y=torch.zeros_like(more["y"]))

        return super().training_losses(unlabelled, x, t, noise, **condition)


BROKEN = [
    (Outside, "times_are_drawn_from_the_generator_alone"),
    (OwnRandomness, "times_are_drawn_from_the_generator_alone"),
    (LostScale, "own_time_undoes_network_time"),
    (OneNumber, "losses_are_one_per_row"),
    (FreshNoise, "losses_are_one_per_row"),
    (BatchMean, "a_row_is_the_same_in_any_micro_batch"),
    (Detached, "gradient_is_finite"),
    (Unscaled, "the_network_is_called_as_promised"),
    (NoCondition, "the_network_is_called_as_promised"),
]


@pytest.mark.parametrize(("broken", "law"), BROKEN)
def test_a_broken_objective_is_found_by_the_law_it_breaks(broken, law) -> None:
    with pytest.raises(AssertionError, match=f"- {law}: "):
        harness.testing.check("objective", broken(time_scale=999.0))
