"""What `selftest --online` expects, and who published it. Nothing here was measured by us.

No value is published for images that we draw ourselves. On those, our code is held against
torch-fidelity's own, which its authors compared with the original TensorFlow network, and the
autoencoder against the quality that its model card reports for photographs.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """A value and where it stands."""

    value: str
    source: str


INCEPTION_SHA256 = Published(
    "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
    "torch-fidelity, release v0.2.0: its first 8 digits are part of the file's name",
)
INCEPTION_WIDTHS = Published(
    "pool 2048, spatial 2023, probabilities 1008",
    "ADM's evaluator: pool_3, seven channels of mixed_6/conv (17 x 17 x 7), softmax of 1008 logits",
)
# Of the 50,000 training images in 10 parts. Which images share a part changes it by about 0.01.
CIFAR10_INCEPTION_SCORE = 11.24
CIFAR10_TOLERANCE = 0.05
CIFAR10_SOURCE = (
    "Salimans et al. 2016, Table 3: real data 11.24 +- 0.12; torch-fidelity's README: 11.24431"
)

VAE_SHA256 = {
    "ft-mse": Published(
        "a1d993488569e928462932c8c38a0760b874d166399b14414135bd9c42df5815",
        "stabilityai/sd-vae-ft-mse on the hub: its safetensors file",
    )
}
VAE_SHAPE = Published(
    "factor 8, 4 channels, scale 0.18215",
    "Rombach et al. 2022 (kl-f8); Peebles & Xie 2023, section 4",
)


@dataclass(frozen=True)
class Psnr:
    """Mean and deviation over the images of COCO 2017 at 256x256, in dB."""

    mean: float
    std: float


VAE_PSNR = {"original": Psnr(23.4, 3.8), "ft-ema": Psnr(23.8, 3.9), "ft-mse": Psnr(24.5, 3.7)}
VAE_PSNR_SOURCE = "model card of stabilityai/sd-vae-ft-mse, COCO 2017 (256x256, 5,000 images)"

# Of the 32 images of 256x256 that harness.selftest.drawn draws: the same on every machine.
DRAWN_SHA256 = "be67161c7c56259de1b291c313a8e8576cf9ca58accd429a9f1af6ea13d84f32"
