"""Inception-2015: torch-fidelity's port of ADM's network, with the spatial features sFID needs.

One forward pass gives all three: pool_3 (2048), the first 7 channels of `Mixed_6d.branch1x1` after
its ReLU as 17 x 17 x 7 = 2023 numbers in NHWC order (ADM's `mixed_6/conv`), and the logits without
bias (1008). The network and its resize are torch-fidelity's, bit-exact on ADM's.
"""

from __future__ import annotations

import io
import urllib.error
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch_fidelity.feature_extractor_base import FeatureExtractorBase
from torch_fidelity.feature_extractor_inceptionv3 import (
    URL_INCEPTION_V3,
    FeatureExtractorInceptionV3,
)

from harness.errors import BadInput, Missing
from harness.metrics.extractors import NetworkExtractor, register_with_torch_fidelity, sha256_of
from harness.metrics.names import INCEPTION

SPATIAL_CHANNELS = 7
RESIZE = "299x299 bilinear as TensorFlow 1 (torch-fidelity)"
FILE = URL_INCEPTION_V3.rsplit("/", 1)[-1]
HASH = FILE.removesuffix(".pth").rsplit("-", 1)[-1]  # the published file's name carries it


class Inception2015(FeatureExtractorBase):
    """torch-fidelity extractor with the features "pool", "spatial" and "logits_unbiased"."""

    def __init__(
        self,
        name: str,
        features_list: Sequence[str],
        feature_extractor_weights_path: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name, list(features_list))
        self.inception = FeatureExtractorInceptionV3(
            name,
            ["2048", "logits_unbiased"],
            feature_extractor_weights_path=feature_extractor_weights_path,
        )
        self.inception.Mixed_6d.branch1x1.register_forward_hook(self._keep_spatial)
        self._spatial: torch.Tensor | None = None
        self.requires_grad_(False)
        self.eval()
        # NHWC convolutions are 1.5 times as fast on the CPU, and as fast on a GPU
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def _keep_spatial(self, module: torch.nn.Module, inputs: Any, output: torch.Tensor) -> None:
        self._spatial = output[:, :SPATIAL_CHANNELS]

    def forward(self, input: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """uint8 (N, 3, H, W) -> pool (N, 2048), spatial (N, 2023), logits_unbiased (N, 1008)."""
        pool, logits = self.inception(input)
        assert self._spatial is not None  # the hook has run
        spatial = self._spatial.permute(0, 2, 3, 1).reshape(len(pool), -1).float()
        self._spatial = None
        found = {"pool": pool, "spatial": spatial, "logits_unbiased": logits}
        return tuple(found[feature] for feature in self.features_list)

    @staticmethod
    def get_provided_features_list() -> tuple[str, ...]:
        return "pool", "spatial", "logits_unbiased"

    @staticmethod
    def get_default_feature_layer_for_metric(metric: str) -> str:
        return {"isc": "logits_unbiased", "fid": "pool", "kid": "pool", "prc": "pool"}[metric]

    @staticmethod
    def can_be_compiled() -> bool:
        return False  # the hook is invisible to tracing

    @staticmethod
    def get_dummy_input_for_compile() -> torch.Tensor:
        return torch.zeros(1, 3, 8, 8, dtype=torch.uint8)


def load(weights: Path | None, device: str = "cpu") -> NetworkExtractor:
    """The extractor, from a local weights file or torch-fidelity's published one.

    Raises Missing when there is neither file nor network (says what to put where), BadInput when
    the file does not hold this network or the published file's checksum differs.
    """
    path = weights if weights is not None else published_weights()
    sha256 = sha256_of(path)
    if weights is None and not sha256.startswith(HASH):
        raise BadInput(
            f"{path} is damaged: its SHA-256 starts with {sha256[:8]}, the published file's with "
            f"{HASH}; remove it and run again"
        )
    if not sha256.startswith(HASH):
        warnings.warn(
            f"{path} is not the published {FILE}: values are not comparable with the paper's",
            stacklevel=2,
        )
    register_with_torch_fidelity(INCEPTION, Inception2015)
    try:
        network = Inception2015(
            INCEPTION,
            ["pool", "spatial", "logits_unbiased"],
            feature_extractor_weights_path=safe_state_dict(path),
        )
    except RuntimeError as error:  # load_state_dict lists every layer that does not fit
        raise BadInput(f"{path} is not the weights of Inception-2015: {error}") from error
    return NetworkExtractor(
        name=INCEPTION,
        sha256=sha256,
        resize=RESIZE,
        network=network.to(device),
        pool="pool",
        spatial="spatial",
        logits="logits_unbiased",
        device=device,
    )


def published_weights() -> Path:
    """torch-fidelity's weights file in torch's hub cache, downloaded when absent."""
    path = Path(torch.hub.get_dir()) / "checkpoints" / FILE
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        torch.hub.download_url_to_file(URL_INCEPTION_V3, str(path), hash_prefix=HASH)
    except (urllib.error.URLError, OSError, RuntimeError) as error:
        raise Missing(
            f"the Inception-2015 weights are not here and cannot be downloaded ({error}). "
            f"Fetch {URL_INCEPTION_V3} on a machine with a network and put it at {path}, "
            "or name the file with --weights"
        ) from error
    return path


def safe_state_dict(path: Path) -> io.BytesIO:
    """The file's bytes, once torch's restricted unpickler has accepted them.

    torch-fidelity unpickles whatever it is given; it is given these very bytes and not the path, so
    that nothing can be exchanged between the check and the use.
    """
    data = io.BytesIO(path.read_bytes())
    try:
        state = torch.load(data, weights_only=True, map_location="cpu")
        expected = {"fc.weight", "Conv2d_1a_3x3.conv.weight", "Mixed_6d.branch1x1.conv.weight"}
        if not isinstance(state, dict) or not expected <= set(state):
            raise ValueError("it does not hold the layers of torch-fidelity's Inception")
    except Exception as error:
        raise BadInput(f"{path} is not the weights of Inception-2015: {error}") from error
    data.seek(0)
    return data
