"""A small classifier trained on the spot, whose features images are compared through.

    trained = train(images, labels, name="classifier-flowers", recipe=Recipe(), held_out=(x, y))
    save(trained, path)
    extractor = load(path, device="cpu")        # harness.metrics.classifier_extractor

It takes the place of Inception-2015 in the paper: "pool" for the Frechet distance, precision and
recall, "spatial" for sFID's counterpart, "probabilities" for the Inception Score's. It is NOT
Inception: whatever is measured with it is named for it (fd_classifier_flowers) and carries the
checksum of its weights file. Noise is added in training so that features stay meaningful on the
noisy images an early checkpoint makes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
import torch.nn.functional as F

from harness.errors import BadInput
from harness.metrics.classifier_network import PLAIN, Network, Pooling, pooling_for, to_float

LEARNING_RATE = 2e-3  # AdamW, falling to zero along a cosine
NOISE = 0.4  # largest standard deviation of the noise added in training; pixels span [-1, 1]
VALIDATION = 0.15  # share of the images that tells when to stop
FALL = 0.005  # of the loss of guessing, log K: a smaller fall of the validation loss does not count
EXTRACT_BATCH = 500
_FORMAT = "harness-cnn-1"


@dataclass(frozen=True)
class Recipe:
    """How a classifier is trained. The defaults are those of `extractor: classifier`."""

    steps: int = 1200
    "At most."
    batch: int = 32
    "Images of a step."
    shift: float = 0.125
    "Images are moved by up to this share of their side, edges reflected; 0: not moved."
    flip: bool = False
    "Every other image is mirrored."
    patience: int | None = 5
    "Stop after so many looks at which the validation images' loss did not fall; None: never."
    look_every: int = 25
    "Steps between two looks."


@dataclass(frozen=True)
class Trained:
    """A trained network and what made it; save() writes it, read() reads it."""

    name: str
    image_size: int
    num_classes: int
    steps: int
    "That it was to be trained at most."
    seed: int
    accuracy: float
    "Share of the held-out images classified rightly, in [0, 1]."
    held_out: int
    "How many images that is a share of."
    weights: Mapping[str, torch.Tensor]
    chance: float | None = None
    "Share of the held-out images' most frequent class: what always guessing it would reach."
    trained_on: int | None = None
    "Images that its weights were fitted to."
    kept_step: int | None = None
    "Step whose weights these are, where training looked for the best; None: the last."
    pooling: Pooling = PLAIN
    "See harness.metrics.classifier_network."


def train(
    images: np.ndarray,
    labels: np.ndarray,
    *,
    name: str,
    held_out: tuple[np.ndarray, np.ndarray],
    recipe: Recipe | None = None,
    seed: int = 0,
) -> Trained:
    """Train on uint8 (N, H, W, 1 or 3) images and int64 (N,) labels, on the CPU.

    held_out: images that it is not trained on, for the accuracy. Where the recipe stops early, a
    part (VALIDATION) of `images` tells when and is not trained on either. Depends on the arguments
    alone: it runs on one thread, whatever the caller's setting.
    Raises BadInput for images or labels that cannot be used.
    """
    recipe = recipe or Recipe()
    x, y = from_numpy(images), _check_labels(labels, len(images))
    test_x, test_y = from_numpy(held_out[0]), _check_labels(held_out[1], len(held_out[0]))
    plain = recipe.patience is None
    # The plain network has the classes of its training images, as it always had.
    classes = int(y.max()) + 1 if plain else int(max(y.max(), test_y.max())) + 1
    pooling = PLAIN if plain else pooling_for(int(images.shape[1]))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = Network(classes, pooling)
            validation = None
            if not plain:
                x, y, *validation = _divided(x, y)
            kept = _fit(network, x, y, recipe, validation)
        network.eval()
        accuracy = float((_logits(network, test_x).argmax(1) == test_y).double().mean())
    finally:
        torch.set_num_threads(threads)
    return Trained(
        name=name,
        image_size=int(images.shape[1]),
        num_classes=classes,
        steps=recipe.steps,
        seed=seed,
        accuracy=accuracy,
        held_out=len(test_x),
        weights={key: value.detach().clone() for key, value in network.state_dict().items()},
        chance=None if plain else chance_of(held_out[1]),
        trained_on=None if plain else len(x),
        kept_step=kept,
        pooling=pooling,
    )


def chance_of(labels: np.ndarray) -> float:
    """Share of the most frequent class: what always guessing it would reach."""
    return int(np.bincount(labels).max()) / len(labels)


def _divided(
    x: torch.Tensor, y: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Training images and labels, then validation's; which is which follows torch's seed."""
    order = torch.randperm(len(x))
    kept = len(x) - max(1, round(VALIDATION * len(x)))
    first, last = order[:kept], order[kept:]
    if not len(first):
        raise BadInput(f"{len(x)} images are too few to train a classifier on")
    return x[first], y[first], x[last], y[last]


