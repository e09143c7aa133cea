"""An optimizer: each weight moves by the sign of its averaged gradient.

train: {optimizer: {name: sign-momentum, momentum: 0.9}}
"""

from typing import ClassVar

from harness.components import Optimizer


class SignMomentum(Optimizer):
    """The sign of the gradient's running average, times the rate. The rate is 10 times smaller
    than Adam's as a rule."""

    name: ClassVar[str] = "sign-momentum"

    momentum: float = 0.9
    "Decay of the gradient's average, 0 to 1."

    def build(self, groups):
        import torch

        class Steps(torch.optim.Optimizer):
            @torch.no_grad()
            def step(self, closure=None):
                for group in self.param_groups:
                    for weight in group["params"]:
                        if weight.grad is None:
                            continue
                        state = self.state[weight]  # tensors alone: training resumes bit for bit
                        if "average" not in state:
                            state["average"] = torch.zeros_like(weight)
                        average = state["average"]
                        average.mul_(group["momentum"]).add_(
                            weight.grad, alpha=1 - group["momentum"]
                        )
                        weight.add_(average.sign(), alpha=-group["lr"])

        return Steps(groups, {"momentum": self.momentum})
