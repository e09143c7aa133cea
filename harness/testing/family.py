"""Laws of families: what training, sampling, counting and resuming rely on.

Networks are tried with random weights, so that nothing hides behind a zero initialisation, and on
the smallest input that the family takes.
"""

from __future__ import annotations

import json
from typing import Any

import torch
from torch import Tensor, nn

from harness.components.family import Family, Input
from harness.errors import BadInput

SIDES = (8, 16, 32, 64, 128, 256)
CHANNELS, CLASSES, ROWS = 4, 10, 3
TOLERANCE = 1e-4  # of the largest output, for sums in another order


def output_has_the_asked_shape(family: Family) -> None:
    """(N, C, H, W) in, (N, out_channels, H, W) out, for times of any kind and the null label."""
    for out in (CHANNELS, 2 * CHANNELS):
        given = an_input(family, out)
        model = filled(family, given)
        x, t, y = batch(given)
        for times in (t, t.round().long()):
            shape = tuple(run(model, x, times, y).shape)
            wanted = (ROWS, out, given.side, given.side)
            if shape != wanted:
                raise AssertionError(
                    f"for x {tuple(x.shape)} and {out} output channels the output is {shape}, "
                    f"not {wanted}"
                )
        null = getattr(model, "null_label", None)
        if null != given.num_classes:
            raise AssertionError(
                f"the network's null_label is {null!r} for {given.num_classes} classes: guidance "
                f"needs null_label = {given.num_classes}"
            )
        run(model, x, t, torch.full_like(y, given.num_classes))


def gflops_are_the_counted(family: Family) -> None:
    """`gflops` is what counting the built network gives, at two sizes of input, or None."""
    from harness.models.counting import trace

    first = an_input(family)
    for factor in (1, 2):
        given = Input(first.side * factor, CHANNELS, CLASSES, CHANNELS)
        stated = family.gflops(given)
        model = family.build(given)
        x, t, y = (each[:1] for each in batch(given))
        counted = trace(model, (x, t, y))["products"] / 1e9
        if stated is None:  # it is counted when a study is planned: that must be possible
            return
        if abs(stated - counted) > 1e-6 * counted:
            raise AssertionError(
                f"at {given.side}x{given.side} the formula says {stated:.9g} Gflops, fvcore "
                f"counts {counted:.9g}"
            )


def the_state_dict_holds_everything(family: Family) -> None:
    """Another network that loads the state dict gives the same output, bit for bit."""
    given = an_input(family)
    one, other = filled(family, given, seed=1), filled(family, given, seed=2)
    other.load_state_dict(one.state_dict())
    _same(run(one, *batch(given)), run(other, *batch(given)), 0.0, "with the same state dict")


def gradient_reaches_every_parameter(family: Family) -> None:
    """Every trainable parameter has a gradient that is not zero throughout, and is finite."""
    given = an_input(family)
    for checkpointing in (False, True):
        model = filled(family, given, checkpointing=checkpointing).train()
        x, t, y = batch(given)
        out = model(x, t, y)
        (out * torch.randn(out.shape, generator=torch.Generator().manual_seed(7))).sum().backward()
        for name, parameter in model.named_parameters():
            if not parameter.requires_grad:
                continue
            gradient = parameter.grad
            if gradient is None or not bool(gradient.any()):
                raise AssertionError(
                    f"no gradient reaches {name} (checkpointing={checkpointing}); a parameter "
                    "that does nothing is not one"
                )
            if not bool(torch.isfinite(gradient).all()):
                raise AssertionError(f"the gradient of {name} is not finite")


def a_row_depends_on_itself_alone(family: Family) -> None:
    """The output of a row is the same alone and in a batch, to rounding."""
    given = an_input(family)
    model = filled(family, given)
    x, t, y = batch(given)
    together = run(model, x, t, y)
    for i in range(ROWS):
        alone = run(model, *(each[i : i + 1] for each in (x, t, y)))
        _same(together[i : i + 1], alone, TOLERANCE, f"of row {i} in a batch of {ROWS} and alone")


def all_inputs_matter(family: Family) -> None:
    """The output changes with the image, the time and the label."""
    given = an_input(family)
    model = filled(family, given)
    x, t, y = batch(given)
    before = run(model, x, t, y)
    for name, changed in (("x", (-x, t, y)), ("t", (x, t + 50, y)), ("y", (x, t, y + 1))):
        if torch.equal(before, run(model, *changed)):
            raise AssertionError(f"the output does not depend on {name}")


