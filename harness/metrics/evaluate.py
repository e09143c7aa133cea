"""Two sets of images in, a record of metrics out: what ADM's evaluator.py does, from one call.

Nothing here knows of studies: SAMPLES and REFERENCE are npz files in ADM's format or folders.
"""

from __future__ import annotations

import platform
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.components import registry
from harness.components.metric import INCEPTION
from harness.components.metric import Metric as MetricComponent
from harness.errors import BadInput
from harness.metrics.measure import DEFAULT_METRICS, check_seed, measure
from harness.metrics.names import chosen, metric_name

if TYPE_CHECKING:
    from harness.metrics.extractors import Extractor  # type: ignore[attr-defined]
    from harness.metrics.features import Features
    from harness.metrics.reference import Reference
    from harness.metrics.resized import Images

# progress(what, done, total)
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Measuring:
    """How two sets of images are measured."""

    metrics: Sequence[str | MetricComponent] = DEFAULT_METRICS
    k: int = 3  # neighbours for precision and recall
    split_size: int = 5000  # images in a chunk of the Inception Score
    short_last_chunk: str = "refuse"  # or drop, keep: see scores.inception_score
    subsets: int = 0  # random halves behind the spread of Frechet distances
    seed: int = 0  # of subsets, and of the images that precision and recall use of many
    batch_size: int = 64
    device: str = "cpu"
    resize: int | None = None  # pixels a side that images are brought to first, on both sides

    def recorded(self) -> dict[str, Any]:
        """The entry of these settings in the provenance of a value."""
        names = ("k", "split_size", "short_last_chunk", "seed", "batch_size", "device")
        found = {name: getattr(self, name) for name in names}
        return {**found, "resized_to": self.resize}


def evaluate(
    samples_npz: Path | str,
    reference_npz: Path | str,
    extractor: str | Extractor = INCEPTION,
    *,
    weights: Path | str | None = None,
    progress: Progress | None = None,
    tell: Callable[[str], None] | None = None,
    **how: Any,
) -> dict[str, Any]:
    """Metrics of the images at `samples_npz` against those at `reference_npz`.

    Either may be an npz with `arr_0` (uint8, NHWC) or a folder of images; the reference may also be
    ADM's npz with statistics (`mu, sigma, mu_s, sigma_s`, and `arr_0` for precision and recall) or
    a file written by Reference.save. how: fields of `Measuring` (metrics, k, split_size,
    short_last_chunk, subsets, seed, batch_size, device, resize). `tell(note)` is called at once
    with what is known before the features are extracted.

    Returns {"metrics": {name: value}, "std": {name: value or None}, "details": {name: {...}},
    "notes": [...], "provenance": {...}}. What cannot be computed is absent from "metrics", and a
    note says why. Raises BadInput and Missing for files that cannot be used.
    """
    from harness.metrics.extractors import load_extractor
    from harness.metrics.mirrored import mirrored_features
    from harness.metrics.statistics_files import images_at

    measuring = Measuring(**how)
    wanted = chosen(measuring.metrics)
    check_seed(measuring.seed)
    # Before the weights are loaded and an hour is spent.
    files = _open(samples_npz, reference_npz, measuring.resize)
    name = extractor if isinstance(extractor, str) else extractor.name
    notes = _known_before(files, wanted, name, measuring)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        loaded = (
            load_extractor(extractor, weights, measuring.device)
            if isinstance(extractor, str)
            else extractor
        )
        if tell is not None:
            for note in notes:
                tell(note)
        both = _extracted(files, loaded, measuring, progress)
        mirrored = None
        if any(metric.looks_mirrored for metric in wanted):
            mirrored = mirrored_features(
                files.real or images_at(files.reference_path, loaded.name, measuring.resize),
                both.reference,
                loaded,
                batch_size=measuring.batch_size,
                seed=measuring.seed,
                progress=progress,
            )
        notes += [*both.seen, *_other_size(files, both.reference)]
        if both.same_images():
            notes.append(
                f"{samples_npz} and {reference_npz} hold the same images: "
                "these values only check the evaluation itself"
            )
        values = measure(
            both.generated,
            both.reference,
            metrics=wanted,
            k=measuring.k,
            split_size=measuring.split_size,
            short_last_chunk=measuring.short_last_chunk,
            subsets=measuring.subsets,
            seed=measuring.seed,
            device=measuring.device,
            mirrored=mirrored,
            absent=lambda name, reason: notes.append(f"{name} is not measured: {reason}"),
        )
    notes += [str(w.message) for w in caught if issubclass(w.category, UserWarning)]
    return {
        "metrics": {m.name: m.value for m in values},
        "std": {m.name: m.std for m in values},
        "details": {m.name: m.details for m in values},
        "notes": list(dict.fromkeys(notes)),
        "provenance": _provenance(files, both, loaded, measuring),
    }


