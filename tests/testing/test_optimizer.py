"""Built-in optimizers keep the laws; an optimizer that breaks one is found by that one."""

from __future__ import annotations

import pytest
import torch

import harness.testing
from harness.components import names
from harness.stages.optimizers import AdamW


@pytest.mark.parametrize("name", names("optimizer"))
def test_built_in_optimizers_keep_every_law(name) -> None:
    harness.testing.check("optimizer", name)


class Uphill(AdamW):
    def build(self, groups):
        return torch.optim.AdamW(groups, maximize=True)


class FirstGroup(AdamW):
    def build(self, groups):
        return super().build(groups[:1])


class OwnRate(AdamW):
    def build(self, groups):
        class Stubborn(torch.optim.SGD):
            def step(self, closure=None):
                for group in self.param_groups:
                    group["lr"] = 0.01
                return super().step(closure)

        return Stubborn(groups)


class Remembers(AdamW):
    def build(self, groups):
        class Warm(torch.optim.SGD):
            steps = 0

            def step(self, closure=None):
                self.steps += 1
                rates = [group["lr"] for group in self.param_groups]
                for group in self.param_groups:
                    group["lr"] *= self.steps / 4
                super().step(closure)
                for group, rate in zip(self.param_groups, rates, strict=True):
                    group["lr"] = rate

        return Warm(groups)


BROKEN = [
    (Uphill, "the_loss_falls"),
    (FirstGroup, "every_parameter_is_stepped"),
    (OwnRate, "the_rate_is_read_at_each_step"),
    (Remembers, "a_resumed_training_is_the_undisturbed_one"),
]


@pytest.mark.parametrize(("broken", "law"), BROKEN)
def test_a_broken_optimizer_is_found_by_the_law_it_breaks(broken, law) -> None:
    with pytest.raises(AssertionError, match=f"- {law}: "):
        harness.testing.check("optimizer", broken)
