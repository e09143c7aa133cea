"""torch's Muon and AdamW as one optimizer: what training steps, saves and restores as a whole."""

from __future__ import annotations

from typing import Any

import torch

from harness.errors import BadInput


class MuonAndAdamW(torch.optim.Optimizer):
    """Muon over the groups marked `hidden`, AdamW over the others.

    Both keep their state here (`state`), as torch.optim's optimizers do, and read their rates from
    `param_groups`. Raises BadInput when no group is marked hidden, and where torch has no Muon.
    """

    def __init__(
        self,
        groups: list[dict[str, Any]],
        momentum: float,
        weight_decay: float,
        betas: tuple[float, float],
    ) -> None:
        if not any(group.get("hidden") for group in groups):
            raise BadInput(
                "muon steps hidden matrices, and this family names none (hidden_matrices); use "
                "adamw"
            )
        muon = getattr(torch.optim, "Muon", None)
        if muon is None:
            raise BadInput(
                f"torch {torch.__version__} has no Muon, which came with torch 2.9: install a "
                "newer one, or set train.optimizer: adamw"
            )
        super().__init__(groups, {})
        self._steppers: list[torch.optim.Optimizer] = []
        hidden = [dict(g) for g in self.param_groups if g.get("hidden")]
        others = [dict(g) for g in self.param_groups if not g.get("hidden")]
        self._steppers.append(
            muon(
                hidden,
                momentum=momentum,
                weight_decay=weight_decay,
                adjust_lr_fn="match_rms_adamw",
            )
        )
        if others:
            self._steppers.append(
                torch.optim.AdamW(others, betas=betas, weight_decay=weight_decay, fused=True)
            )
        self.param_groups = [g for each in self._steppers for g in each.param_groups]
        for each in self._steppers:
            each.state = self.state

    def step(self, closure: Any = None) -> Any:
        """One step of both optimizers."""
        loss = closure() if closure is not None else None
        for each in self._steppers:
            each.step()
        return loss

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load the state of both optimizers, as torch's `load_state_dict` does."""
        super().load_state_dict(state_dict)
        at = 0
        for each in self._steppers:
            count = len(each.param_groups)
            each.param_groups = self.param_groups[at : at + count]
            each.state = self.state
            at += count
