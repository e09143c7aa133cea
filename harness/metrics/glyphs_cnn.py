"""The embedded sets' feature extractors: the classifier of harness.metrics.classifier, plainly.

    trained = train(images, labels, held_out=(test_images, test_labels))   # about 10 s on one core
    save(trained, path)
    extractor = load(path, device="cpu")

"Plainly": all of its steps, images neither moved nor mirrored, as these extractors always were.
Their weights are bit for bit those from before there was a classifier for any images.
"""

from __future__ import annotations

import numpy as np

from harness.errors import BadInput
from harness.metrics import classifier
from harness.metrics.classifier import EXTRACT_BATCH, Recipe, Trained, read, save
from harness.metrics.classifier_extractor import EmbeddedExtractor, Extractor, load
from harness.metrics.extractors import register_with_torch_fidelity

__all__ = ["EXTRACT_BATCH", "NAMES", "Extractor", "Trained", "load", "read", "register", "save"]

NAMES = ("glyphs-cnn", "digits-cnn")  # one network; the name says what it was trained on
STEPS = 400  # of training
BATCH = 64


def train(
    images: np.ndarray,
    labels: np.ndarray,
    seed: int = 0,
    steps: int = STEPS,
    name: str = "glyphs-cnn",
    held_out: tuple[np.ndarray, np.ndarray] | None = None,
) -> Trained:
    """Train the classifier on uint8 (N, H, W, 1 or 3) images and int64 (N,) labels, on the CPU.

    Without held_out images, the last tenth is kept out of training for the accuracy.
    Raises BadInput for images, labels or a name that cannot be used.
    """
    if name not in NAMES:
        raise BadInput(f"no embedded extractor {name!r}; they are {', '.join(NAMES)}")
    if held_out is None:
        kept = len(images) - max(1, len(images) // 10)
        held_out = (images[kept:], labels[kept:])
        images, labels = images[:kept], labels[:kept]
    plain = Recipe(steps=steps, batch=BATCH, shift=0.0, patience=None)
    return classifier.train(images, labels, name=name, held_out=held_out, recipe=plain, seed=seed)


def register() -> None:
    """Make both names known to torch-fidelity; doing it again changes nothing."""
    for name in NAMES:
        register_with_torch_fidelity(name, EmbeddedExtractor)
