"""diffusers' U-Net called as our families are: levels, attention, labels, memory."""

from __future__ import annotations

import pytest
import torch

from harness.components.family import Input
from harness.models.unet import UNetFamily
from harness.models.unet_network import UNet

GIVEN = Input(side=8, channels=3, num_classes=4, out_channels=6)


def made(given: Input = GIVEN, checkpointing: bool = False, **settings: object) -> UNet:
    torch.manual_seed(0)
    family = UNetFamily(width=8, multipliers=(1, 2), layers=1, **settings)
    model: UNet = family.build(given, checkpointing=checkpointing)  # type: ignore[assignment]
    return model


def test_it_is_given_labels_of_every_class_and_of_none() -> None:
    model = made().eval()
    x, t = torch.randn(1, 3, 8, 8), torch.tensor([5.0])
    with torch.no_grad():
        outs = [model(x, t, torch.tensor([label])) for label in range(5)]
    assert model.null_label == 4 and outs[0].shape == (1, 6, 8, 8)
    assert all(not torch.equal(outs[0], other) for other in outs[1:])
    with torch.no_grad():
        assert not torch.equal(model(x, t + 100, torch.tensor([0])), outs[0])


def test_without_classes_the_null_label_is_the_only_one() -> None:
    model = made(Input(side=8, channels=3, num_classes=0, out_channels=3)).eval()
    with torch.no_grad():
        out = model(torch.zeros(2, 3, 8, 8), torch.zeros(2), torch.zeros(2, dtype=torch.long))
    assert out.shape == (2, 3, 8, 8) and model.null_label == 0


@pytest.mark.parametrize(
    ("attention", "down", "up"),
    [
        ((8,), [True, False], [False, True]),
        ((4,), [False, True], [True, False]),
        ((), [False, False], [False, False]),
    ],
)
def test_attention_stands_at_the_resolutions_that_were_named(
    attention: tuple[int, ...], down: list[bool], up: list[bool]
) -> None:
    network = made(attention=attention).network
    assert [hasattr(block, "attentions") for block in network.down_blocks] == down
    assert [hasattr(block, "attentions") for block in network.up_blocks] == up


@pytest.mark.slow
def test_checkpointing_changes_no_gradient() -> None:
    gradients = []
    for checkpointing in (False, True):
        model = made(checkpointing=checkpointing).train()
        x = torch.ones(2, 3, 8, 8)
        model(x, torch.tensor([1.0, 900.0]), torch.tensor([0, 4])).square().sum().backward()
        gradients.append([p.grad for p in model.parameters()])
    for plain, recomputed in zip(*gradients, strict=True):
        torch.testing.assert_close(plain, recomputed)
    assert all(g is not None for g in gradients[0])
