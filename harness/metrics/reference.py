"""Reference statistics: what generated images are compared with.

As in ADM's evaluator, the Frechet distances use the moments of the whole data set, and precision
and recall the features of a smaller number of its images (10,000 in the paper).
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness.components.measured import INCEPTION
from harness.errors import BadInput
from harness.metrics.features import Features, extract
from harness.metrics.frechet import checked_moments
from harness.metrics.images import Npz, open_images, open_npz
from harness.metrics.moments import Moments, MomentsAccumulator

if TYPE_CHECKING:
    from harness.components.extractor import Network as Extractor

PR_IMAGES = 10_000  # reference images for precision and recall, as in the paper's evaluation
_FORMAT = "harness-reference-1"


@dataclass(frozen=True)
class Reference:
    """Statistics of a data set under one extractor.

    pool: moments of the pool features; spatial: of the spatial ones, or None. features (M, D):
    pool features of the images that precision and recall use, or None. sha256 identifies the
    content (for ADM's file: of that file). source says in words where it came from. image_size is
    the height and width of its images; None: not known, or they differ.
    """

    extractor: str
    extractor_sha256: str
    pool: Moments
    spatial: Moments | None
    features: NDArray[np.float32] | None
    images: int
    sha256: str
    source: str = ""
    image_size: tuple[int, int] | None = None

    @classmethod
    def from_features(
        cls,
        features: Features,
        pr_images: int = PR_IMAGES,
        *,
        extractor: str,
        extractor_sha256: str,
        seed: int = 0,
        source: str = "",
        sha256: str | None = None,
    ) -> Reference:
        """Statistics of `features`; `pr_images` of them, drawn by `seed`, serve P/R.

        All images serve when there are no more than `pr_images`; 0 keeps none.
        """
        pool = features.moments("pool")
        if pool is None:
            raise BadInput("reference statistics need pool features, and there are none")
        kept = None
        if features.pool is not None and pr_images > 0:
            kept = features.pool
            if len(kept) > pr_images:
                kept = kept[kept_images(len(kept), seed, pr_images)]
        spatial = features.moments("spatial")
        digest = sha256 or _digest(extractor, extractor_sha256, pool, spatial, kept)
        return cls(extractor, extractor_sha256, pool, spatial, kept, len(features), digest, source)

    @classmethod
    def from_images(
        cls,
        batches: Iterable[NDArray[np.uint8]],
        extractor: Extractor,
        *,
        count: int,
        pr_images: int = PR_IMAGES,
        seed: int = 0,
        source: str = "",
        sha256: str | None = None,
        batch_size: int = 64,
        progress: Callable[[int], None] | None = None,
    ) -> Reference:
        """Statistics of `count` images given in batches, uint8 (n, H, W, 3), in one pass.

        Moments are streamed and only `pr_images` features are kept (those `from_features` would
        draw), so a whole training set needs no feature matrix.
        Raises BadInput when the batches do not hold `count` images.
        """
        keep = kept_images(count, seed, pr_images)
        streams = {"pool": MomentsAccumulator(), "spatial": MomentsAccumulator()}
        kept: list[NDArray[np.float32]] = []
        done, sizes = 0, set()
        for batch in batches:
            sizes.add(batch.shape[1:3])
            found = extract(batch, extractor, batch_size=batch_size)
            if found.pool is None or done + len(found) > count:
                raise BadInput(f"{source or 'reference'}: more than the {count} images announced")
            streams["pool"].update(found.pool)
            if found.spatial is not None:
                streams["spatial"].update(found.spatial)
            kept.append(found.pool[keep[done : done + len(found)]])
            done += len(found)
            if progress is not None:
                progress(done)
        if done != count:
            raise BadInput(f"{source or 'reference'}: {done} images, {count} announced")
        pool = streams["pool"].finish()
        spatial = streams["spatial"].finish() if streams["spatial"].count else None
        features = np.concatenate(kept) if pr_images > 0 else None
        digest = sha256 or _digest(extractor.name, extractor.sha256, pool, spatial, features)
        return cls(
            extractor=extractor.name,
            extractor_sha256=extractor.sha256,
            pool=pool,
            spatial=spatial,
            features=features,
            images=count,
            sha256=digest,
            source=source,
            image_size=sizes.pop() if len(sizes) == 1 else None,
        )

    @classmethod
    def from_adm(
        cls,
        path: Path | str,
        extractor: Extractor | None = None,
        *,
        batch_size: int = 64,
        progress: Callable[[int], None] | None = None,
    ) -> Reference:
        """ADM's reference npz: `mu, sigma` (2048), `mu_s, sigma_s` (2023), `arr_0` images.

        pytorch-fid's has `mu, sigma` alone: then there is no sFID. (It resizes images otherwise
        than ADM does, and a file does not say who wrote it.) With an extractor, precision and
        recall get the features of `arr_0`; without one they are left out. BadInput: keys missing,
        another dimension, a truncated file.
        """
        path = Path(path)
        if extractor is not None and extractor.name != INCEPTION:
            raise BadInput(
                f"{path}: its statistics are of {INCEPTION} features and cannot be compared "
                f"with those of {extractor.name}"
            )
        npz = open_npz(path)
        wanted = ("mu", "sigma", "mu_s", "sigma_s")
        alone = "mu_s" not in npz and "sigma_s" not in npz
        missing = [key for key in wanted[: 2 if alone else 4] if key not in npz]
        if missing:
            raise BadInput(
                f"{path}: not a reference file in ADM's format, {', '.join(missing)} missing "
                f"(it holds {', '.join(npz) or 'nothing'})"
            )
        pool = given_moments(npz.read("mu"), npz.read("sigma"), f"{path}: mu, sigma")
        spatial = None
        if not alone:
            spatial = given_moments(npz.read("mu_s"), npz.read("sigma_s"), f"{path}: mu_s, sigma_s")
        features = image_size = None
        if extractor is not None:
            check_dimensions(extractor, pool, spatial, path)
        if extractor is not None and "arr_0" in npz:
            images = open_images(path)
            image_size = images.size
            features = extract(
                images.batches(batch_size),
                extractor,
                batch_size=batch_size,
                progress=progress,
                keep=("pool",),
            ).pool
        return cls(
            extractor=INCEPTION,
            extractor_sha256=extractor.sha256 if extractor is not None else "",
            pool=pool,
            spatial=spatial,
            features=features,
            images=0,  # the file does not say how many its moments are of
            sha256=npz.sha256(),
            source=f"statistics mu and sigma of {path.name}, without spatial ones"
            if alone
            else f"ADM statistics {path.name}",
            image_size=image_size,
        )

    def save(self, path: Path | str) -> None:
        """Writes an npz that `load` reads; the same Reference always gives the same bytes."""
        arrays: dict[str, NDArray[Any]] = {"mu": self.pool.mean, "sigma": self.pool.covariance}
        if self.spatial is not None:
            arrays |= {"mu_s": self.spatial.mean, "sigma_s": self.spatial.covariance}
        if self.features is not None:
            arrays["features"] = self.features
        about = {
            "format": _FORMAT,
            "extractor": self.extractor,
            "extractor_sha256": self.extractor_sha256,
            "images": self.images,
            "sha256": self.sha256,
            "source": self.source,
            "pool_count": self.pool.count,
            "spatial_count": 0 if self.spatial is None else self.spatial.count,
        }
        if self.image_size is not None:
            about["image_size"] = list(self.image_size)
        arrays["about"] = np.array(json.dumps(about, sort_keys=True))
        with Path(path).open("wb") as file, zipfile.ZipFile(file, "w") as archive:
            for name, array in arrays.items():  # np.savez stamps the time of day into the archive
                buffer = io.BytesIO()
                np.lib.format.write_array(buffer, np.asarray(array, order="C"), allow_pickle=False)
                archive.writestr(zipfile.ZipInfo(f"{name}.npy"), buffer.getvalue())

    @classmethod
    def load(cls, path: Path | str) -> Reference:
        """Reads what `save` wrote. BadInput: another file, a truncated one, changed content."""
        npz = open_npz(Path(path))
        try:
            about = json.loads(str(npz.read("about")))
            if about["format"] != _FORMAT:
                raise ValueError(f"format {about['format']!r}, expected {_FORMAT!r}")
            return cls(
                extractor=about["extractor"],
                extractor_sha256=about["extractor_sha256"],
                pool=_read_moments(npz, about["pool_count"], "mu", "sigma"),
                spatial=(
                    _read_moments(npz, about["spatial_count"], "mu_s", "sigma_s")
                    if "mu_s" in npz
                    else None
                ),
                features=npz.read("features") if "features" in npz else None,
                images=about["images"],
                sha256=about["sha256"],
                source=about["source"],
                image_size=_size(about.get("image_size")),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise BadInput(
                f"{path} does not hold reference statistics of this harness: {error}"
            ) from error


def kept_images(count: int, seed: int, pr_images: int = PR_IMAGES) -> NDArray[np.bool_]:
    """(count,) bool: of which of `count` images a reference keeps the features; all, of few."""
    keep = np.zeros(count, dtype=bool)
    keep[np.random.default_rng(seed).permutation(count)[:pr_images]] = True
    return keep


def _size(given: Any) -> tuple[int, int] | None:
    """Height and width, as `save` wrote them; None in files of before they were written."""
    if given is None:
        return None
    height, width = given
    return int(height), int(width)


def _read_moments(npz: Npz, count: int, mean: str, covariance: str) -> Moments:
    where = f"{npz.path}: {mean}, {covariance}"
    return Moments(count, *checked_moments(npz.read(mean), npz.read(covariance), where))


def given_moments(mean: NDArray[Any], covariance: NDArray[Any], where: str) -> Moments:
    """Moments of a file that does not say of how many images they are. Raises BadInput."""
    for array in (mean, covariance):
        if not np.issubdtype(array.dtype, np.floating):
            raise BadInput(f"{where}: expected floating numbers, found {array.dtype}")
    return Moments(0, *checked_moments(mean, covariance, where))


def check_dimensions(
    extractor: Extractor, pool: Moments, spatial: Moments | None, where: object
) -> None:
    """Refuses statistics of other features than the extractor's, before any image is read."""
    import torch

    found = extractor(torch.zeros(1, 3, 32, 32, dtype=torch.uint8))
    for part, moments in (("pool", pool), ("spatial", spatial)):
        if moments is not None and part in found and found[part].shape[1] != moments.dimensions:
            raise BadInput(
                f"{where}: {part} statistics of {moments.dimensions} dimensions, but "
                f"{extractor.name} gives {found[part].shape[1]}: they were made with another "
                "extractor"
            )


def _digest(
    extractor: str,
    extractor_sha256: str,
    pool: Moments,
    spatial: Moments | None,
    features: NDArray[np.float32] | None,
) -> str:
    digest = hashlib.sha256(f"{_FORMAT} {extractor} {extractor_sha256}".encode())
    for moments in (pool, spatial):
        if moments is not None:
            digest.update(f"{moments.count} {moments.dimensions}".encode())
            digest.update(np.ascontiguousarray(moments.mean).tobytes())
            digest.update(np.ascontiguousarray(moments.covariance).tobytes())
    if features is not None:
        digest.update(str(features.shape).encode())
        digest.update(np.ascontiguousarray(features).tobytes())
    return digest.hexdigest()
