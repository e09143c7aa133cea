"""Real images through the autoencoder and back: a bound for every model on its latents.

A floor whose images are encoded and decoded first: the same held-out images, the same features, the
same metrics, recorded `of` "reconstruction"; and PSNR and SSIM of each image beside its original.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from harness.autoencoders import decode, to_unit
from harness.components import stored
from harness.errors import BadInput
from harness.metrics import fidelity
from harness.plan.stages import FloorStage
from harness.stages.work import Work


class Reconstruction:
    """The autoencoder of a floor stage, and how close its images are to the originals so far."""

    def __init__(self, settings: FloorStage, work: Work) -> None:
        component: Any = stored.read(
            "autoencoder", settings.model_dump(), places=work.place.own.get("autoencoder")
        )
        self.device = work.device
        self.gflops = component.decoder_gflops  # of an image size and a folder of weights
        self.weights = work.place.autoencoder_weights
        self.codec: Any = component.load(
            decoder=settings.decoder or "original",
            weights=work.place.autoencoder_weights,
            device=str(work.device),
        )
        if settings.autoencoder_sha256 not in (None, self.codec.sha256):
            raise BadInput(
                f"the {component.name} weights have checksum {self.codec.sha256}, "
                f"the study asks for {settings.autoencoder_sha256}"
            )
        self.size = 0  # of the images, pixels
        self.found: dict[str, list[np.ndarray]] = {"psnr": [], "ssim": []}

    @torch.inference_mode()
    def of(self, batches: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        """uint8 (N, H, W, 3), decoded from their encodings (a posterior's mean)."""
        for images in batches:
            x = to_unit(torch.from_numpy(images).permute(0, 3, 1, 2).to(self.device))
            encoded = self.codec.encode(x)
            latents = encoded[0] if isinstance(encoded, tuple) else encoded
            scaled = latents * getattr(self.codec, "scale", 1.0)
            decoded = decode(self.codec, scaled, images.shape[1])
            out = decoded.permute(0, 2, 3, 1).cpu().numpy()
            self.size = images.shape[1]
            self.found["psnr"].append(fidelity.psnr(images, out))
            if self.size >= fidelity.WINDOW:
                self.found["ssim"].append(fidelity.ssim(images, out))
            yield out

    def rows(self) -> Iterator[dict[str, Any]]:
        """PSNR and SSIM as columns of records: means over images, with their standard errors."""
        for name, parts in self.found.items():
            values = np.concatenate(parts) if parts else np.empty(0)
            if len(values) < 2 or not np.isfinite(values).all():
                continue  # too small for a window, or the images themselves came back
            yield {
                "metric": name,
                "value": float(values.mean()),
                "std": float(values.std(ddof=1) / math.sqrt(len(values))),
                "std_df": float(len(values) - 1),
                "std_method": "over images",
            }

    def about(self) -> dict[str, Any]:
        """The columns of a reconstruction's records that are on its autoencoder."""
        decoding = self.gflops(self.size, self.weights) if self.size else None
        return {
            "autoencoder_sha256": self.codec.sha256,
            "decoder_sha256": self.codec.decoder_sha256,
            "decoder_gflops": decoding,
        }
