"""Laws of samplers: what costs, shards, resumed sampling and the numbers themselves rely on.

Each law is tried with every objective that the sampler serves, at that objective's defaults.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harness.components import registry
from harness.components.objective import Objective
from harness.components.sampler import Sampler
from harness.errors import BadInput
from harness.testing.ideal import IdealNetwork

STEPS = (10, 12, 16, 20, 25, 50)  # the first that the sampler takes
MANY = (64, 50, 100, 128, 250)
SHAPE = (3, 4, 4)
ROWS = 5
MEAN, STD = 0.4, 0.3  # of the Gaussian data
COUNT = 8192
SLACK = 0.1  # of the data's standard deviation: what the sampler's own steps may leave


def it_serves_some_objective(sampler: Sampler) -> None:
    """`serves` names objectives that there are."""
    if not getattr(sampler, "serves", ()):
        raise AssertionError("serves names no objective")
    for name in sampler.serves:
        registry.entry("objective", name)


def impossible_steps_are_refused(sampler: Sampler) -> None:
    """`check` raises BadInput for 0 steps and below."""
    for objective in _objectives(sampler):
        for steps in (0, -1):
            try:
                sampler.check(objective, steps)
            except BadInput:
                continue
            raise AssertionError(f"check does not refuse {steps} steps with {objective.name}")


def evaluations_are_those_counted(sampler: Sampler) -> None:
    """`times` lists every evaluation of the network, in order, and `evaluations` their number."""
    for objective in _objectives(sampler):
        steps = _first(sampler, objective, STEPS)
        network = Watched(objective)
        _sample(sampler, objective, network, steps)
        promised = list(sampler.times(objective, steps))
        where = f"with {objective.name} at {steps} steps"
        if sampler.evaluations(objective, steps) != len(network.times):
            raise AssertionError(
                f"{where} the network was evaluated {len(network.times)} times; evaluations says "
                f"{sampler.evaluations(objective, steps)}"
            )
        if not np.allclose(network.times, promised, rtol=1e-4, atol=1e-5):
            raise AssertionError(
                f"{where} the network was evaluated at {_few(network.times)}; times says "
                f"{_few(promised)}"
            )


def a_sample_is_the_same_in_any_batch(sampler: Sampler) -> None:
    """Sample i alone, in a batch of any size and at any place in it: the same, to rounding."""
    for objective in _objectives(sampler):
        steps = _first(sampler, objective, STEPS)
        whole = _sample(sampler, objective, Watched(objective), steps)
        for rows in ([3], [1, 4], [4, 0, 2, 3]):
            part = _sample(sampler, objective, Watched(objective), steps, rows)
            if not torch.allclose(part, whole[rows], rtol=1e-3, atol=1e-4):
                raise AssertionError(
                    f"with {objective.name}, samples {rows} drawn by themselves differ from those "
                    f"drawn among {ROWS} by {float((part - whole[rows]).abs().max()):.3g}"
                )


def a_sample_is_drawn_from_its_noise_alone(sampler: Sampler) -> None:
    """Twice the same, whatever torch's own generator gave in between; z is left as it was."""
    for objective in _objectives(sampler):
        steps = _first(sampler, objective, STEPS)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            one = _sample(sampler, objective, Watched(objective), steps)
            torch.manual_seed(1)
            other = _sample(sampler, objective, Watched(objective), steps)
        if not torch.equal(one, other):
            raise AssertionError(f"with {objective.name}, the same z and noise give two samples")
        z = _noise(range(ROWS))(-1)
        before = z.clone()
        sampler.sample(objective, Watched(objective), z, steps, _noise(range(ROWS)), y=_labels())
        if not torch.equal(z, before):
            raise AssertionError(f"with {objective.name}, z was changed in place")


def samples_are_like_the_noise(sampler: Sampler) -> None:
    """There are as many samples as noises, of the same shape, float32 and finite."""
    for objective in _objectives(sampler):
        steps = _first(sampler, objective, STEPS)
        out = _sample(sampler, objective, Watched(objective), steps)
        if tuple(out.shape) != (ROWS, *SHAPE) or out.dtype != torch.float32:
            raise AssertionError(
                f"with {objective.name}, z (5, 3, 4, 4) float32 gives {tuple(out.shape)} "
                f"{out.dtype}"
            )
        if not bool(torch.isfinite(out).all()):
            raise AssertionError(f"with {objective.name}, samples are not finite")


