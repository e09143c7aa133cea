"""Inception-2015: torch-fidelity's port of ADM's network, with the spatial features sFID needs.

One forward pass gives all three: pool_3 (2048), the first 7 channels of `Mixed_6d.branch1x1` after
its ReLU as 17 x 17 x 7 = 2023 numbers in NHWC order (ADM's `mixed_6/conv`), and the logits without
bias (1008). The network and its resize are torch-fidelity's, bit-exact on ADM's.
"""

from __future__ import annotations

import hashlib
import io
import urllib.error
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch_fidelity.feature_extractor_base import FeatureExtractorBase
from torch_fidelity.feature_extractor_inceptionv3 import (
    URL_INCEPTION_V3,
    FeatureExtractorInceptionV3,
)

from harness.components.metric import INCEPTION
from harness.errors import BadInput, Missing
from harness.metrics.extractors import NetworkExtractor, register_with_torch_fidelity

SPATIAL_CHANNELS = 7
RESIZE = "299x299 bilinear as TensorFlow 1 (torch-fidelity)"
FILE = URL_INCEPTION_V3.rsplit("/", 1)[-1]
CUSTOM = "inception-custom"
HASH = FILE.removesuffix(".pth").rsplit("-", 1)[-1]  # the published file's name carries it


class Inception2015(FeatureExtractorBase):  # type: ignore[misc]
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
        self.to(memory_format=torch.channels_last)

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
    """Inception-2015, from torch-fidelity's published weights: a local copy, or its download.

    Raises Missing when there is neither file nor network (says what to put where), BadInput when
    the checksum is not the published one's: FID, sFID and the Inception Score are of that network.
    """
    path = weights if weights is not None else published_weights()
    data, sha256 = _read(path)
    if not sha256.startswith(HASH):
        found = f"its SHA-256 starts with {sha256[:8]}, the published {FILE}'s with {HASH}"
        if weights is None:
            raise BadInput(f"{path} is damaged: {found}; remove it and run again")
        raise BadInput(
            f"{path} is not Inception-2015: {found}. What it measures is not FID; extractor "
            f"{CUSTOM} measures with it and says so (fd_{CUSTOM.replace('-', '_')})"
        )
    return _extractor(INCEPTION, path, data, sha256, device)


def load_custom(weights: Path | None, device: str = "cpu") -> NetworkExtractor:
    """The same network with other weights (converted or trained by someone else): never FID."""
    assert weights is not None  # load_extractor saw to it
    return _extractor(CUSTOM, weights, *_read(weights), device)


def _extractor(
    name: str, path: Path, data: io.BytesIO, sha256: str, device: str
) -> NetworkExtractor:
    check_state_dict(path, data)
    register_with_torch_fidelity(name, Inception2015)
    try:
        network = Inception2015(
            name, ["pool", "spatial", "logits_unbiased"], feature_extractor_weights_path=data
        )
    except RuntimeError as error:  # load_state_dict lists every layer that does not fit
        raise BadInput(f"{path} is not the weights of Inception-2015: {error}") from error
    return NetworkExtractor(
        name=name,
        sha256=sha256,
        resize=RESIZE,
        network=network.to(device),
        pool="pool",
        spatial="spatial",
        logits="logits_unbiased",
        device=device,
    )


def _read(path: Path) -> tuple[io.BytesIO, str]:
    """The file's bytes and their SHA-256: read once, so that what was checked is what is used."""
    content = path.read_bytes()
    return io.BytesIO(content), hashlib.sha256(content).hexdigest()


def published_weights(online: bool = True) -> Path:
    """torch-fidelity's weights file in torch's hub cache, downloaded when absent and `online`.

    Raises Missing, which says what to put where.
    """
    path = Path(torch.hub.get_dir()) / "checkpoints" / FILE
    if path.exists():
        return path  # type: ignore[no-any-return]
    if not online:
        raise Missing(f"the Inception-2015 weights are not at {path}")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        torch.hub.download_url_to_file(URL_INCEPTION_V3, str(path), hash_prefix=HASH)
    except (urllib.error.URLError, OSError, RuntimeError) as error:
        raise Missing(
            f"the Inception-2015 weights are not here and cannot be downloaded ({error}). "
            f"Fetch {URL_INCEPTION_V3} on a machine with a network and put it at {path}, "
            "or name the file with --weights"
        ) from error
    return path  # type: ignore[no-any-return]


def check_state_dict(path: Path, data: io.BytesIO) -> None:
    """Raises BadInput unless torch's restricted unpickler finds the network's layers in `data`.

    torch-fidelity unpickles whatever it is given; afterwards it is given these very bytes.
    """
    try:
        state = torch.load(data, weights_only=True, map_location="cpu")
        expected = {"fc.weight", "Conv2d_1a_3x3.conv.weight", "Mixed_6d.branch1x1.conv.weight"}
        if not isinstance(state, dict) or not expected <= set(state):
            raise ValueError("it does not hold the layers of torch-fidelity's Inception")
    except Exception as error:
        raise BadInput(f"{path} is not the weights of Inception-2015: {error}") from error
    data.seek(0)
