"""DINOv2 and CLIP features through torch-fidelity: pool features only, so no sFD and no IS.

Frechet distances on DINOv2 features rank generated images more as people do (Stein et al. 2023).
They are recorded as fd_dinov2 and fd_clip; neither is FID.
"""

from __future__ import annotations

import os
import sys
import urllib.error
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import torch
from torch_fidelity.feature_extractor_base import FeatureExtractorBase
from torch_fidelity.feature_extractor_clip import (
    MODEL_METADATA,
    MODEL_URLS,
    FeatureExtractorCLIP,
)
from torch_fidelity.feature_extractor_dinov2 import FeatureExtractorDinoV2

from harness.errors import BadInput, Missing
from harness.metrics.extractors import NetworkExtractor, register_with_torch_fidelity, sha256_of

CLIP = "clip-vit-l-14"  # torch-fidelity's name
DINOV2 = "dinov2_vitl14"  # the hub's name: ViT-L/14, the one FD on DINOv2 features is reported with
# The network's code comes from its repository at this commit, so that it cannot change underfoot.
DINOV2_REPOSITORY = "facebookresearch/dinov2:e1277af2ba9496fbadf7aec6eba56e8d882d1e35"
DINOV2_URL = f"https://dl.fbaipublicfiles.com/dinov2/{DINOV2}/{DINOV2}_pretrain.pth"


class DinoV2(FeatureExtractorDinoV2):  # type: ignore[misc]
    """torch-fidelity's DINOv2 (its resize and normalisation), from a weights file.

    torch-fidelity refuses a weights path for DINOv2 and unpickles what it downloads; here the file
    is read by torch's restricted unpickler, and the code is of a fixed commit.
    """

    def __init__(
        self,
        name: str,
        features_list: Sequence[str],
        feature_extractor_weights_path: str | Path | None = None,
        **kwargs: Any,
    ) -> None:
        FeatureExtractorBase.__init__(self, name, list(features_list))
        if feature_extractor_weights_path is None:
            raise BadInput(f"{name}: give feature_extractor_weights_path")
        self.feature_extractor_internal_dtype = torch.float32
        self.model = dinov2_network()
        state = torch.load(feature_extractor_weights_path, weights_only=True, map_location="cpu")
        self.model.load_state_dict(state)
        self.requires_grad_(False)
        self.eval()


def dinov2_network() -> torch.nn.Module:
    """The network without weights, from torch's hub cache or the fixed commit on GitHub."""
    os.environ["XFORMERS_DISABLED"] = "1"  # as torch-fidelity does: else results vary by machine
    with redirect_stdout(sys.stderr):  # torch.hub prints to stdout, which --json owns
        network: torch.nn.Module = torch.hub.load(  # type: ignore[no-untyped-call]
            DINOV2_REPOSITORY, DINOV2, pretrained=False, trust_repo=True, skip_validation=True
        )
    return network


def load_dinov2(weights: Path | None, device: str = "cpu") -> NetworkExtractor:
    """DINOv2 ViT-L/14. Raises Missing: code or weights, without a network; BadInput: other file."""
    path = weights if weights is not None else _download(DINOV2_URL, DINOV2_URL.rsplit("/", 1)[-1])
    repository, commit = DINOV2_REPOSITORY.split(":")
    cache = Path(torch.hub.get_dir()) / f"{repository.replace('/', '_')}_{commit}"
    register_with_torch_fidelity("dinov2", DinoV2)
    try:
        network = DinoV2("dinov2", ["dinov2"], feature_extractor_weights_path=path)
    except (urllib.error.URLError, OSError) as error:
        raise Missing(
            f"the code of DINOv2 is not here and cannot be fetched ({error}): put "
            f"https://github.com/{repository} at commit {commit} into {cache}"
        ) from error
    except Exception as error:  # torch.load and load_state_dict raise many types
        raise BadInput(f"{path} is not the weights of {DINOV2}: {error}") from error
    return NetworkExtractor(
        name="dinov2",
        sha256=sha256_of(path),
        resize="224x224 bilinear as TensorFlow 1 (torch-fidelity)",
        network=network.to(device),
        pool="dinov2",
        device=device,
    )


def load_clip(weights: Path | None, device: str = "cpu") -> NetworkExtractor:
    """CLIP ViT-L/14. Raises Missing: no weights and no network. BadInput: not the published file.

    The published file is a TorchScript archive; only the one with the known checksum is opened.
    """
    expected = MODEL_METADATA[CLIP]["hash"]
    path = weights if weights is not None else _download(MODEL_URLS[CLIP], f"{CLIP}-{expected}.pt")
    sha256 = sha256_of(path)
    if sha256 != expected:
        raise BadInput(
            f"{path} is not the published weights of {CLIP}: its SHA-256 is {sha256[:12]}..., "
            f"expected {expected[:12]}... (from {MODEL_URLS[CLIP]})"
        )
    network = FeatureExtractorCLIP(CLIP, ["clip"], feature_extractor_weights_path=str(path))
    return NetworkExtractor(
        name="clip",
        sha256=sha256,
        resize=f"{network.resolution}x{network.resolution} bilinear as TensorFlow 1 "
        "(torch-fidelity)",
        network=network.to(device),
        pool="clip",
        device=device,
    )


def _download(url: str, name: str) -> Path:
    path = Path(torch.hub.get_dir()) / "checkpoints" / name
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        torch.hub.download_url_to_file(url, str(path))
    except (urllib.error.URLError, OSError, RuntimeError) as error:
        raise Missing(
            f"the weights {name} are not here and cannot be downloaded ({error}). Fetch {url} on a "
            f"machine with a network and put it at {path}, or name the file with --weights"
        ) from error
    return path
