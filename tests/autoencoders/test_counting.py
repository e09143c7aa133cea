"""Decoders' Gflops, against the layers' arithmetic and the published count."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from small_diffusers import save, small_tiny

from harness.autoencoders.components import Identity, StableDiffusion
from harness.autoencoders.counting import decoder_gflops
from harness.autoencoders.diffusers_component import Diffusers


@pytest.mark.slow
def test_stable_diffusions_decoder_is_counted() -> None:
    """310 Gflops at 256 pixels, four times that at 512 (and a little more for its attention)."""
    at_256, at_512 = (StableDiffusion().decoder_gflops(size) for size in (256, 512))
    assert at_256 == pytest.approx(310.6, abs=1.0) and at_512 is not None
    assert 4.0 < at_512 / at_256 < 4.2
    assert Identity().decoder_gflops(256) == 0.0


def test_a_small_decoder_is_the_sum_of_its_convolutions(tmp_path: Path) -> None:
    folder = save("tiny", tmp_path)
    total, sizes = 0, {}

    def seen(layer, given, out) -> None:
        nonlocal total
        kernel = layer.weight[0].numel()  # multiply-accumulates of one output value
        total += kernel * out.numel()
        sizes[layer] = out.shape

    model = small_tiny()
    for layer in model.decoder.modules():
        if isinstance(layer, torch.nn.Conv2d):
            layer.register_forward_hook(seen)
    model.decode(torch.zeros(1, 4, 4, 4))
    assert decoder_gflops(str(folder), 32) == pytest.approx(total / 1e9)
    assert len(sizes) > 5


@pytest.mark.slow
@pytest.mark.parametrize("name", ["flux", "dc-ae-f32"])
def test_every_class_is_counted_without_weights(name: str, tmp_path: Path) -> None:
    folder = save(name, tmp_path)
    (folder / "diffusion_pytorch_model.safetensors").unlink()
    given = Diffusers.complete({}, type("Section", (), {"weights": str(folder), "sha256": None}))
    about = Diffusers.model_validate(given)
    one, four = (about.decoder_gflops(64 * k, str(folder)) for k in (1, 2))
    assert one and four and 3.9 < four / one < 4.6
    assert about.decoder_gflops(64) is None  # where the folder is not known
