"""Optimizers: `train.optimizer` in a study."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from harness.components.base import Component

if TYPE_CHECKING:
    import torch

BUILT_IN = {
    "adamw": "harness.stages.optimizers:AdamW",
    "muon": "harness.stages.optimizers:Muon",
}


class Optimizer(Component):
    """Steps the weights. It is deterministic: a step depends on gradients and state alone."""

    kind: ClassVar[str] = "optimizer"

    def check(self, rate: float) -> None:
        """Raise BadInput when its settings do not go with the study's learning rate."""

    @abstractmethod
    def build(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        """Over a family's parameter groups, each with its rate `lr` and whether it is `hidden`.

        The state must be tensors and numbers per parameter (what torch.optim's state_dict holds),
        so that training can be resumed bit for bit.
        """
