from __future__ import annotations

import subprocess
import sys

import pytest

from harness.autoencoders import properties
from harness.errors import BadInput


def test_the_table_says_what_the_planner_needs() -> None:
    assert (properties.factor("identity"), properties.channels("identity")) == (1, 3)
    assert properties.channels("identity", image_channels=1) == 1
    assert (properties.factor("sd-vae"), properties.channels("sd-vae")) == (8, 4)
    assert properties.properties("sd-vae").scale == 0.18215
    assert properties.decoder_names("sd-vae") == ("original", "ft-mse", "ft-ema")


def test_unknown_names_and_gray_images_for_the_vae_are_refused() -> None:
    with pytest.raises(BadInput, match="identity, sd-vae"):
        properties.factor("vq")
    with pytest.raises(BadInput, match="3 channels, not 1"):
        properties.channels("sd-vae", image_channels=1)


@pytest.mark.slow
@pytest.mark.parametrize(
    "names",
    [
        "autoencoders.properties, harness.autoencoders",
        "data, harness.data.order, harness.data.images, harness.data.writer, harness.data.crop",
        "diffusion, harness.diffusion.schedule",
    ],
)
def test_the_rooms_start_without_torch(names) -> None:
    code = f"import sys, harness.{names}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