def noise_is_asked_for_in_order(sampler: Sampler) -> None:
    """Loop steps count up from 0: any other order costs a pass over the streams each time."""
    for objective in _objectives(sampler):
        steps = _first(sampler, objective, STEPS)
        asked: list[int] = []
        noise = _noise(range(ROWS))

        def watched(i: int, asked: list[int] = asked, noise: Any = noise) -> Tensor:
            asked.append(i)
            return noise(i)  # type: ignore[no-any-return]

        sampler.sample(objective, Watched(objective), noise(-1), steps, watched, y=_labels())
        if asked != sorted(set(asked)) or (asked and asked[0] < 0):
            raise AssertionError(f"with {objective.name}, noise was asked for in the order {asked}")


def a_gaussian_is_sampled_right(sampler: Sampler) -> None:
    """With the best network for Gaussian data, samples have the data's mean and spread."""
    for objective in _objectives(sampler):
        steps = _first(sampler, objective, MANY)
        network = IdealNetwork(objective, MEAN, STD)
        source = torch.Generator().manual_seed(11)

        def draw(_: int, source: torch.Generator = source) -> Tensor:
            return torch.randn(COUNT, 1, 1, 1, generator=source)

        out = sampler.sample(objective, network, draw(-1), steps, draw).double()
        mean, std = float(out.mean()), float(out.std())
        chance = 4 * STD / COUNT**0.5
        if abs(mean - MEAN) > SLACK * STD + chance or abs(std - STD) > SLACK * STD + chance:
            raise AssertionError(
                f"with {objective.name} at {steps} steps and the best network for data of mean "
                f"{MEAN} and standard deviation {STD}, samples have {mean:.4f} and {std:.4f}"
            )


LAWS = (
    it_serves_some_objective,
    impossible_steps_are_refused,
    evaluations_are_those_counted,
    a_sample_is_the_same_in_any_batch,
    a_sample_is_drawn_from_its_noise_alone,
    samples_are_like_the_noise,
    noise_is_asked_for_in_order,
    a_gaussian_is_sampled_right,
)


class Watched:
    """A network whose output for a row is a function of that row; it notes the times it is given.

    Its own times, undone: as a guidance interval would read them. Raises AssertionError when rows
    of a batch are given different times, or the condition does not come through.
    """

    def __init__(self, objective: Objective) -> None:
        self.objective = objective
        self.times: list[float] = []

    def __call__(self, x: Tensor, t: Tensor, **condition: Tensor) -> Tensor:
        if tuple(t.shape) != (x.shape[0],) or not bool((t == t[0]).all()):
            raise AssertionError(f"the network was given times {t.tolist()} for {len(x)} rows")
        if set(condition) != {"y"} or len(condition["y"]) != len(x):
            raise AssertionError(f"the network was given the condition {condition}, not labels y")
        self.times.append(self.objective.own_time(float(t[0])))
        shift = torch.sin(condition["y"].float())[:, None, None, None]
        out = torch.tanh(0.5 * x + shift)
        return out.repeat(1, self.objective.out_channels(x.shape[1]) // x.shape[1], 1, 1)


def _objectives(sampler: Sampler) -> Iterator[Objective]:
    for name in sampler.serves:
        objective: Any = registry.get("objective", name)()
        yield objective


def _first(sampler: Sampler, objective: Objective, among: tuple[int, ...]) -> int:
    said = ""
    for steps in among:
        try:
            sampler.check(objective, steps)
        except BadInput as error:
            said = str(error)
            continue
        return steps
    raise AssertionError(f"check refuses {among} steps with {objective.name}: {said}")


def _labels() -> Tensor:
    return torch.arange(ROWS)


def _noise(rows: Any) -> Any:
    """Draws (-1: z) that are functions of the row."""

    def draw(i: int) -> Tensor:
        generators = [torch.Generator().manual_seed(1000 * row + i + 1) for row in rows]
        return torch.stack([torch.randn(SHAPE, generator=each) for each in generators])

    return draw


def _sample(
    sampler: Sampler, objective: Objective, network: Any, steps: int, rows: Any = range(ROWS)
) -> Tensor:
    rows = list(rows)
    noise = _noise(rows)
    return sampler.sample(objective, network, noise(-1), steps, noise, y=_labels()[rows])


def _few(times: Any) -> str:
    shown = [f"{t:.6g}" for t in times]
    return ", ".join(shown if len(shown) < 7 else [*shown[:3], "...", *shown[-3:]])
