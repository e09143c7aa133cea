"""The self-test of the autoencoder, on small weights."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import small_vae
import torch
from safetensors.torch import load_file

from harness.selftest import drawn, vae


@pytest.fixture(scope="module")
def decoders(tmp_path_factory) -> Path:
    return small_vae.save_decoders(tmp_path_factory.mktemp("vae"))


@pytest.mark.slow
def test_an_untrained_autoencoder_fails_the_round_trip_and_has_the_shape(decoders):
    found = vae.checks(drawn.drawn_images(2, 32), ("ft-mse", "ft-ema"), weights=decoders)
    states = {check.name.split(" (")[0]: check.status for check in found}
    assert states["sd-vae ft-mse: shape"] == "passed"
    assert states["sd-vae ft-mse: SHA-256 of the weights"] == "failed"
    assert states["sd-vae ft-ema: SHA-256 of the weights"] == "told"  # none is written down
    assert states["sd-vae ft-mse: PSNR of drawn images, decoded"] == "failed"
    assert states["sd-vae: encoders of ft-mse, ft-ema"] == "passed"


@pytest.mark.slow
def test_decoders_with_an_encoder_of_their_own_fail(decoders, tmp_path):
    small_vae.small_kl(0).save_pretrained(tmp_path / "ft-mse")
    small_vae.small_kl(1).save_pretrained(tmp_path / "ft-ema")
    found = vae.checks(drawn.drawn_images(1, 32), ("ft-mse", "ft-ema"), weights=tmp_path)
    assert found[-1].status == "failed"
    assert found[-1].found == "2 different"


def test_a_faithful_round_trip_passes_and_mean_colours_do_not():
    images = torch.from_numpy(drawn.drawn_images(4, 64)).permute(0, 3, 1, 2).float() / 127.5 - 1
    near = images + 0.1 * torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    grey = images.mean(dim=(2, 3), keepdim=True).expand_as(images)
    faithful, told = vae._round_trip("ft-mse", images, near, torch.ones(1, 4, 8, 8))
    assert faithful.status == "passed"
    assert float(faithful.found) == pytest.approx(26, abs=0.1)  # 10 log10(4 / 0.01)
    assert told.status == "told"
    assert vae._round_trip("ft-mse", images, grey, torch.ones(1, 4, 8, 8))[0].status == "failed"


def test_weights_in_parts_are_tried_and_their_checksums_left_to_people(decoders, tmp_path):
    shutil.copytree(decoders, tmp_path / "vae")
    for whole in (tmp_path / "vae").rglob("diffusion_pytorch_model.safetensors"):
        part = whole.with_name("diffusion_pytorch_model-00001-of-00001.safetensors")
        whole.rename(part)
        index = {"metadata": {}, "weight_map": dict.fromkeys(load_file(part), part.name)}
        whole.with_name(f"{whole.name}.index.json").write_text(json.dumps(index))
    found = vae.checks(drawn.drawn_images(2, 32), ("ft-mse",), weights=tmp_path / "vae")
    states = {check.name: (check.status, check.found) for check in found}
    assert states["sd-vae ft-mse: SHA-256 of the weights"] == ("told", "in parts")
    assert states["sd-vae ft-mse: shape"][0] == "passed"