@dataclass(frozen=True)
class _Files:
    """Both sides, opened and checked: headers alone were read."""

    samples_path: Path | str
    reference_path: Path | str
    samples: Images
    real: Images | None  # None: the reference holds statistics


def _open(samples_npz: Path | str, reference_npz: Path | str, resize: int | None) -> _Files:
    from harness.metrics.images import open_images

    _check_order(samples_npz, reference_npz)
    samples = open_images(samples_npz, resize)
    return _Files(samples_npz, reference_npz, samples, check_reference(reference_npz, resize))


def _known_before(
    files: _Files, wanted: Sequence[MetricComponent], extractor: str, measuring: Measuring
) -> list[str]:
    """Notes on what will not be measured, or not of everything, by the files' headers."""
    from harness.metrics.chunks import count_used
    from harness.metrics.mirrored import not_to_be_seen
    from harness.metrics.reference import PR_IMAGES

    samples, real = files.samples, files.real
    notes = [*samples.notes, *(real.notes if real is not None else ())]
    if real is None and measuring.resize is not None:
        notes.append(
            f"{files.reference_path} holds statistics: they stay as they were made, whatever "
            "--resize brings images to"
        )
    if any(m.name == "is" for m in wanted) and "probabilities" in _gives(extractor):
        try:
            count_used(samples.count, measuring.split_size, measuring.short_last_chunk)
        except BadInput as error:
            notes.append(f"{metric_name('is', extractor)} is not measured: {error}")
    if real is None:
        notes += not_to_be_seen(wanted, files.reference_path, extractor)
    if real is not None and real.size != samples.size:
        notes.append(
            f"the samples have {_pixels(samples.size)} pixels, the reference {_pixels(real.size)}"
        )
    if real is not None and real.count > PR_IMAGES:
        notes.append(
            f"metrics of single images (precision, recall) use {PR_IMAGES:,} of the reference's "
            f"{real.count:,}, drawn by seed {measuring.seed}"
        )
    return notes


def _other_size(files: _Files, reference: Reference) -> list[str]:
    """A note on statistics of images that have other pixels than the samples; files of images are
    looked at before."""
    size = reference.image_size
    if files.real is not None or size in (None, files.samples.size):
        return []
    return [
        f"the samples have {_pixels(files.samples.size)} pixels, the images of the reference's "
        f"statistics had {_pixels(size)}"
    ]


def _listed(size: tuple[int, int] | None) -> list[int] | None:
    return None if size is None else list(size)


def _gives(extractor: str) -> tuple[str, ...]:
    """The parts of the features that an extractor has; of one that nobody registered, all."""
    try:
        return registry.get("extractor", extractor).gives  # type: ignore[attr-defined,no-any-return]
    except BadInput:
        return ("pool", "spatial", "probabilities")


@dataclass(frozen=True)
class _Both:
    """The two sides as features."""

    generated: Features
    reference: Reference
    samples_sha256: str
    seen: tuple[str, ...]  # sentences on images that a side holds twice, or without their colours

    def same_images(self) -> bool:
        same_file = self.reference.sha256 == self.samples_sha256
        return same_file or _same_images(self.generated, self.reference)


