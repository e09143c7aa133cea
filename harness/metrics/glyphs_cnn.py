"""The embedded feature extractor: a small classifier trained on the spot, for torch-fidelity.

    trained = train(images, labels, held_out=(test_images, test_labels))   # about 10 s on one core
    save(trained, path)
    extractor = load(path, device="cpu")
    extractor(uint8 (N, C, H, W)) -> {"pool": (N, 64), "spatial": (N, S), "probabilities": (N, 10)}

It stands where Inception-2015 stands in the paper: "pool" for the Frechet distance, precision and
recall, "spatial" for sFID's counterpart, "probabilities" for the Inception Score's. It is NOT
Inception: whatever is measured with it is named for it (fd_glyphs_cnn) and carries the checksum of
its weights file. Group norm, because batch norm's running statistics turned every generated image
into an outlier (Frechet distances near 1,200 for all models); noise is added in training so that
features stay meaningful on the noisy images an early checkpoint makes.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
import torch.nn.functional as F
from torch import nn
from torch_fidelity.feature_extractor_base import FeatureExtractorBase
from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY, register_feature_extractor

from harness.errors import BadInput
from harness.metrics.precision import full_float32

NAMES = ("glyphs-cnn", "digits-cnn")  # one network; the name says what it was trained on
FEATURES = ("pool", "spatial", "probabilities")
STEPS = 400  # of training
BATCH = 64
LEARNING_RATE = 2e-3  # AdamW, falling to zero along a cosine
NOISE = 0.4  # largest standard deviation of the noise added in training; pixels span [-1, 1]
SPATIAL_CHANNELS = 7  # sFID keeps the first 7 channels of a mid-level map, flattened NHWC
SPATIAL_SIDE = 16  # larger maps are averaged down to this, so 7 x 16 x 16 = 1792 numbers at most
EXTRACT_BATCH = 500
_FORMAT = "harness-cnn-1"


class Network(nn.Module):
    """Three 3x3 convolutions with group norm, a 2x2 grid, 64 linear features, ten classes."""

    def __init__(self, num_classes: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 24, 3, padding=1)
        self.norm1 = nn.GroupNorm(4, 24)
        self.conv2 = nn.Conv2d(24, 48, 3, padding=1)
        self.norm2 = nn.GroupNorm(4, 48)
        self.conv3 = nn.Conv2d(48, 64, 3, padding=1)
        self.norm3 = nn.GroupNorm(4, 64)
        self.features = nn.Linear(64 * 4, 64)
        self.classify = nn.Linear(64, num_classes)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """x float (N, 3, H, W) in [-1, 1] -> features (N, 64), map (N, 48, H, W), logits (N, K)."""
        x = F.silu(self.norm1(self.conv1(x)))
        middle = F.silu(self.norm2(self.conv2(x)))
        x = F.silu(self.norm3(self.conv3(F.avg_pool2d(middle, 2))))
        pool = self.features(F.adaptive_avg_pool2d(x, 2).flatten(1))
        return pool, middle, self.classify(F.silu(pool))


@dataclass(frozen=True)
class Trained:
    """A trained network and what made it; save() writes it, load() reads it."""

    name: str
    image_size: int
    num_classes: int
    steps: int
    seed: int
    accuracy: float
    """Share of the held-out images classified rightly, in [0, 1]."""
    held_out: int
    """How many images that is a share of."""
    weights: Mapping[str, torch.Tensor]


def train(
    images: np.ndarray,
    labels: np.ndarray,
    seed: int = 0,
    steps: int = STEPS,
    name: str = "glyphs-cnn",
    held_out: tuple[np.ndarray, np.ndarray] | None = None,
) -> Trained:
    """Train the classifier on uint8 (N, H, W, 1 or 3) images and int64 (N,) labels, on the CPU.

    Depends on the arguments alone: it runs on one thread, whatever the caller's setting. Without
    held_out images, the last tenth is kept out of training for the accuracy.
    Raises BadInput for images, labels or a name that cannot be used.
    """
    if name not in NAMES:
        raise BadInput(f"no embedded extractor {name!r}; they are {', '.join(NAMES)}")
    if held_out is None:
        kept = len(images) - max(1, len(images) // 10)
        held_out = (images[kept:], labels[kept:])
        images, labels = images[:kept], labels[:kept]
    x, y = _to_float(_from_numpy(images)), _check_labels(labels, len(images))
    test_x, test_y = _from_numpy(held_out[0]), _check_labels(held_out[1], len(held_out[0]))
    num_classes = int(y.max()) + 1
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = Network(num_classes)
            _fit(network, x, y, steps)
        network.eval()
        with torch.inference_mode():
            guesses = [
                network(_to_float(part))[2].argmax(1) for part in test_x.split(EXTRACT_BATCH)
            ]
        accuracy = float((torch.cat(guesses) == test_y).double().mean())
    finally:
        torch.set_num_threads(threads)
    weights = {key: value.detach().clone() for key, value in network.state_dict().items()}
    size = int(images.shape[1])
    return Trained(name, size, num_classes, steps, seed, accuracy, len(test_x), weights)


def _fit(network: Network, x: torch.Tensor, y: torch.Tensor, steps: int) -> None:
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=0.01)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * 0.5 * (1 + math.cos(math.pi * step / steps))
        index = torch.randint(len(x), (BATCH,))
        strength = NOISE * torch.rand(BATCH, 1, 1, 1)
        noisy = x[index] + strength * torch.randn(BATCH, *x.shape[1:])
        loss = F.cross_entropy(network(noisy)[2], y[index])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()


def save(trained: Trained, path: str | Path) -> None:
    """Write a safetensors file; the same Trained always gives the same bytes."""
    about = {k: getattr(trained, k) for k in Trained.__dataclass_fields__ if k != "weights"}
    # One entry only: safetensors writes several in an order that changes from run to run.
    metadata = {_FORMAT: json.dumps(about, sort_keys=True)}
    safetensors.torch.save_file(dict(trained.weights), str(path), metadata=metadata)


def read(path: str | Path) -> Trained:
    """Read what save() wrote. Raises BadInput when the file is not such a file."""
    try:
        with safetensors.safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
            weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        if _FORMAT not in metadata:
            raise ValueError(f"its header has no entry {_FORMAT!r}")
        return Trained(**json.loads(metadata[_FORMAT]), weights=weights)
    except (OSError, ValueError, TypeError, KeyError, safetensors.SafetensorError) as error:
        raise BadInput(
            f"{path} is not the weights of an embedded extractor ({error}); "
            "remove it and run again: it is trained anew in seconds"
        ) from error


class EmbeddedExtractor(FeatureExtractorBase):
    """The network as torch-fidelity wants it: uint8 (N, 3, H, W) in, a tuple of features out.

    Registered under both NAMES. torch-fidelity makes one with
    `create_feature_extractor("glyphs-cnn", [...], feature_extractor_weights_path=path)`.
    """

    def __init__(
        self,
        name: str,
        features_list: Sequence[str],
        feature_extractor_weights_path: str | Path | None = None,
        **_: Any,
    ) -> None:
        super().__init__(name, list(features_list))
        if feature_extractor_weights_path is None:
            raise BadInput(f"{name} has no weights of its own: give feature_extractor_weights_path")
        path = Path(feature_extractor_weights_path)
        self.trained = read(path)
        self.sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        if self.trained.name != name:
            raise BadInput(f"{path} holds the weights of {self.trained.name}, not of {name}")
        self.network = Network(self.trained.num_classes)
        try:
            self.network.load_state_dict(dict(self.trained.weights))
        except RuntimeError as error:
            raise BadInput(f"{path} holds other tensors than {name} has: {error}") from error
        self.eval()
        self.requires_grad_(False)

    def forward(self, input: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """uint8 (N, 3, H, W) -> the requested features, in the order requested."""
        _check_images(input, self.trained)
        pool, middle, logits = self.network(_to_float(input))
        middle = middle[:, :SPATIAL_CHANNELS]
        if middle.shape[-1] > SPATIAL_SIDE:
            middle = F.adaptive_avg_pool2d(middle, SPATIAL_SIDE)
        found = {
            "pool": pool,
            "spatial": middle.permute(0, 2, 3, 1).flatten(1),
            "probabilities": logits.softmax(1),
            "logits": logits,
        }
        return tuple(found[feature] for feature in self.features_list)

    def get_name(self) -> str:
        """What torch-fidelity caches features under: two trainings must not share them."""
        return f"{self.name}-{self.sha256[:16]}"

    @staticmethod
    def get_provided_features_list() -> tuple[str, ...]:
        return (*FEATURES, "logits")

    @staticmethod
    def get_default_feature_layer_for_metric(metric: str) -> str:
        return {"isc": "logits", "fid": "pool", "kid": "pool", "prc": "pool"}[metric]

    @staticmethod
    def can_be_compiled() -> bool:
        return False

    @staticmethod
    def get_dummy_input_for_compile() -> torch.Tensor:
        return torch.zeros(1, 3, 8, 8, dtype=torch.uint8)


@dataclass(frozen=True)
class Extractor:
    """A loaded extractor: call it on images, and record name, sha256 and resize with the result."""

    name: str
    sha256: str
    """Of the weights file."""
    resize: str
    device: str
    module: EmbeddedExtractor
    """The same network, for torch-fidelity's own functions."""

    @property
    def accuracy(self) -> float:
        """Held-out accuracy of the classifier when it was trained, in [0, 1]."""
        return self.module.trained.accuracy

    @torch.inference_mode()
    def __call__(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """uint8 (N, 1 or 3, H, W) -> float32 features on the CPU, in batches of EXTRACT_BATCH.

        Gray images are repeated to three channels. Raises BadInput for other shapes or types.
        """
        if images.ndim == 4 and images.shape[1] == 1:
            images = images.repeat(1, 3, 1, 1)
        _check_images(images, self.module.trained)
        with full_float32():
            parts = [self.module(part.to(self.device)) for part in images.split(EXTRACT_BATCH)]
        columns = zip(*parts, strict=True)
        return {k: torch.cat(v).float().cpu() for k, v in zip(FEATURES, columns, strict=True)}


def load(weights: str | Path, device: str = "cpu") -> Extractor:
    """Load a saved extractor and register it with torch-fidelity. BadInput for a bad file."""
    register()
    name = read(weights).name
    module = EmbeddedExtractor(name, FEATURES, feature_extractor_weights_path=weights)
    return Extractor(name, module.sha256, "none", device, module.to(device))


def register() -> None:
    """Make both names known to torch-fidelity; doing it again changes nothing."""
    for name in NAMES:
        if name not in FEATURE_EXTRACTORS_REGISTRY:  # torch-fidelity refuses a second time
            register_feature_extractor(name, EmbeddedExtractor)


def _to_float(images: torch.Tensor) -> torch.Tensor:
    return images.float() / 127.5 - 1


def _from_numpy(images: np.ndarray) -> torch.Tensor:
    """uint8 (N, H, W, 1 or 3) -> uint8 (N, 3, H, W)."""
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] not in (1, 3):
        raise BadInput(
            f"images are {images.dtype} {images.shape}; wanted are uint8 (N, H, W, 1 or 3)"
        )
    if not len(images):
        raise BadInput("there are no images to train the classifier on")
    repeated = np.repeat(images, 3, axis=3) if images.shape[3] == 1 else images
    return torch.from_numpy(np.ascontiguousarray(repeated.transpose(0, 3, 1, 2)))


def _check_labels(labels: np.ndarray, count: int) -> torch.Tensor:
    if labels.shape != (count,) or not np.issubdtype(labels.dtype, np.integer) or labels.min() < 0:
        raise BadInput(
            f"labels are {labels.dtype} {labels.shape}; {count} class numbers are wanted"
        )
    return torch.from_numpy(labels.astype(np.int64))


def _check_images(images: torch.Tensor, trained: Trained) -> None:
    expected = (3, trained.image_size, trained.image_size)
    if images.dtype != torch.uint8 or images.ndim != 4 or tuple(images.shape[1:]) != expected:
        raise BadInput(
            f"{trained.name} was trained on {trained.image_size}x{trained.image_size} images and "
            f"takes uint8 images of (N, {', '.join(map(str, expected))}); these are "
            f"{str(images.dtype).removeprefix('torch.')}, {tuple(images.shape)}"
        )
    if not len(images):
        raise BadInput(f"{trained.name} was given no images")
