"""Built-in families keep the laws; a family that breaks one is found by that one."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import harness.testing
from harness.components.family import Family, Input
from harness.errors import BadInput
from harness.models.zoo import BLOCKS

SMALL = {"depth": 2, "width": 32, "heads": 2, "patch_size": 4}


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("U-ViT", {"depth": 3, "width": 32, "heads": 2, "patch_size": 4}),
        *(("DiT", {**SMALL, "block": block}) for block in BLOCKS),
        ("DiT-micro", {"size": "S", "patch_size": 4}),
        *(
            pytest.param("DiT-micro", {"size": size, "patch_size": 4}, marks=pytest.mark.slow)
            for size in ("B", "L", "XL")
        ),
    ],
)
def test_built_in_families_keep_every_law(name, settings) -> None:
    harness.testing.check("family", name, **settings)


class Net(nn.Module):
    """Two convolutions, with the time and the label added between."""

    def __init__(self, given: Input, width: int) -> None:
        super().__init__()
        self.null_label = given.num_classes
        self.first = nn.Conv2d(given.channels, width, 3, padding=1)
        self.label = nn.Embedding(given.num_classes + 1, width)
        self.time = nn.Linear(1, width)
        self.blocks = nn.ModuleList([nn.Conv2d(width, given.out_channels, 3, padding=1)])

    def forward(self, x: Tensor, t: Tensor, y: Tensor) -> Tensor:
        added = self.label(y) + self.time(t.float()[:, None] / 1000)
        return self.blocks[0](torch.relu(self.first(x) + added[:, :, None, None]))


class Plain(Family):
    """A small convolutional network."""

    name = "plain"

    width: int = 8
    "Channels of the hidden layer."

    @property
    def label(self) -> str:
        return f"plain-{self.width}"

    def check(self, given: Input) -> None:
        if given.side < 16:
            raise BadInput("too small")

    def build(self, given: Input, *, checkpointing: bool = False) -> nn.Module:
        return self._net(given)

    def _net(self, given: Input) -> nn.Module:
        return Net(given, self.width)

    def gflops(self, given: Input) -> float | None:
        pixels = 9 * given.side**2 * self.width
        return (pixels * (given.channels + given.out_channels) + self.width) / 1e9


def test_a_strangers_family_keeps_every_law() -> None:
    harness.testing.check("family", Plain)


def changed(**methods: Any) -> type[Family]:
    """Plain with a network, or itself, changed in one thing."""
    net = type("Changed", (Net,), {k: v for k, v in methods.items() if k in vars(Net)})

    def make(self: Plain, given: Input) -> nn.Module:
        return net(given, self.width)

    own = {k: v for k, v in methods.items() if k not in vars(Net)}
    return type("Changed", (Plain,), {"_net": make, "name": "changed", "__doc__": "x", **own})


def wrong_shape(self, x, t, y):
    return Net.forward(self, x, t, y)[:, :, 1:]


def across_rows(self, x, t, y):
    out = Net.forward(self, x, t, y)
    return out - out.mean(dim=0, keepdim=True)


def unlabelled(self, x, t, y):
    return Net.forward(self, x, t, torch.zeros_like(y))


def timeless(self, x, t, y):
    return Net.forward(self, x, torch.zeros_like(t), y)


def hidden_weight(self, given, width):
    Net.__init__(self, given, width)
    self.offset = [torch.randn(1)]  # not a parameter: lost when the state dict is loaded


def with_hidden_weight(self, x, t, y):
    return Net.forward(self, x, t, y) + self.offset[0]


HIDDEN = {"__init__": hidden_weight, "forward": with_hidden_weight}


def idle_parameter(self, given, width):
    Net.__init__(self, given, width)
    self.idle = nn.Parameter(torch.zeros(3))


def own_generator(self, given, width):
    Net.__init__(self, given, width)
    with torch.no_grad():
        source = torch.Generator()
        source.seed()
        if not self.time.bias.is_meta:
            self.time.bias.copy_(torch.randn(width, generator=source))


def on_the_cpu(self, given, width):
    Net.__init__(self, given, width)
    self.register_buffer("table", torch.zeros(3, device="cpu"))


def no_null(self, given, width):
    Net.__init__(self, given, width)
    self.null_label = None


def fewer_classes(self, given):
    return {**Family.architecture(self, given), "num_classes": 3}


def half_the_groups(self, model, learning_rate):
    return [{"params": list(model.parameters())[1:], "lr": learning_rate}]


def twice_in_groups(self, model, learning_rate):
    return [{"params": list(model.parameters()), "lr": learning_rate}] * 2


BROKEN = [
    ("output_has_the_asked_shape", {"forward": wrong_shape}),
    ("output_has_the_asked_shape", {"__init__": no_null}),
    ("gflops_are_the_counted", {"gflops": lambda self, given: 1.0}),
    ("the_state_dict_holds_everything", HIDDEN),
    ("gradient_reaches_every_parameter", {"__init__": idle_parameter}),
    ("a_row_depends_on_itself_alone", {"forward": across_rows}),
    ("all_inputs_matter", {"forward": unlabelled}),
    ("all_inputs_matter", {"forward": timeless}),
    ("a_seed_fixes_the_initial_weights", {"__init__": own_generator}),
    ("nothing_is_allocated_on_the_meta_device", {"__init__": on_the_cpu}),
    ("the_architecture_is_read_back", {"architecture": fewer_classes}),
    ("parameter_groups_hold_each_parameter_once", {"parameter_groups": half_the_groups}),
    ("parameter_groups_hold_each_parameter_once", {"parameter_groups": twice_in_groups}),
    (
        "shard_units_are_parts_of_the_network",
        {"shard_units": lambda self, model: [copy.deepcopy(model.blocks[0])]},
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize(("law", "methods"), BROKEN)
def test_a_broken_family_is_found_by_the_law_it_breaks(law, methods) -> None:
    with pytest.raises(AssertionError, match=f"- {law}: "):
        harness.testing.check("family", changed(**methods))


def test_a_family_that_takes_no_input_is_found() -> None:
    def never(self, given):
        raise BadInput("only 33 pixels will do")

    with pytest.raises(AssertionError, match="only 33 pixels will do"):
        harness.testing.check("family", changed(check=never))
