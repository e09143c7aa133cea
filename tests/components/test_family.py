"""The contract of families: short names, keys, groups of parameters, whole patches."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from torch import nn

from harness.components import Family, Input, UnknownComponent
from harness.components.family import by_short_name, of_architecture, whole_patches
from harness.errors import BadInput


class Plain(Family):
    """Two linears, one of them within a block."""

    name: ClassVar[str] = "plain"

    width: int = 4
    "Of the hidden layer."

    @property
    def label(self) -> str:
        return f"plain-{self.width}"

    def check(self, given: Input) -> None: ...

    def build(self, given: Input, *, checkpointing: bool = False) -> nn.Module:
        model = nn.Module()
        model.first = nn.Linear(3, self.width)
        model.blocks = nn.ModuleList([nn.Sequential(nn.Linear(self.width, self.width))])
        return model

    @property
    def rate_scale(self) -> float:
        return 0.25


GIVEN = Input(side=8, channels=3, num_classes=10, out_channels=6)


def test_hidden_matrices_alone_take_the_scaled_rate_and_every_parameter_is_in_one_group() -> None:
    family = Plain()
    model = family.build(GIVEN)
    others, hidden = family.parameter_groups(model, 0.1)
    assert [tuple(p.shape) for p in hidden["params"]] == [(4, 4)]
    assert (hidden["lr"], others["lr"]) == (pytest.approx(0.025), 0.1)
    assert hidden["hidden"] and not others["hidden"]
    assert len(others["params"]) + 1 == len(list(model.parameters())) == 4


def test_without_blocks_there_is_one_group() -> None:
    (group,) = Plain().parameter_groups(nn.Linear(2, 2), 0.1)
    assert len(group["params"]) == 2 and not group["hidden"]


def test_a_network_is_read_back_from_its_key() -> None:
    written = Plain(width=7).architecture(GIVEN)
    assert written["family"] == "plain" and written["out_channels"] == 6
    assert Plain.from_architecture(written) == (Plain(width=7), GIVEN)


def test_one_that_says_nothing_more_is_counted_and_recognises_nothing() -> None:
    family = Plain()
    assert family.gflops(GIVEN) is None and family.tokens(GIVEN) is None
    assert (family.facts(), family.variant, family.short("plain-4")) == ({}, "", None)
    assert family.recognise({}) is None and family.import_state({}) is None
    assert family.identity() == Plain().identity() != Plain(width=5).identity()


def test_a_short_name_is_asked_of_every_family() -> None:
    assert by_short_name("DiT-XL/2") == ("DiT", {"size": "XL", "patch_size": 2})
    assert by_short_name("DiT-micro-S/2")[0] == "DiT-micro"
    with pytest.raises(BadInput, match="nearest names: DiT-XL/2"):
        by_short_name("dit-xl/2")


def test_architectures_of_before_there_were_families_are_dits() -> None:
    family, given = of_architecture(dit := by_name("DiT"))
    assert family.name == "DiT" and given == GIVEN
    unnamed = {k: v for k, v in dit.items() if k != "family"}
    assert of_architecture(unnamed) == (family, given)
    with pytest.raises(UnknownComponent, match="unknown family 'none-such'"):
        of_architecture({**dit, "family": "none-such"})


def by_name(name: str) -> dict[str, Any]:
    from harness.components import get

    cls: Any = get("family", name)
    architecture: dict[str, Any] = cls(size="S", patch_size=2).architecture(GIVEN)
    return architecture


def test_patches_tile_the_input() -> None:
    whole_patches("x", 8, 4)
    with pytest.raises(BadInput, match="x: patch size 3 does not divide the model's input of 8"):
        whole_patches("x", 8, 3)
