"""U-ViT agrees with the published code: outputs, parameters, Gflops, and the layout of files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from harness import components
from harness.components.family import Input
from harness.errors import BadInput
from harness.models.uvit import UViTFamily

DATA = Path(__file__).parents[1] / "data" / "tenants"
LATENTS = Input(side=32, channels=4, num_classes=1000, out_channels=4)
SMALL = Input(side=8, channels=4, num_classes=10, out_channels=4)

# size: parameters, Gflops of linears, of attention products, and all of patch size 4, published
PUBLISHED = {
    "S": (44_772_516, 11.3645, 0.8861, 2.974),
    "S-deep": (58_425_508, 14.8814, 1.1587, 3.892),
    "M": (130_891_940, 33.4816, 1.7381, 8.693),
    "L": (286_763_172, 73.5891, 2.8628, 19.035),
    "H": (500_832_164, 128.7445, 4.4475, 33.257),
}


def small() -> UViTFamily:
    return UViTFamily(patch_size=2, depth=5, width=32, heads=2)


def published_state() -> dict[str, torch.Tensor]:
    return torch.load(DATA / "uvit.pt", weights_only=True)


def test_outputs_are_the_published_codes() -> None:
    family = small()
    model = family.build(SMALL).eval()
    state = family.import_state(published_state())
    assert state is not None
    model.load_state_dict(state)
    golden = np.load(DATA / "uvit_forward.npz")
    x, t, y = (torch.from_numpy(golden[name]) for name in "xty")
    with torch.no_grad():
        np.testing.assert_allclose(model(x, t, y), golden["out"], rtol=1e-5, atol=1e-5)


def test_another_networks_state_is_not_taken() -> None:
    assert small().import_state(torch.load(DATA / "sit.pt", weights_only=True)) is None


@pytest.mark.parametrize("size", PUBLISHED)
def test_parameters_and_gflops_are_the_published_codes(size) -> None:
    parameters, linear, products, coarse = PUBLISHED[size]
    family = UViTFamily(size=size, patch_size=2)
    assert family.parameters(LATENTS) == parameters
    with torch.device("meta"):
        model = family.build(LATENTS)
    assert sum(p.numel() for p in model.parameters()) == parameters
    # patch embedding and last layer are convolutions, which the table's columns leave out
    width = family.shape[1]
    convolutions = (256 * 16 * width + (3 * 4 * 32) ** 2) / 1e9
    assert family.gflops(LATENTS) == pytest.approx(linear + products + convolutions, abs=1.1e-4)
    # published counts have 5 operations per normalised element: under 0.2 % of all
    fine = UViTFamily(size=size, patch_size=4).gflops(LATENTS)
    assert 0.998 < fine / coarse < 1


@pytest.mark.slow
def test_importing_the_light_half_does_not_import_torch() -> None:
    code = "import sys, harness.models.uvit; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_names_and_keys() -> None:
    assert components.get("family", "U-ViT") is UViTFamily
    assert UViTFamily.short("U-ViT-S-deep/2") == {"size": "S-deep", "patch_size": 2}
    assert UViTFamily.short("DiT-S/2") is None
    assert UViTFamily.short("U-ViT-XL/2") is None
    named = UViTFamily(size="S", patch_size=2)
    numbers = UViTFamily(depth=13, width=512, heads=8, patch_size=2)
    assert (named.label, numbers.label) == ("U-ViT-S/2", "U-ViT-13x512x8/2")
    assert named.architecture(LATENTS) == numbers.architecture(LATENTS)
    assert UViTFamily.from_architecture(named.architecture(LATENTS)) == (numbers, LATENTS)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"size": "XL", "patch_size": 2}, "sizes: S, S-deep, M, L, H"),
        ({"depth": 4, "width": 32, "heads": 2, "patch_size": 2}, "3 or 5"),
        ({"depth": 5, "width": 32, "heads": 3, "patch_size": 2}, "not divisible"),
        ({"depth": 5, "width": 33, "heads": 3, "patch_size": 2}, "even"),
        ({"depth": 5, "patch_size": 2}, "all three"),
        ({"size": "S", "depth": 5, "width": 32, "heads": 2, "patch_size": 2}, "not both"),
        ({"size": "S"}, "patch_size"),
    ],
)
def test_settings_that_make_no_network_are_refused(settings, said) -> None:
    with pytest.raises(ValidationError, match=said):
        UViTFamily(**settings)


def test_inputs_that_do_not_fit_are_refused() -> None:
    with pytest.raises(BadInput, match="patch size 2 does not divide"):
        small().check(Input(side=7, channels=4, num_classes=10, out_channels=4))
    small().check(Input(side=8, channels=4, num_classes=0, out_channels=4))  # unconditional


def test_attention_is_in_float32_under_autocast() -> None:
    """bf16 autocast rounds the linears only: scores of 8 bits would move the output far more."""
    torch.manual_seed(0)
    model = small().build(SMALL).eval()
    seen: list[torch.dtype] = []
    real = torch.nn.functional.scaled_dot_product_attention

    def spy(q, k, v):
        seen.append(q.dtype)
        return real(q, k, v)

    x, y = torch.randn(2, 4, 8, 8), torch.tensor([1, 2])
    with pytest.MonkeyPatch.context() as patch, torch.no_grad():
        patch.setattr(torch.nn.functional, "scaled_dot_product_attention", spy)
        with torch.autocast("cpu", torch.bfloat16):
            model(x, torch.tensor([0.5, 0.1]), y)
    assert seen == [torch.float32] * 5


def test_checkpointing_changes_no_gradient() -> None:
    gradients = []
    for checkpointing in (False, True):
        torch.manual_seed(0)
        model = small().build(SMALL, checkpointing=checkpointing).train()
        x = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(1))
        model(x, torch.tensor([3.0, 500.0]), torch.tensor([1, 10])).square().sum().backward()
        gradients.append([p.grad for p in model.parameters()])
    for plain, recomputed in zip(*gradients, strict=True):
        torch.testing.assert_close(plain, recomputed)


def test_shard_units_are_every_block_in_order() -> None:
    model = small().build(SMALL)
    names = {module: name for name, module in model.named_modules()}
    units = [names[unit] for unit in small().shard_units(model)]
    assert units == ["in_blocks.0", "in_blocks.1", "mid_block", "out_blocks.0", "out_blocks.1"]
