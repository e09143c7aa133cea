"""Laws of objectives: what training in micro-batches, on ranks and after a resume relies on."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from harness.components.objective import Objective

ROWS, CHANNELS, SIDE = 8, 3, 4
DRAWS = 4096


def times_are_drawn_from_the_generator_alone(objective: Objective) -> None:
    """The same generator gives the same times, another one others, within the time range."""
    one, again, other = (times(objective, DRAWS, seed) for seed in (0, 0, 1))
    if one.shape != (DRAWS,):
        raise AssertionError(f"draw_times(generator, {DRAWS}) has shape {one.shape}")
    if not np.array_equal(one, again):
        raise AssertionError("two equal generators give different times")
    if np.array_equal(one, other):
        raise AssertionError("two different generators give the same times")
    low, high = objective.time_range
    if not low < high:
        raise AssertionError(f"the time range {objective.time_range} is empty")
    outside = one[~((one >= low) & (one <= high))]
    if outside.size:
        raise AssertionError(
            f"draw_times gave {outside[0]}, outside the time range {low} to {high}"
        )


def own_time_undoes_network_time(objective: Objective) -> None:
    """A time goes to the network and comes back: a guidance interval means what it says."""
    drawn = times(objective, 64)
    given = objective.network_time(torch.from_numpy(drawn))
    if given.shape != (64,):
        raise AssertionError(f"network_time of (64,) times has shape {tuple(given.shape)}")
    for t, network_time in zip(drawn, given, strict=True):
        back = objective.own_time(float(network_time))
        if not np.isclose(back, float(t), rtol=1e-4, atol=1e-6):
            raise AssertionError(f"time {t} is {float(network_time)} to the network, back {back}")


def losses_are_one_per_row(objective: Objective) -> None:
    """{"loss": (N,), ...}, all finite, and the same for the same arguments."""
    arguments = batch(objective)
    found = losses(objective, arguments)
    if "loss" not in found:
        raise AssertionError(f"training_losses gives {sorted(found)}, no 'loss'")
    for name, value in found.items():
        if tuple(value.shape) != (ROWS,):
            raise AssertionError(f"{name!r} has shape {tuple(value.shape)}, not ({ROWS},)")
        if not bool(torch.isfinite(value).all()):
            raise AssertionError(f"{name!r} is not finite: {value.tolist()}")
        if not torch.equal(value, losses(objective, arguments)[name]):
            raise AssertionError(f"{name!r} differs between two calls: only t and noise are random")


def a_row_is_the_same_in_any_micro_batch(objective: Objective) -> None:
    """Row i's loss is that of row i alone, whatever shares its pass: to rounding."""
    arguments = batch(objective)
    whole = losses(objective, arguments)
    for size in (1, 2, 5):
        for start in range(0, ROWS, size):
            part = slice(start, start + size)
            found = losses(objective, tuple(each[part] for each in arguments))
            for name, value in found.items():
                if not torch.allclose(value, whole[name][part], rtol=1e-4, atol=1e-6):
                    raise AssertionError(
                        f"{name!r} of rows {start} to {start + len(value) - 1} is "
                        f"{value.tolist()} by themselves and {whole[name][part].tolist()} among "
                        f"{ROWS}"
                    )


def gradient_is_finite(objective: Objective) -> None:
    """The loss has a finite gradient in the network's output, at the ends of what is drawn too."""
    drawn = np.sort(times(objective, DRAWS))
    x, _, noise, y = batch(objective)
    t = torch.from_numpy(drawn[np.linspace(0, DRAWS - 1, ROWS).round().astype(int)])
    scale = torch.ones((), requires_grad=True)

    def network(x: Tensor, t: Tensor, y: Tensor) -> Tensor:
        return scale * _network(objective)(x, t, y)  # type: ignore[no-any-return]

    objective.training_losses(network, x, t, noise, y=y)["loss"].sum().backward()  # type: ignore[no-untyped-call]
    if scale.grad is None or not bool(torch.isfinite(scale.grad)) or float(scale.grad) == 0.0:
        raise AssertionError(
            f"at times {t.tolist()} the gradient in the network's output is {scale.grad}"
        )


def the_network_is_called_as_promised(objective: Objective) -> None:
    """network(x_t, the time that it is given, **condition), for all rows of the pass."""
    x, t, noise, y = batch(objective)
    seen: list[tuple[Any, ...]] = []

    def network(x_t: Tensor, time: Tensor, **condition: Tensor) -> Tensor:
        seen.append((x_t.detach(), time, condition))
        return _network(objective)(x_t, time, **condition)  # type: ignore[no-any-return]

    objective.training_losses(network, x, t, noise, y=y)
    if not seen:
        raise AssertionError("training_losses does not call the network")
    for x_t, time, condition in seen:
        if x_t.shape != x.shape or time.shape != t.shape:
            raise AssertionError(
                f"for x {tuple(x.shape)} the network is given x_t {tuple(x_t.shape)} and times "
                f"{tuple(time.shape)}"
            )
        if set(condition) != {"y"} or not torch.equal(condition["y"], y):
            raise AssertionError(f"the network is given {condition}, not y={y.tolist()}")
        wanted = objective.network_time(t)
        if not torch.allclose(time.double(), wanted.double(), rtol=1e-5, atol=1e-6):
            raise AssertionError(
                f"the network is given times {time.tolist()}; network_time says {wanted.tolist()}"
            )
        if torch.allclose(x_t, x):
            raise AssertionError("the network is given the images without noise")


LAWS = (
    times_are_drawn_from_the_generator_alone,
    own_time_undoes_network_time,
    losses_are_one_per_row,
    a_row_is_the_same_in_any_micro_batch,
    gradient_is_finite,
    the_network_is_called_as_promised,
)


def times(objective: Objective, count: int, seed: int = 0) -> np.ndarray:
    """`count` times as training draws them."""
    return objective.draw_times(np.random.Generator(np.random.Philox(seed)), count)


def batch(objective: Objective) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """x, t, noise, y of ROWS rows."""
    generator = torch.Generator().manual_seed(5)
    x = torch.rand(ROWS, CHANNELS, SIDE, SIDE, generator=generator) * 2 - 1
    noise = torch.randn(x.shape, generator=generator)
    return x, torch.from_numpy(times(objective, ROWS)), noise, torch.arange(ROWS)


def losses(objective: Objective, arguments: tuple[Tensor, ...]) -> dict[str, Tensor]:
    """The losses of a network whose output for a row is a nonlinear function of that row."""
    x, t, noise, y = arguments
    with torch.no_grad():
        return objective.training_losses(_network(objective), x, t, noise, y=y)


def _network(objective: Objective) -> Any:
    def network(x: Tensor, t: Tensor, y: Tensor) -> Tensor:
        shift = torch.sin(t.float() + y)[:, None, None, None]
        out = torch.tanh(0.7 * x + shift)
        return out.repeat(1, objective.out_channels(x.shape[1]) // x.shape[1], 1, 1)

    return network
