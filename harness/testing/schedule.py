"""Laws of learning-rate schedules: what keys of checkpoints and sharing between lengths rely on."""

from __future__ import annotations

import math

from harness.components.schedule import Schedule
from harness.errors import BadInput

HORIZONS = (20_000, 30_000, 100_000)
POINTS = 200


def factors_are_finite_and_not_negative(schedule: Schedule) -> None:
    """At every step of a training, the first and the last included; some of them above 0."""
    for horizon in _horizons(schedule):
        factors = [schedule.factor(step, horizon) for step in _steps(horizon)]
        for step, factor in zip(_steps(horizon), factors, strict=True):
            if not (math.isfinite(factor) and factor >= 0):
                raise AssertionError(f"the factor of step {step} of {horizon} is {factor}")
        if not any(factors):
            raise AssertionError(f"of {horizon} steps, none has a rate above 0")


def a_factor_is_a_function_of_step_and_horizon(schedule: Schedule) -> None:
    """Asked in another order, the factors are the same: training is resumed anywhere."""
    for horizon in _horizons(schedule):
        steps = _steps(horizon)
        forwards = {step: schedule.factor(step, horizon) for step in steps}
        for step in reversed(steps):
            if schedule.factor(step, horizon) != forwards[step]:
                raise AssertionError(f"the factor of step {step} of {horizon} is not always one")


def lengths_share_what_is_promised(schedule: Schedule) -> None:
    """Below `shared_until` the factors of two lengths are equal; without a horizon, all are."""
    horizons = _horizons(schedule)
    for short in horizons:
        shared = schedule.shared_until(short)
        if not 0 <= shared <= short:
            raise AssertionError(f"shared_until({short}) is {shared}")
        if not schedule.horizon_matters and shared != short:
            raise AssertionError(
                f"horizon_matters is False, but only {shared} of {short} steps are shared"
            )
        for longer in (each for each in horizons if each > short):
            if schedule.shared_until(longer) < shared:
                raise AssertionError(
                    f"{short} steps share {shared} with longer trainings, {longer} steps fewer"
                )
            for step in {*_steps(short), max(shared - 1, 0)}:
                one, other = schedule.factor(step, short), schedule.factor(step, longer)
                if step < shared and one != other:
                    raise AssertionError(
                        f"step {step} has the factor {one} of {short} steps and {other} of "
                        f"{longer}; shared_until says that they share {shared}"
                    )


LAWS = (
    factors_are_finite_and_not_negative,
    a_factor_is_a_function_of_step_and_horizon,
    lengths_share_what_is_promised,
)


def _horizons(schedule: Schedule) -> list[int]:
    fitting = []
    for horizon in HORIZONS:
        try:
            schedule.check(horizon)
        except BadInput:
            continue
        fitting.append(horizon)
    if not fitting:
        raise AssertionError(f"check refuses trainings of {HORIZONS} steps")
    return fitting


def _steps(horizon: int) -> list[int]:
    return sorted({*range(0, horizon, horizon // POINTS), horizon - 1})
