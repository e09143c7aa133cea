"""What families of transformers share, seen through the smallest family that can be written."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from pydantic import ValidationError

from harness.components.family import Input
from harness.errors import BadInput
from harness.models.transformer import Transformer, swiglu_width
from harness.models.zoo import Size


class Plain(Transformer):
    """Two sizes and a rule of its own."""

    name = "Plain"
    sizes: ClassVar = {"S": Size(2, 32, 4), "L": Size(4, 64, 8)}

    def check_shape(self, depth: int, width: int, heads: int) -> None:
        if depth > 10:
            raise ValueError("at most ten blocks")

    def build(self, given: Input, *, checkpointing: bool = False) -> Any:
        raise NotImplementedError


NUMBERS = {"depth": 2, "width": 32, "heads": 4, "patch_size": 2}
GIVEN = Input(8, 3, 10, 3)


def test_a_size_and_its_numbers_are_one_network_in_keys() -> None:
    named, numbers = Plain(size="S", patch_size=2), Plain(**NUMBERS)
    assert named.shape == numbers.shape == (2, 32, 4)
    assert named.architecture(GIVEN) == numbers.architecture(GIVEN)
    assert named.identity() == numbers.identity()
    assert (named.label, numbers.label) == ("Plain-S/2", "Plain-2x32x4/2")
    assert "size" not in named.keyed() and named.facts()["size"] == "S"


def test_an_architecture_is_read_back() -> None:
    written = Plain(size="L", patch_size=4, base_width=32).architecture(GIVEN)
    family, given = Plain.from_architecture(written)
    assert given == GIVEN and family.architecture(given) == written


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "patch_size"),
        ({"patch_size": 2}, r"model\.size is missing of Plain; sizes: S, L"),
        ({"patch_size": 2, "size": "XL"}, r"unknown model\.size 'XL' of Plain; sizes: S, L"),
        ({"patch_size": 2, "depth": 2}, "needs depth, width and heads, all three"),
        ({**NUMBERS, "size": "S"}, "not both"),
        ({**NUMBERS, "heads": 5}, "width 32 is not divisible by heads 5"),
        ({**NUMBERS, "depth": 11}, "at most ten blocks"),
        ({**NUMBERS, "depth": 0}, "depth"),
        ({**NUMBERS, "patch_size": -1}, "patch_size"),
        ({**NUMBERS, "base_width": 0}, "base_width"),
        ({**NUMBERS, "blocks": 3}, "blocks"),
    ],
)
def test_settings_that_make_no_network_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Plain(**settings)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("Plain-S/2", {"size": "S", "patch_size": 2}),
        ("Plain-L/16", {"size": "L", "patch_size": 16}),
        ("Plain-S/0", None),
        ("Plain-S/02", None),
        ("Plain-S", None),
        ("Plain-XL/2", None),
        ("Plainer-S/2", None),
        ("S/2", None),
    ],
)
def test_short_names(name: str, settings: dict[str, Any] | None) -> None:
    assert Plain.short(name) == settings


def test_heads_are_given_or_those_of_the_size() -> None:
    assert Plain.heads_of(4, 64, None) == 8
    assert Plain.heads_of(4, 64, 16) == 16
    with pytest.raises(BadInput, match=r"depth 4 and width 32 is none of its sizes \(S, L\)"):
        Plain.heads_of(4, 32, None)


def test_patches_tile_the_input() -> None:
    family = Plain(size="S", patch_size=4)
    family.check(GIVEN)
    assert family.tokens(GIVEN) == 4
    with pytest.raises(BadInput, match="patch size 4 does not divide"):
        family.check(Input(10, 3, 10, 3))


def test_the_rate_falls_with_the_width_where_a_base_is_given() -> None:
    assert Plain(size="L", patch_size=2).rate_scale == 1.0
    assert Plain(size="L", patch_size=2, base_width=32).rate_scale == 0.5


@pytest.mark.parametrize("width", [32, 96, 384, 1152])
def test_swiglu_has_about_the_parameters_of_an_mlp(width: int) -> None:
    swiglu, mlp = 3 * width * swiglu_width(width), 2 * width * 4 * width
    assert swiglu == pytest.approx(mlp, rel=0.02) and swiglu <= mlp
