"""A small network trained on the spot without labels: it learns to recognise an image.

Two views of an image (another part of it, lighter or darker) are to have features that are nearer
to one another than to those of other images (NT-Xent: Chen et al. 2020, equation 1). The network,
its file and its features are those of harness.metrics.classifier; its last layer is the projection
that the loss is taken on, so it gives no class probabilities.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F

from harness.metrics.classifier import LEARNING_RATE, Trained, from_numpy
from harness.metrics.classifier_network import DIMENSIONS, Network, pooling_for, to_float

BATCH = 64
TEMPERATURE = 0.2
SMALLEST_VIEW = 0.6  # of the side
LIGHTER = 0.2  # a view's levels are multiplied by 1 plus at most this, or less it
STEPS = 400  # at most: later ones change the distances no more than another seed does


def train(
    images: np.ndarray, held_out: np.ndarray, *, name: str, steps: int = STEPS, seed: int = 0
) -> Trained:
    """Train on uint8 (N, H, W, 1 or 3) images, on one thread of the CPU.

    `accuracy` of the result: the share of views of held-out images (uint8, as `images`) whose
    nearest other view is of the same image; `chance`: of a guess.
    """
    x, test = from_numpy(images), from_numpy(held_out)
    pooling = pooling_for(int(images.shape[1]))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = Network(DIMENSIONS, pooling)
            _fit(network, x, steps)
            network.eval()
            accuracy = _found_again(network, test)
    finally:
        torch.set_num_threads(threads)
    return Trained(
        name=name,
        image_size=int(images.shape[1]),
        num_classes=DIMENSIONS,
        steps=steps,
        seed=seed,
        accuracy=accuracy,
        held_out=len(test),
        weights={key: value.detach().clone() for key, value in network.state_dict().items()},
        chance=1 / max(1, 2 * len(test) - 1),
        trained_on=len(x),
        pooling=pooling,
    )


def _fit(network: Network, x: torch.Tensor, steps: int) -> None:
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=0.01)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * 0.5 * (1 + math.cos(math.pi * step / steps))
        chosen = to_float(x[torch.randperm(len(x))[:BATCH]])
        similar = _similarity(network, torch.cat([_view(chosen), _view(chosen)]))
        loss = F.cross_entropy(similar / TEMPERATURE, _partners(len(chosen)))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()


def _similarity(network: Network, views: torch.Tensor) -> torch.Tensor:
    """Cosines of all pairs of 2N views; a view's own is minus infinity."""
    projected = F.normalize(network(views)[2], dim=1)
    return (projected @ projected.T).fill_diagonal_(-math.inf)


def _partners(count: int) -> torch.Tensor:
    """For each of 2 x count views, the index of the other view of its image."""
    return torch.arange(2 * count).roll(count)


def _view(x: torch.Tensor) -> torch.Tensor:
    """Another part of each image, brought to the same size, lighter or darker: (N, 3, H, W)."""
    count = len(x)
    scale = SMALLEST_VIEW + (1 - SMALLEST_VIEW) * torch.rand(count)
    theta = torch.zeros(count, 2, 3)
    theta[:, 0, 0] = theta[:, 1, 1] = scale
    theta[:, :, 2] = (2 * torch.rand(count, 2) - 1) * (1 - scale)[:, None]
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    moved = F.grid_sample(x, grid, padding_mode="reflection", align_corners=False)
    return moved * (1 + LIGHTER * (2 * torch.rand(count, 1, 1, 1) - 1))


@torch.inference_mode()
def _found_again(network: Network, images: torch.Tensor) -> float:
    x = to_float(images)
    similar = _similarity(network, torch.cat([_view(x), _view(x)]))
    return float((similar.argmax(1) == _partners(len(x))).double().mean())
