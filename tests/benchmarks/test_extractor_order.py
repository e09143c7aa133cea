"""Which extractors order corrupted images: noise, blur, crops and class mixtures, more and more.

    python -m pytest -m benchmark tests/benchmarks/test_extractor_order.py -s     # about 8 minutes

For each data set and seed, an extractor is made, and the Frechet distance of real images to a
reference of others is measured as they are and at five strengths of each corruption. A distance
that can judge models rises at each of the five steps. The table of docs/explanation/features.md is
what this prints; what decides the default for data without labels is asserted.

The second table is of classifiers that were trained on labels of which a part was drawn at random:
how much must an extractor know for its order to be trusted?
"""

from __future__ import annotations

import itertools
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_images import CORRUPTIONS, STRENGTHS, shapes

from harness.analysis.extractor_strength import Strength
from harness.data import digits, glyphs
from harness.metrics import Moments, classifier, extract, random_conv, self_supervised
from harness.metrics.classifier_extractor import load
from harness.metrics.frechet import moments_distance

pytestmark = [pytest.mark.benchmark, pytest.mark.slow]

SEEDS = 3
STEPS = len(STRENGTHS)
Labelled = tuple[np.ndarray, np.ndarray]


def images(name: str, seed: int) -> tuple[Labelled, Labelled, Labelled, Labelled]:
    """To train on, to test, of the reference, and to corrupt: images and labels."""
    if name == "shapes":
        one, two, three, four = (shapes(n, 32, 10 * seed + i) for i, n in enumerate(COUNTS[name]))
    else:
        render = {"glyphs": glyphs.render, "digits": digits.render}[name]
        splits = ("classifier", "classifier-test", "reference", "floor")
        one, two, three, four = (
            render(split, n, channels=3, seed=seed)
            for split, n in zip(splits, COUNTS[name], strict=True)
        )
    return one, two, three, four


COUNTS = {
    "glyphs": (1500, 500, 1000, 1000),
    "shapes": (300, 300, 1000, 1000),
    "digits": (300, 97, 400, 300),
}


def make(kind: str, data: Any, seed: int, path: Path, wrong: float = 0.0) -> tuple[Any, Any]:
    if kind == "random-conv":
        return random_conv.load(kind), None
    (x, y), test = data[0], data[1]
    if kind == "self-supervised":
        trained = self_supervised.train(x, test[0], name="self-supervised-x", seed=seed)
    else:
        random = np.random.default_rng(seed)
        y = np.where(random.random(len(y)) < wrong, random.integers(0, y.max() + 1, len(y)), y)
        trained = classifier.train(x, y, name="classifier-x", held_out=test, seed=seed)
    classifier.save(trained, path)
    return load(path), trained


def rises(extractor: Any, data: Any, seed: int) -> dict[str, int]:
    """Of five steps of each corruption, how many raise the distance."""

    def moments(pixels: np.ndarray) -> Moments:
        found = extract(pixels, extractor, keep=("pool",)).pool
        assert found is not None
        return Moments.of(found)

    reference, (clean, labels) = moments(data[2][0]), data[3]
    start = moments_distance(moments(clean), reference)
    found = {}
    for name, corrupt in CORRUPTIONS.items():
        values = [start]
        for strength in STRENGTHS:
            worse = corrupt(clean, labels, strength, np.random.default_rng(seed))
            values.append(moments_distance(moments(worse), reference))
        found[name] = sum(b > a for a, b in itertools.pairwise(values))
    return found


def test_which_extractors_order_corrupted_images(tmp_path: Path) -> None:
    warnings.simplefilter("ignore")
    whole = SEEDS * STEPS
    totals: dict[str, int] = {}
    print(f"\n| data | extractor | made in | {' | '.join(CORRUPTIONS)} |\n|{' --- |' * 7}")
    for name in COUNTS:
        for kind in ("classifier", "self-supervised", "random-conv"):
            sums, spent = dict.fromkeys(CORRUPTIONS, 0), 0.0
            for seed in range(SEEDS):
                data = images(name, seed)
                began = time.process_time()
                extractor, _ = make(kind, data, seed, tmp_path / "w")
                spent += (time.process_time() - began) / SEEDS
                for corruption, steps in rises(extractor, data, seed).items():
                    sums[corruption] += steps
            totals[kind] = totals.get(kind, 0) + sum(sums.values())
            cells = " | ".join(f"{n} of {whole}" for n in sums.values())
            print(f"| {name} | {kind} | {spent:.0f} s | {cells} |", flush=True)
    print(totals)
    most = len(COUNTS) * len(CORRUPTIONS) * whole
    assert totals["random-conv"] >= 0.95 * most
    assert totals["random-conv"] >= totals["self-supervised"]  # which decides the default


def test_how_much_a_classifier_must_know(tmp_path: Path) -> None:
    warnings.simplefilter("ignore")
    print("\n| data | labels drawn | accuracy | skill | called weak | steps that rise |")
    print("|" + " --- |" * 6)
    for name, wrong in itertools.product(("glyphs", "shapes"), (0.0, 0.5, 0.8, 0.95, 1.0)):
        found, rising = [], 0
        for seed in range(SEEDS):
            data = images(name, seed)
            extractor, trained = make("classifier", data, seed, tmp_path / "w", wrong)
            found.append(Strength("x", trained.accuracy, trained.chance, trained.held_out))
            rising += sum(rises(extractor, data, seed).values())
        most = SEEDS * STEPS * len(CORRUPTIONS)
        accuracy, skill = (np.mean([getattr(s, n) for s in found]) for n in ("accuracy", "skill"))
        print(
            f"| {name} | {wrong:.0%} | {accuracy:.2f} | {skill:.2f} | "
            f"{sum(s.weak for s in found)} of {SEEDS} | {rising} of {most} |",
            flush=True,
        )
