"""The DiT families as components: keys since release 0.1, labels, costs and names."""

from __future__ import annotations

import json

import pytest
import torch
from pydantic import ValidationError

from harness.components.family import Input, of_architecture
from harness.errors import BadInput
from harness.models import complexity
from harness.models.dit import DiT
from harness.models.families import DiTFamily, DiTMicroFamily
from harness.models.zoo import BLOCKS

LATENTS = Input(32, 4, 1000, 8)


def test_a_key_holds_the_numbers_as_release_0_1_wrote_them() -> None:
    """Every DiT's key rests on this text: another field, or another order of none, moves them."""
    written = DiTFamily(size="XL", patch_size=2).architecture(LATENTS)
    assert json.dumps(written, sort_keys=True) == (
        '{"block": "adaln-zero", "channels": 4, "depth": 28, "heads": 16, "input_size": 32, '
        '"num_classes": 1000, "patch_size": 2, "width": 1152}'
    )


def test_what_came_later_is_written_where_it_differs() -> None:
    family = DiTFamily(size="S", patch_size=2, base_width=96)
    written = family.architecture(Input(32, 4, 1000, 4))
    assert (written["out_channels"], written["base_width"]) == (4, 96)
    assert "base_width" not in family.numbers(LATENTS)  # it changes the rate, not the network


@pytest.mark.parametrize("given", [LATENTS, Input(32, 4, 0, 4), Input(8, 3, 10, 6)])
@pytest.mark.parametrize("block", BLOCKS)
def test_an_architecture_is_read_back(given: Input, block: str) -> None:
    written = DiTFamily(size="B", patch_size=4, block=block, base_width=48).architecture(given)
    family, again = of_architecture(written)
    assert again == given and family.architecture(again) == written
    assert family.rate_scale == 48 / 768


def test_two_names_of_one_network_are_one() -> None:
    size = DiTMicroFamily.sizes["S"]
    numbers = {"depth": size.depth, "width": size.width, "heads": size.heads}
    micro = DiTMicroFamily(size="S", patch_size=4)
    custom = DiTFamily(**numbers, patch_size=4)
    assert micro.identity() == custom.identity()
    assert micro.architecture(LATENTS) == custom.architecture(LATENTS)
    assert micro.identity() != DiTFamily(**numbers, patch_size=4, block="adaln").identity()
    assert micro.identity() != DiTFamily(**numbers, patch_size=4, base_width=8).identity()


def test_names_and_labels() -> None:
    assert DiTFamily.short("DiT-XL/2") == {"size": "XL", "patch_size": 2}
    assert DiTFamily.short("DiT-micro-S/4") is DiTFamily.short("XL/2") is None
    assert DiTMicroFamily.short("DiT-micro-S/4") == {"size": "S", "patch_size": 4}
    assert DiTMicroFamily.short("DiT-XL/2") is None
    plain, other = (DiTFamily(size="XL", patch_size=2, block=b) for b in ("adaln-zero", "adaln"))
    assert plain.label == other.label == "DiT-XL/2"
    assert (plain.variant, other.variant) == ("", " adaln")
    assert other.facts()["block"] == "adaln"


def test_a_missing_patch_size_is_told_with_the_papers() -> None:
    with pytest.raises(ValidationError, match=r"patch_size is missing \(the paper's are 8, 4 and"):
        DiTFamily(size="XL")
    with pytest.raises(ValidationError, match="block"):
        DiTFamily(size="XL", patch_size=2, block="mlp")
    with pytest.raises(BadInput, match="patch size 5 does not divide"):
        DiTFamily(size="XL", patch_size=5).check(LATENTS)


@pytest.mark.slow
@pytest.mark.parametrize("block", BLOCKS)
def test_the_formula_is_the_count_of_the_built_network(block: str) -> None:
    family = DiTFamily(depth=2, width=32, heads=4, patch_size=2, block=block)
    given = Input(8, 3, 10, 3)
    counted = complexity(family.build(given)).gflops
    assert family.gflops(given) == pytest.approx(counted, rel=1e-9)


def test_what_is_built_is_what_was_asked() -> None:
    family = DiTFamily(depth=2, width=32, heads=4, patch_size=2)
    with torch.device("meta"):
        model = family.build(Input(8, 3, 0, 3), checkpointing=True)
    assert isinstance(model, DiT) and model.checkpointing
    assert (model.input_size, model.channels, model.out_channels) == (8, 3, 3)
    assert family.shard_units(model) == list(model.blocks)
