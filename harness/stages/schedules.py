"""The learning-rate schedules as components."""

from __future__ import annotations

from typing import Any

from harness.components.schedule import Schedule


class Constant(Schedule):
    """The study's rate at every step, as in the paper."""

    name = "constant"

    def key_fields(self, role: str) -> dict[str, Any]:
        """Nothing: keys of before there were schedules stand."""
        return {}

    def factor(self, step: int, horizon: int) -> float:
        return 1.0
