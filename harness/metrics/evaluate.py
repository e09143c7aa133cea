"""Two sets of images in, a record of metrics out: what ADM's evaluator.py does, from one call.

Nothing here knows of studies: SAMPLES and REFERENCE are npz files in ADM's format or folders.
"""

from __future__ import annotations

import platform
import sys
import warnings
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.components.metric import Metric as MetricComponent
from harness.errors import BadInput
from harness.metrics.measure import DEFAULT_METRICS, check_seed, measure
from harness.metrics.names import INCEPTION, chosen, metric_name

if TYPE_CHECKING:
    from harness.metrics.extractors import Extractor
    from harness.metrics.features import Features
    from harness.metrics.images import Images
    from harness.metrics.reference import Reference

# progress(what, done, total)
Progress = Callable[[str, int, int], None]


def evaluate(
    samples_npz: Path | str,
    reference_npz: Path | str,
    extractor: str | Extractor = INCEPTION,
    *,
    weights: Path | str | None = None,
    metrics: Sequence[str | MetricComponent] = DEFAULT_METRICS,
    k: int = 3,
    split_size: int = 5000,
    short_last_chunk: str = "refuse",
    subsets: int = 0,
    seed: int = 0,
    batch_size: int = 64,
    device: str = "cpu",
    progress: Progress | None = None,
    tell: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Metrics of the images at `samples_npz` against those at `reference_npz`.

    Either may be an npz with `arr_0` (uint8, NHWC) or a folder of images; the reference may also be
    ADM's npz with statistics (`mu, sigma, mu_s, sigma_s`, and `arr_0` for precision and recall) or
    a file written by Reference.save. `seed`: of random subsets, and of the images that precision
    and recall use of a reference of more than 10,000. `tell(note)` is called at once with what is
    known before the features are extracted.

    Returns {"metrics": {name: value}, "std": {name: value or None}, "details": {name: {...}},
    "notes": [...], "provenance": {...}}. What cannot be computed is absent from "metrics", and a
    note says why. Raises BadInput and Missing for files that cannot be used.
    """
    from harness.metrics.chunks import count_used
    from harness.metrics.extractors import load_extractor
    from harness.metrics.features import extract
    from harness.metrics.images import open_images
    from harness.metrics.reference import PR_IMAGES

    wanted = chosen(metrics)
    check_seed(seed)
    # Both sides are opened and checked before the weights are loaded and an hour is spent.
    _check_order(samples_npz, reference_npz)
    samples = open_images(samples_npz)
    real = check_reference(reference_npz)
    notes = list(samples.notes)
    if any(m.name == "is" for m in wanted):
        try:
            count_used(samples.count, split_size, short_last_chunk)
        except BadInput as error:
            name = metric_name("is", extractor if isinstance(extractor, str) else extractor.name)
            notes.append(f"{name} is not measured: {error}")
    if real is not None and real.size != samples.size:
        notes.append(
            f"the samples have {_pixels(samples.size)} pixels, the reference {_pixels(real.size)}"
        )
    if real is not None and real.count > PR_IMAGES:
        notes.append(
            f"metrics of single images (precision, recall) use {PR_IMAGES:,} of the reference's "
            f"{real.count:,}, drawn by seed {seed}"
        )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        loaded = (
            load_extractor(extractor, weights, device) if isinstance(extractor, str) else extractor
        )
        if tell is not None:
            for note in notes:
                tell(note)
        reference = open_reference(
            reference_npz, loaded, real, batch_size=batch_size, seed=seed, progress=progress
        )
        samples_sha256 = samples.sha256()
        generated: Features = extract(
            samples.batches(batch_size),
            loaded,
            batch_size=batch_size,
            progress=None
            if progress is None
            else lambda done: progress("samples", done, samples.count),
            # Spatial features are as large as the others and only their moments are used, unless
            # their spread is asked for.
            keep=("pool", "probabilities", *(("spatial",) if subsets else ())),
        )
        if reference.sha256 == samples_sha256 or _same_images(generated, reference):
            notes.append(
                f"{samples_npz} and {reference_npz} hold the same images: "
                "these values only check the evaluation itself"
            )
        values = measure(
            generated,
            reference,
            metrics=wanted,
            k=k,
            split_size=split_size,
            short_last_chunk=short_last_chunk,
            subsets=subsets,
            seed=seed,
            device=device,
            absent=lambda name, reason: notes.append(f"{name} is not measured: {reason}"),
        )
    notes += [str(w.message) for w in caught if issubclass(w.category, UserWarning)]
    return {
        "metrics": {m.name: m.value for m in values},
        "std": {m.name: m.std for m in values},
        "details": {m.name: m.details for m in values},
        "notes": list(dict.fromkeys(notes)),
        "provenance": {
            "samples": str(samples_npz),
            "samples_sha256": samples_sha256,
            "samples_count": samples.count,
            "image_size": list(samples.size),
            "reference_image_size": None if real is None else list(real.size),
            "reference": str(reference_npz),
            "reference_sha256": reference.sha256,
            "reference_images": reference.images or None,
            "recall_images": None if reference.features is None else len(reference.features),
            "extractor": loaded.name,
            "extractor_sha256": loaded.sha256,
            "resize": loaded.resize,
            "k": k,
            "split_size": split_size,
            "short_last_chunk": short_last_chunk,
            "seed": seed,
            "batch_size": batch_size,
            "device": device,
            "versions": versions(),
        },
    }


def check_reference(path: Path | str) -> Images | None:
    """The images at `path`, None where it holds statistics; reads only headers.

    Raises BadInput or Missing when it can be no reference.
    """
    from harness.metrics.images import open_images, open_npz

    path = Path(path)
    if path.is_file():
        npz = open_npz(path)
        if "mu" in npz or "about" in npz:
            return None
    return open_images(path)


def open_reference(
    path: Path | str,
    extractor: Extractor,
    images: Images | None = None,
    *,
    batch_size: int = 64,
    seed: int = 0,
    progress: Progress | None = None,
) -> Reference:
    """The reference at `path` under `extractor`: ADM's statistics, our own file, or images.

    ADM's statistics are of Inception-2015; with another extractor the file's images are used alone
    and a warning says so. `images`: those at `path`, where they were opened already.
    Raises BadInput: made with another extractor or other weights.
    """
    from harness.metrics.images import open_images, open_npz
    from harness.metrics.reference import Reference

    path = Path(path)
    npz = open_npz(path) if path.is_file() else ()
    if "about" in npz:
        reference = Reference.load(path)
        if (reference.extractor, reference.extractor_sha256) != (extractor.name, extractor.sha256):
            raise BadInput(
                f"{path}: made with {reference.extractor} ({reference.extractor_sha256[:12]}), "
                f"not with {extractor.name} ({extractor.sha256[:12]})"
            )
        return reference
    if images is None and ("mu" not in npz or "arr_0" in npz):
        images = open_images(path)
    total = 0 if images is None else images.count
    report = None if progress is None else lambda done: progress("reference", done, total)
    if "mu" in npz and extractor.name == INCEPTION:
        return Reference.from_adm(path, extractor, batch_size=batch_size, progress=report)
    if "mu" in npz:
        warnings.warn(
            f"{path}: its statistics are of {INCEPTION} features; with {extractor.name} only its "
            f"{total} images are used",
            stacklevel=2,
        )
    images = images or open_images(path)  # which says that there are none
    return Reference.from_images(
        images.batches(batch_size),
        extractor,
        count=images.count,
        source=str(path),
        sha256=images.sha256(),
        seed=seed,
        batch_size=batch_size,
        progress=report,
    )


def _same_images(generated: Features, reference: Reference) -> bool:
    """Equal means to 1e-5 of a deviation: two draws of a million differ by a hundred times that."""
    import numpy as np

    if generated.pool is None or generated.pool.shape[1] != reference.pool.dimensions:
        return False
    deviations = np.sqrt(np.diag(reference.pool.covariance).clip(min=0))
    off = np.abs(generated.pool.mean(axis=0, dtype=np.float64) - reference.pool.mean)
    varying = deviations > 0
    return bool(varying.any() and (off[varying] <= 1e-5 * deviations[varying]).all())


def _pixels(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def _check_order(samples: Path | str, reference: Path | str) -> None:
    """ADM's evaluator takes the reference first; here it is last, and exchanging them is easy."""
    from harness.metrics.images import open_npz

    def statistics(path: Path | str) -> bool:
        return Path(path).is_file() and "mu" in open_npz(Path(path))

    if statistics(samples) and not statistics(reference):
        raise BadInput(
            f"{samples} holds reference statistics (mu, sigma) and {reference} does not: "
            "the order is SAMPLES REFERENCE"
        )


def versions() -> dict[str, str]:
    """Versions of what the values depend on."""
    found = {"python": platform.python_version(), "platform": sys.platform}
    for package in ("torch", "torch-fidelity", "numpy", "scipy", "pillow", "scaling-study-harness"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
