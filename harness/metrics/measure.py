"""All metrics of one set of samples against one reference.

A metric that cannot be computed is left out and the reason given; no value stands in for it.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.errors import BadInput
from harness.metrics.names import check_metrics, metric_name

if TYPE_CHECKING:
    from harness.metrics.features import Features
    from harness.metrics.moments import Moments
    from harness.metrics.neighbours import Manifold
    from harness.metrics.reference import Reference

DEFAULT_METRICS = ("fd", "sfd", "is", "precision", "recall")


@dataclass(frozen=True)
class Metric:
    """One measured number: `name` is what it may be called, `std` its spread or None.

    details: what made it. Always samples, extractor, extractor_sha256, reference_sha256 and
    reference_images, std_method (None without std); and what applies of recall_images, k,
    split_size, distance_dtype, seed.
    """

    name: str
    value: float
    std: float | None = None
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Settings:
    k: int
    k_density: int
    split_size: int
    short_last_chunk: str
    subsets: int
    kid_subsets: int
    kid_subset_size: int
    seed: int
    device: str


class _Absent(Exception):
    """Why a metric cannot be computed."""


def measure(
    generated: Features,
    reference: Reference,
    *,
    metrics: Sequence[str] = DEFAULT_METRICS,
    k: int = 3,
    k_density: int = 5,
    split_size: int = 5000,
    short_last_chunk: str = "refuse",
    subsets: int = 0,
    kid_subsets: int = 100,
    kid_subset_size: int = 1000,
    seed: int = 0,
    device: str = "cpu",
    absent: Callable[[str, str], None] | None = None,
) -> list[Metric]:
    """Measures `generated` against `reference`, in the order of `metrics` (keys of names.METRICS).

    k: neighbours for precision and recall; k_density: for density and coverage. split_size and
    short_last_chunk: see scores.inception_score. subsets: number of random halves from which the
    spread of Frechet distances is found (0: none; each costs one distance). seed: of subsets.
    absent(name, reason) is called for each metric that cannot be computed; by default it warns.

    Raises BadInput: unknown metric, features of another dimension than the reference's.
    """
    check_metrics(metrics)
    check_seed(seed)
    settings = _Settings(
        k=k,
        k_density=k_density,
        split_size=split_size,
        short_last_chunk=short_last_chunk,
        subsets=subsets,
        kid_subsets=kid_subsets,
        kid_subset_size=kid_subset_size,
        seed=seed,
        device=device,
    )
    _check_dimensions(generated, reference)
    balls = _Balls(generated, reference, metrics, settings)
    common = {
        "samples": len(generated),
        "extractor": reference.extractor,
        "extractor_sha256": reference.extractor_sha256,
        "reference_sha256": reference.sha256,
        "reference_images": reference.images or None,  # ADM's files do not say
    }
    measured = []
    for metric in dict.fromkeys(metrics):
        name = metric_name(metric, reference.extractor)
        try:
            value, std, details = _MEASURES[metric](generated, reference, balls, settings)
            if not math.isfinite(value):
                raise _Absent(f"the result is {value}")
        except _Absent as reason:
            if absent is None:
                warnings.warn(f"{name} is not measured: {reason}", stacklevel=2)
            else:
                absent(name, str(reason))
            continue
        measured.append(Metric(name, value, std, {"std_method": None, **common, **details}))
    return measured


def check_seed(seed: int) -> None:
    """BadInput when `seed` is none of NumPy's."""
    if not 0 <= seed < 2**32:
        raise BadInput(f"the seed of random subsets must be in 0..2**32 - 1, got {seed}")


_Result = tuple[float, "float | None", dict[str, Any]]


def _check_dimensions(generated: Features, reference: Reference) -> None:
    for part, theirs in (("pool", reference.pool), ("spatial", reference.spatial)):
        matrix, streamed = getattr(generated, part), getattr(generated, f"{part}_moments")
        ours = matrix.shape[1] if matrix is not None else streamed and streamed.dimensions
        if ours is not None and theirs is not None and ours != theirs.dimensions:
            raise BadInput(
                f"the samples have {ours} {part} features, the reference statistics "
                f"{theirs.dimensions}: they were made with different extractors"
            )


def _frechet(part: str) -> Callable[..., _Result]:
    def compute(
        generated: Features, reference: Reference, balls: _Balls, settings: _Settings
    ) -> _Result:
        from harness.metrics.frechet import moments_distance
        from harness.metrics.uncertainty import HALVES, over_halves

        ours, theirs = _moments(generated, reference, part)
        details: dict[str, Any] = {"dimensions": ours.dimensions}
        rows = getattr(generated, part)
        try:
            value = moments_distance(ours, theirs)
            if settings.subsets < 2 or rows is None or len(rows) < 4:
                return value, None, details
            std = over_halves(rows, theirs, settings.subsets, settings.seed)
        except BadInput as error:
            raise _Absent(str(error)) from error
        details |= {
            "std_method": HALVES.format(settings.subsets),
            "subsets": settings.subsets,
            "seed": settings.seed,
        }
        return value, std, details

    return compute