def _extracted(
    files: _Files, extractor: Extractor, measuring: Measuring, progress: Progress | None
) -> _Both:
    """Both sides through the extractor: the reference first, as it may be refused."""
    from harness.metrics.features import extract
    from harness.metrics.seen import Seen, gray_beside_colour

    drawn, given = Seen(), Seen()
    samples, size = drawn.counted(files.samples), measuring.batch_size
    tell = None if progress is None else lambda n: progress("samples", n, samples.count)
    reference = open_reference(
        files.reference_path,
        extractor,
        None if files.real is None else given.counted(files.real),
        batch_size=size,
        seed=measuring.seed,
        progress=progress,
        resize=measuring.resize,
    )
    samples_sha256 = samples.sha256()
    generated = extract(
        samples.batches(size),
        extractor,
        batch_size=size,
        progress=tell,
        # Spatial features are as large as the others and only their moments are used, unless
        # their spread is asked for.
        keep=("pool", "probabilities", *(("spatial",) if measuring.subsets else ())),
    )
    seen = (
        drawn.repeats(str(files.samples_path), "did several processes draw with one seed"),
        given.repeats(str(files.reference_path), "is a folder of it there twice"),
        gray_beside_colour(drawn, given),
    )
    return _Both(generated, reference, samples_sha256, tuple(filter(None, seen)))


def _provenance(
    files: _Files, both: _Both, extractor: Extractor, measuring: Measuring
) -> dict[str, Any]:
    """The provenance of the values: extractor, checksums, counts, precision."""
    reference, real = both.reference, files.real
    return {
        "samples": str(files.samples_path),
        "samples_sha256": both.samples_sha256,
        "samples_count": files.samples.count,
        "image_size": list(files.samples.size),
        "reference_image_size": _listed(reference.image_size if real is None else real.size),
        "reference": str(files.reference_path),
        "reference_sha256": reference.sha256,
        "reference_images": reference.images or None,
        "recall_images": None if reference.features is None else len(reference.features),
        "extractor": extractor.name,
        "extractor_sha256": extractor.sha256,
        "resize": extractor.resize,
        **measuring.recorded(),
        "versions": versions(),
    }


def check_reference(path: Path | str, resize: int | None = None) -> Images | None:
    """The images at `path`, None where it holds statistics; reads only headers.

    Raises BadInput or Missing when it can be no reference.
    """
    from harness.metrics.images import open_images
    from harness.metrics.statistics_files import holds_statistics

    return None if holds_statistics(path) else open_images(path, resize)


def open_reference(
    path: Path | str,
    extractor: Extractor,
    images: Images | None = None,
    *,
    batch_size: int = 64,
    seed: int = 0,
    progress: Progress | None = None,
    resize: int | None = None,
) -> Reference:
    """The reference at `path` under `extractor`: ADM's statistics, our own file, or images.

    ADM's statistics are of Inception-2015; with another extractor the file's images are used alone
    and a warning says so. `images`: those at `path`, where they were opened already.
    Raises BadInput: made with another extractor or other weights.
    """
    from harness.metrics.images import open_images, open_npz
    from harness.metrics.reference import Reference
    from harness.metrics.statistics_files import (
        FIDELITY,
        holds_statistics,
        images_at,
        read_statistics,
    )

    path = Path(path)
    npz = open_npz(path) if path.is_file() and path.suffix != FIDELITY else ()
    statistics = holds_statistics(path)
    if images is None:
        images = images_at(path, extractor.name, resize)
    total = 0 if images is None else images.count
    report = None if progress is None else lambda done: progress("reference", done, total)
    if statistics and ("mu" not in npz or "about" in npz or extractor.name == INCEPTION):
        return read_statistics(path, extractor, batch_size=batch_size, progress=report)
    if statistics:
        warnings.warn(
            f"{path}: its statistics are of {INCEPTION} features; with {extractor.name} only its "
            f"{total} images are used",
            stacklevel=2,
        )
    images = images or open_images(path, resize)  # which says that there are none
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
    from harness.metrics.statistics_files import holds_statistics

    if holds_statistics(samples) and not holds_statistics(reference):
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
