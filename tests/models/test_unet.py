"""The trainable U-Net keeps a family's laws, and its count is that of the paper's baseline."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from pydantic import ValidationError

import harness.testing
from harness import components
from harness.components.family import Input
from harness.errors import BadInput
from harness.models import complexity
from harness.models.counting import trace
from harness.models.unet import UNetFamily

SMALL = Input(side=8, channels=3, num_classes=10, out_channels=6)


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        {"size": "micro-S", "multipliers": (1, 2)},
        {"width": 12, "layers": 1, "attention": (), "base_width": 6},
    ],
)
def test_it_keeps_the_laws(settings) -> None:
    harness.testing.check("family", "UNet", **settings)


@pytest.mark.slow
def test_in_adms_numbers_it_costs_what_the_papers_adm_does() -> None:
    """ADM-64 of Table 5's parts: width 192, four levels, three residual blocks each."""
    adm = UNetFamily(width=192, multipliers=(1, 2, 3, 4), layers=3, attention=(32, 16, 8))
    given = Input(side=64, channels=3, num_classes=1000, out_channels=6)
    with torch.device("meta"):
        model = adm.build(given)
        inputs = (torch.zeros(1, 3, 64, 64), torch.zeros(1), torch.zeros(1, dtype=torch.long))
    counted, published = trace(model, inputs), complexity("ADM-64")
    assert counted["products"] / 1e9 == pytest.approx(published.gflops, rel=1e-4)
    # one row more in the table of labels: the null label
    assert counted["params"] - 4 * 192 == published.params


def test_names_and_keys() -> None:
    assert components.get("family", "UNet") is UNetFamily
    assert UNetFamily.short("UNet-B") == {"size": "B"}
    assert UNetFamily.short("UNet-B/2") is None
    named, numbers = UNetFamily(size="B"), UNetFamily(width=128)
    assert named.architecture(SMALL) == numbers.architecture(SMALL)
    assert (named.label, numbers.label) == ("UNet-B", "UNet-128")


def test_rates_between_hidden_layers_fall_with_the_width_where_a_base_width_is_given() -> None:
    plain, scaled = UNetFamily(width=32), UNetFamily(width=32, base_width=16)
    model = plain.build(SMALL)
    assert {group["lr"] for group in plain.parameter_groups(model, 1e-3)} == {1e-3}
    groups = scaled.parameter_groups(model, 1e-3)
    grouped = [id(p) for group in groups for p in group["params"]]
    assert sorted(grouped) == sorted(id(p) for p in model.parameters())
    rates = {id(p): group["lr"] for group in groups for p in group["params"]}
    for name, parameter in model.named_parameters():
        # diffusers' names: what is outside of blocks reads the input, time or class, or writes
        between = "_block" in name and name.endswith("weight") and parameter.dim() > 1
        assert rates[id(parameter)] == (5e-4 if between else 1e-3), name
    assert all(p.dim() == 2 for group in groups if group["hidden"] for p in group["params"])


def test_a_base_width_is_in_the_key_and_none_is_not() -> None:
    plain, scaled = UNetFamily(width=32), UNetFamily(width=32, base_width=16)
    assert scaled.architecture(SMALL) == {**plain.architecture(SMALL), "base_width": 16}
    assert UNetFamily.from_architecture(scaled.architecture(SMALL)) == (scaled, SMALL)


@pytest.mark.slow
def test_importing_the_light_half_does_not_import_torch() -> None:
    code = "import sys, harness.models.unet; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "one of the two"),
        ({"size": "B", "width": 128}, "one of the two"),
        ({"size": "H"}, "sizes: micro-S"),
        ({"size": "B", "multipliers": ()}, "multipliers"),
        ({"width": 15}, "must be even, as 14 or 16"),
    ],
)
def test_settings_that_make_no_network_are_refused(settings, said) -> None:
    with pytest.raises(ValidationError, match=said):
        UNetFamily(**settings)


def test_an_input_that_cannot_be_halved_is_refused() -> None:
    with pytest.raises(BadInput, match="multiple of 4, or give at most 2 multipliers"):
        UNetFamily(size="micro-S").check(Input(side=6, channels=3, num_classes=10, out_channels=3))


def test_attention_at_no_resolution_is_refused_and_the_default_is_not() -> None:
    wide = Input(side=64, channels=3, num_classes=10, out_channels=3)
    UNetFamily(size="S", multipliers=(1, 2)).check(wide)  # 64 and 32, and the default has neither
    with pytest.raises(BadInput, match="are 64, 32: name some of these"):
        UNetFamily(size="S", multipliers=(1, 2), attention=(16,)).check(wide)
