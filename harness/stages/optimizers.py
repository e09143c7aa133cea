"""The optimizers as components."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Field

from harness.components.optimizer import Optimizer
from harness.errors import BadInput

if TYPE_CHECKING:
    import torch

_one_zero = AfterValidator(lambda value: value + 0.0)  # -0.0 is the same number: one key for both
Decay = Annotated[float, Field(ge=0, lt=1), _one_zero]


def refuse_too_much(decay: float, rate: float) -> None:
    """No step takes more off a weight than there is of it. Raises BadInput."""
    if rate * decay > 1:
        raise BadInput(
            f"weight_decay {decay:g} with learning_rate {rate:g} takes {rate * decay:.3g} times "
            f"each weight off it in every step: give at most {1 / rate:g}"
        )


class AdamW(Optimizer):
    """Adam with decoupled weight decay, the paper's."""

    name = "adamw"

    weight_decay: Annotated[float, Field(ge=0, le=1e6), _one_zero] = 0.0
    "Share of a weight that a step of rate 1 takes off it."

    betas: tuple[Decay, Decay] = (0.9, 0.999)
    "Decays of the averages of the gradient and of its square."

    @classmethod
    def complete(cls, given: dict[str, Any], section: Any) -> dict[str, Any]:
        """Its settings stand in the recipe itself too."""
        own = section.model_fields_set & cls.model_fields.keys()
        return {**{name: getattr(section, name) for name in own}, **given}

    def key_fields(self, role: str) -> dict[str, Any]:
        """Where keys have had them from the beginning: in the recipe itself."""
        return {"weight_decay": self.weight_decay, "betas": self.betas}

    @classmethod
    def from_key(cls, role: str, settings: dict[str, Any]) -> AdamW:
        return cls(weight_decay=settings["weight_decay"], betas=tuple(settings["betas"]))

    def check(self, rate: float) -> None:
        refuse_too_much(self.weight_decay, rate)

    def build(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        import torch

        return torch.optim.AdamW(
            groups,
            betas=self.betas,
            weight_decay=self.weight_decay,
            fused=True,  # one kernel for all parameters; measured fastest on the CPU too
        )


class Muon(Optimizer):
    """Muon (Jordan et al. 2024) for hidden matrices, AdamW beside it for all other parameters.

    The step of a matrix is its momentum made orthogonal, scaled to the size of AdamW's steps (Liu
    et al. 2025, 2502.16982), so that one learning rate serves both. torch's own implementation.
    """

    name = "muon"

    momentum: Decay = 0.95
    "Decay of Muon's average of the gradient (Nesterov's)."

    weight_decay: Annotated[float, Field(ge=0, le=1e6), _one_zero] = 0.0
    "Share of a weight that a step of rate 1 takes off it, of both."

    betas: tuple[Decay, Decay] = (0.9, 0.95)
    "AdamW's decays of the averages of the gradient and of its square."

    def check(self, rate: float) -> None:
        refuse_too_much(self.weight_decay, rate)

    def build(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        """Raises BadInput when the family has no hidden matrices."""
        from harness.stages.muon import MuonAndAdamW

        return MuonAndAdamW(groups, self.momentum, self.weight_decay, self.betas)