def a_seed_fixes_the_initial_weights(family: Family) -> None:
    """Built twice under one seed of torch, the weights are the same; under another, not all."""
    given = an_input(family)
    states = []
    for seed in (0, 0, 1):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            states.append(family.build(given).state_dict())
    for name, value in states[0].items():
        if not torch.equal(value, states[1][name]):
            raise AssertionError(f"{name} differs between two builds under one torch.manual_seed")
    if all(torch.equal(value, states[2][name]) for name, value in states[0].items()):
        raise AssertionError("two seeds give the same initial weights")


def nothing_is_allocated_on_the_meta_device(family: Family) -> None:
    """Under torch.device("meta") every parameter and buffer is there without memory."""
    with torch.device("meta"):
        model = family.build(an_input(family))
    for name, value in model.state_dict().items():
        if not value.is_meta:
            raise AssertionError(f"{name} is on {value.device} though built under meta")


def the_architecture_is_read_back(family: Family) -> None:
    """The architecture that a key holds, as JSON, makes the same network again."""
    given = an_input(family)
    written = json.loads(json.dumps(family.architecture(given)))
    again, their_input = type(family).from_architecture(written)
    if their_input != given or again.architecture(given) != family.architecture(given):
        raise AssertionError(
            f"from_architecture reads {written} as {again.architecture(their_input)}"
        )
    ours, theirs = _shapes(family, given), _shapes(again, given)
    if ours != theirs:
        raise AssertionError(f"{written} builds another network than the family it was written of")


def parameter_groups_hold_each_parameter_once(family: Family) -> None:
    """An optimizer over the groups steps every trainable parameter, once, at a positive rate."""
    model = family.build(an_input(family))
    names = {id(p): name for name, p in model.named_parameters() if p.requires_grad}
    seen: set[int] = set()
    for group in family.parameter_groups(model, 1e-3):
        if not group.get("lr", 0) > 0:
            raise AssertionError(f"a parameter group has the rate {group.get('lr')!r}")
        for parameter in group["params"]:
            if id(parameter) in seen:
                raise AssertionError(f"{names.get(id(parameter))} is in two parameter groups")
            seen.add(id(parameter))
    missing = [name for at, name in names.items() if at not in seen]
    if missing:
        raise AssertionError(f"in no parameter group: {', '.join(missing)}")


def shard_units_are_parts_of_the_network(family: Family) -> None:
    """Each unit that FSDP shards is a module of the network, and none is named twice."""
    model = family.build(an_input(family))
    modules = {id(module) for module in model.modules()}
    units = [id(unit) for unit in family.shard_units(model)]
    if len(set(units)) != len(units) or not set(units) <= modules:
        raise AssertionError("shard_units names a module twice, or one that the network has not")


LAWS = (
    output_has_the_asked_shape,
    gflops_are_the_counted,
    the_state_dict_holds_everything,
    gradient_reaches_every_parameter,
    a_row_depends_on_itself_alone,
    all_inputs_matter,
    a_seed_fixes_the_initial_weights,
    nothing_is_allocated_on_the_meta_device,
    the_architecture_is_read_back,
    parameter_groups_hold_each_parameter_once,
    shard_units_are_parts_of_the_network,
)


def an_input(family: Family, out_channels: int = CHANNELS) -> Input:
    """The smallest square input that the family takes. Raises AssertionError if it takes none."""
    said = ""
    for side in SIDES:
        given = Input(side, CHANNELS, CLASSES, out_channels)
        try:
            family.check(given)
        except BadInput as error:
            said = str(error)
            continue
        return given
    raise AssertionError(f"check refuses every side among {SIDES}; of the last it says: {said}")


def filled(family: Family, given: Input, seed: int = 1, checkpointing: bool = False) -> nn.Module:
    """The network in eval mode, every parameter random."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = family.build(given, checkpointing=checkpointing)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.1)
    return model.eval()


def batch(given: Input) -> tuple[Tensor, Tensor, Tensor]:
    """x, t, y of ROWS different rows."""
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(ROWS, given.channels, given.side, given.side, generator=generator)
    return x, torch.tensor([3.25, 401.5, 77.75]), torch.tensor([1, 7, 4])


def run(model: nn.Module, x: Tensor, t: Tensor, y: Tensor) -> Tensor:
    """The output without gradients."""
    with torch.no_grad():
        out: Tensor = model(x, t, y)
    return out


def _same(a: Tensor, b: Tensor, tolerance: float, what: str) -> None:
    scale = float(a.abs().max())
    off = float((a - b).abs().max())
    if not off <= tolerance * scale:
        raise AssertionError(f"outputs {what} differ by {off:.3g}, of values up to {scale:.3g}")


def _shapes(family: Family, given: Input) -> dict[str, Any]:
    with torch.device("meta"):
        return {k: tuple(v.shape) for k, v in family.build(given).state_dict().items()}