def _fit(
    network: Network,
    x: torch.Tensor,
    y: torch.Tensor,
    recipe: Recipe,
    validation: list[torch.Tensor] | None,
) -> int | None:
    """Trains `network` in place; returns the step whose weights it has, where it looked for it."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=0.01)
    least_fall = FALL * math.log(network.classify.out_features)
    best, best_step, best_weights = math.inf, 0, network.state_dict()
    for step in range(recipe.steps):
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * 0.5 * (1 + math.cos(math.pi * step / recipe.steps))
        index = torch.randint(len(x), (recipe.batch,))
        chosen = _augmented(to_float(x[index]), recipe)
        strength = NOISE * torch.rand(recipe.batch, 1, 1, 1)
        noisy = chosen + strength * torch.randn(chosen.shape)
        loss = F.cross_entropy(network(noisy)[2], y[index])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        last = step == recipe.steps - 1
        if validation is None or not (last or (step + 1) % recipe.look_every == 0):
            continue
        found = float(F.cross_entropy(_logits(network, validation[0]), validation[1]))
        if found < best - least_fall:
            best, best_step = found, step + 1
            best_weights = {k: v.detach().clone() for k, v in network.state_dict().items()}
        elif step + 1 - best_step >= (recipe.patience or 0) * recipe.look_every:
            break
    if validation is None:
        return None
    network.load_state_dict(best_weights)
    return best_step


def _augmented(x: torch.Tensor, recipe: Recipe) -> torch.Tensor:
    """x float (N, 3, H, W), each image moved and mirrored by a draw of its own."""
    count, _, height, width = x.shape
    if recipe.flip:
        mirrored = torch.rand(count, 1, 1, 1) < 0.5
        x = torch.where(mirrored, x.flip(3), x)
    reach = min(round(recipe.shift * width), width - 1)  # a reflection has one pixel less
    if reach > 0:
        padded = F.pad(x, (reach,) * 4, mode="reflect")
        down, right = torch.randint(2 * reach + 1, (2, count)).tolist()
        parts = [
            image[:, i : i + height, j : j + width]
            for image, i, j in zip(padded, down, right, strict=True)
        ]
        x = torch.stack(parts)
    return x


@torch.inference_mode()
def _logits(network: Network, images: torch.Tensor) -> torch.Tensor:
    """uint8 (N, 3, H, W) -> (N, K)."""
    return torch.cat([network(to_float(part))[2] for part in images.split(EXTRACT_BATCH)])  # type: ignore[no-untyped-call]


def save(trained: Trained, path: str | Path) -> None:
    """Write a safetensors file; the same Trained always gives the same bytes."""
    about = {}
    for field in fields(Trained):
        value = getattr(trained, field.name)
        # Newer entries are left out at their defaults, so that the glyphs' files keep their
        # checksums.
        if field.name != "weights" and (field.default is MISSING or value != field.default):
            about[field.name] = value
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
        about: dict[str, Any] = json.loads(metadata[_FORMAT])
        if "pooling" in about:
            first, second, third = (int(factor) for factor in about["pooling"])
            about["pooling"] = (first, second, third)
        return Trained(**about, weights=weights)
    except (OSError, ValueError, TypeError, KeyError, safetensors.SafetensorError) as error:
        raise BadInput(
            f"{path} is not the weights of an embedded extractor ({error}); "
            "remove it and run again: it is trained anew in seconds"
        ) from error


def from_numpy(images: np.ndarray) -> torch.Tensor:
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