def _moments(generated: Features, reference: Reference, part: str) -> tuple[Moments, Moments]:
    theirs = reference.pool if part == "pool" else reference.spatial
    if theirs is None:
        raise _Absent(f"the reference has no {part} statistics")
    if len(generated) < 2:
        raise _Absent("a covariance needs at least 2 samples")
    ours = generated.moments(part)
    if ours is None:
        raise _Absent(f"the samples have no {part} features")
    return ours, theirs


def _score(
    generated: Features, reference: Reference, balls: _Balls, settings: _Settings
) -> _Result:
    from harness.metrics.scores import inception_score_chunks

    if generated.probabilities is None:
        raise _Absent("this extractor gives no class probabilities")
    try:
        score = inception_score_chunks(
            generated.probabilities, settings.split_size, settings.short_last_chunk
        )
    except BadInput as error:
        raise _Absent(str(error)) from error
    details = {
        "split_size": settings.split_size,
        "chunks": score.chunks,
        "short_last_chunk": settings.short_last_chunk,
        "samples": score.used,
    }
    if score.std is not None:
        details["std_method"] = f"standard deviation over {score.chunks} chunks"
    return score.value, score.std, details


class _Balls:
    """Nearest-neighbour balls, found once for whichever of the four metrics ask for them."""

    def __init__(
        self,
        generated: Features,
        reference: Reference,
        metrics: Sequence[str],
        settings: _Settings,
    ) -> None:
        self._arguments = generated.pool, reference.features
        self._k = settings.k if {"precision", "recall"} & set(metrics) else None
        self._k_density = settings.k_density if {"density", "coverage"} & set(metrics) else None
        self._device = settings.device
        self._found: Manifold | None = None

    def find(self) -> Manifold:
        from harness.metrics.neighbours import manifold

        generated, real = self._arguments
        if generated is None:
            raise _Absent("the samples' features were not kept, only their moments")
        if real is None:
            raise _Absent("the reference holds statistics only, no features of single images")
        if self._found is None:
            try:
                self._found = manifold(
                    generated, real, k=self._k, k_density=self._k_density, device=self._device
                )
            except BadInput as error:
                raise _Absent(str(error)) from error
        return self._found


def _ball_metric(metric: str) -> Callable[..., _Result]:
    def compute(
        generated: Features, reference: Reference, balls: _Balls, settings: _Settings
    ) -> _Result:
        from harness.metrics.uncertainty import GIVEN_BALLS, of_mean

        found = balls.find()
        k = settings.k
        if metric == "precision":
            values: Any = found.inside_real
        elif metric == "recall":
            values = found.inside_generated
        else:
            k = settings.k_density
            assert found.balls_hit is not None and found.covered is not None
            values = found.balls_hit / k if metric == "density" else found.covered
        assert reference.features is not None
        details = {
            "k": k,
            "distance_dtype": found.distance_dtype,
            "recall_images": len(reference.features),
            "std_method": GIVEN_BALLS,
        }
        return float(values.mean()), of_mean(values), details

    return compute


def _kid(generated: Features, reference: Reference, balls: _Balls, settings: _Settings) -> _Result:
    from harness.metrics.kernel import kid_subsets

    if generated.pool is None or reference.features is None:
        raise _Absent("it needs the features of single images on both sides")
    try:
        value, std = kid_subsets(
            generated.pool,
            reference.features,
            subsets=settings.kid_subsets,
            subset_size=settings.kid_subset_size,
            seed=settings.seed,
        )
    except BadInput as error:
        raise _Absent(str(error)) from error
    details = {
        "subsets": settings.kid_subsets,
        "subset_size": settings.kid_subset_size,
        "recall_images": len(reference.features),
        "seed": settings.seed,
        "std_method": f"standard deviation over {settings.kid_subsets} random subsets",
    }
    return value, std, details


def _infinity(
    generated: Features, reference: Reference, balls: _Balls, settings: _Settings
) -> _Result:
    from harness.metrics.extrapolation import METHOD, extrapolate

    if generated.pool is None:
        raise _Absent("the samples' features were not kept, only their moments")
    try:
        fit = extrapolate(generated.pool, reference.pool, seed=settings.seed)
    except BadInput as error:
        raise _Absent(str(error)) from error
    details = {
        "sizes": list(fit.sizes),
        "distances": list(fit.distances),
        "seed": settings.seed,
        "std_method": METHOD,
    }
    return fit.value, fit.std, details


_MEASURES: dict[str, Callable[..., _Result]] = {
    "fd": _frechet("pool"),
    "sfd": _frechet("spatial"),
    "is": _score,
    "precision": _ball_metric("precision"),
    "recall": _ball_metric("recall"),
    "density": _ball_metric("density"),
    "coverage": _ball_metric("coverage"),
    "kid": _kid,
    "fd_infinity": _infinity,
}
