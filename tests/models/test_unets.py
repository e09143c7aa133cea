"""The U-Nets of Table 5: their inputs, their parts, and the smallest of them run for real."""

from __future__ import annotations

import pytest
import torch

from harness.models import unets
from harness.models.unets import ADM, DESIGNS, IMAGENET_CLASSES, LDM, Wrapped
from harness.models.zoo import UNET_PARTS, UNETS, UnknownModel


def test_every_name_of_the_zoo_is_built_of_designs_that_are_here() -> None:
    used = {part for name in UNETS for part in unets.parts(name)}
    assert used == set(DESIGNS)
    assert unets.parts("ADM-U-256") == ("ADM-64", "ADM-upsampler-256")
    assert unets.parts("LDM-4") == ("LDM-4",)


def test_the_last_part_of_a_cascade_is_as_large_as_its_name_says() -> None:
    for name, image_size in UNETS.items():
        last = DESIGNS[unets.parts(name)[-1]]
        if isinstance(last, ADM):
            assert last.size == image_size
        else:
            assert image_size // last.size in (4, 8)
    for whole, (base, upsampler) in UNET_PARTS.items():
        assert UNETS[whole] == UNETS[upsampler] == 4 * UNETS[base]


@pytest.mark.slow
@pytest.mark.parametrize("name", DESIGNS)
def test_networks_take_the_inputs_that_are_given_for_them(name: str) -> None:
    design = DESIGNS[name]
    with torch.device("meta"):
        network = unets.unet(name)
        x, t, condition = unets.example_inputs(name)
    assert network.config.in_channels == x.shape[1]
    assert network.config.out_channels == (design.latents if isinstance(design, LDM) else 6)
    assert x.shape[2:] == (design.size, design.size) and t.shape == (1,)
    if isinstance(design, LDM):
        assert condition.shape[-1] == network.config.cross_attention_dim
    else:
        assert network.class_embedding.num_embeddings == IMAGENET_CLASSES
        assert network.time_proj.num_channels == design.channels  # not the first level's


@torch.no_grad()
def test_a_small_adm_runs_and_listens_to_time_and_class() -> None:
    network = Wrapped(unets._adm(ADM(16, 64, (0.5, 1), layers=1, attention=(8,)))).eval()
    x, t, y = torch.randn(1, 3, 16, 16), torch.tensor([3]), torch.tensor([5])
    out = network(x, t, y)
    assert out.shape == (1, 6, 16, 16)
    assert not torch.equal(network(x, t + 500, y), out)
    assert not torch.equal(network(x, t, y + 1), out)


def test_unknown_names_list_the_nearest() -> None:
    for ask in (unets.unet, unets.parts):
        with pytest.raises(UnknownModel, match=r"unknown model 'ADM-65'; nearest names: ADM-64"):
            ask("ADM-65")
    with pytest.raises(UnknownModel):
        unets.unet("ADM-U-256")  # two networks: its parts are asked for
