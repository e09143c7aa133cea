"""Statistics that other programs wrote, and ours: read without running code, refused in words."""

from __future__ import annotations

import dataclasses
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_extractor import make_tiny
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

from harness.errors import BadInput, Missing
from harness.metrics import Reference, evaluate, extract
from harness.metrics.statistics_files import holds_statistics, images_at, read_statistics

INCEPTION = dataclasses.replace(make_tiny(), name="inception-2015")


def images(seed: int, count: int = 40) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)


def features(seed: int) -> torch.Tensor:
    pool = extract(images(seed), INCEPTION).pool
    assert pool is not None
    return torch.from_numpy(pool)


def test_fid_against_torch_fidelitys_file_is_what_torch_fidelity_computes(tmp_path: Path) -> None:
    real = fid_features_to_statistics(features(1))
    torch.save(real, tmp_path / "stat-fid-2048.pt")
    np.savez(tmp_path / "samples.npz", images(0))
    found = evaluate(
        tmp_path / "samples.npz", tmp_path / "stat-fid-2048.pt", INCEPTION, metrics=["fd"]
    )
    theirs = fid_statistics_to_metric(fid_features_to_statistics(features(0)), real, False)
    assert found["metrics"]["fid"] == pytest.approx(theirs["frechet_inception_distance"], rel=1e-4)
    assert found["provenance"]["reference_images"] is None  # the file does not say


def test_what_older_numpy_pickled_is_read_too(tmp_path: Path) -> None:
    """Its arrays name numpy.core, where NumPy 2 has numpy._core."""
    torch.save({"mu": np.zeros(12), "sigma": np.eye(12)}, tmp_path / "new.pt")
    with (
        zipfile.ZipFile(tmp_path / "new.pt") as new,
        zipfile.ZipFile(tmp_path / "old.pt", "w") as old,
    ):
        for name in new.namelist():
            content = new.read(name)
            older = content.replace(b"numpy._core.multi", b"numpy.core.multi")
            assert (older != content) == name.endswith("data.pkl")
            old.writestr(name, older)
    for name in ("new", "old"):
        assert read_statistics(tmp_path / f"{name}.pt", INCEPTION).pool.dimensions == 12


class _Runs:
    def __reduce__(self) -> Any:
        return os.mkdir, ("ran",)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"mu": np.zeros(12), "sigma": _Runs()}, "no statistics of torch-fidelity"),
        ({"mu": np.zeros(12)}, "it holds no mu and sigma"),
        ([1, 2], "it holds no mu and sigma"),
        ({"mu": np.zeros(12, int), "sigma": np.eye(12)}, "expected floating numbers|no statistics"),
        ({"mu": np.zeros(7), "sigma": np.eye(7)}, "made with another extractor"),
        ({"mu": np.zeros(12), "sigma": np.full((12, 12), np.nan)}, "mu, sigma"),
    ],
)
def test_a_file_that_is_none_is_refused_and_runs_nothing(
    content: Any, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(content, "stats.pt")
    with pytest.raises(BadInput, match=said):
        read_statistics("stats.pt", INCEPTION)
    assert not Path("ran").exists()


def test_one_that_is_cut_off_of_another_extractor_or_not_there(tmp_path: Path) -> None:
    path = tmp_path / "stats.pt"
    with pytest.raises(Missing):
        read_statistics(path, INCEPTION)
    torch.save({"mu": np.zeros(12), "sigma": np.eye(12)}, path)
    with pytest.raises(BadInput, match="are of inception-2015 features"):
        read_statistics(path, make_tiny())
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(BadInput, match="no statistics of torch-fidelity"):
        read_statistics(path, INCEPTION)


def test_which_files_hold_statistics(tmp_path: Path) -> None:
    np.savez(tmp_path / "images.npz", images(0))
    np.savez(tmp_path / "fid.npz", mu=np.zeros(12), sigma=np.eye(12))  # pytorch-fid's, clean-fid's
    found = extract(images(0), INCEPTION)
    ours = Reference.from_features(found, extractor="tiny-test", extractor_sha256="0" * 64)
    ours.save(tmp_path / "ours.npz")
    (tmp_path / "cache.pt").touch()
    held = [p.name for p in sorted(tmp_path.iterdir()) if holds_statistics(p)]
    assert held == ["cache.pt", "fid.npz", "ours.npz"] and not holds_statistics(tmp_path)
    assert read_statistics(tmp_path / "fid.npz", INCEPTION).spatial is None
    assert read_statistics(tmp_path / "ours.npz", make_tiny()).sha256 == ours.sha256


def test_images_beside_statistics_are_found_and_those_that_were_published_stay(
    tmp_path: Path,
) -> None:
    np.savez(tmp_path / "plain.npz", images(0))
    np.savez(tmp_path / "both.npz", arr_0=images(0), mu=np.zeros(4), sigma=np.eye(4))
    np.savez(tmp_path / "alone.npz", mu=np.zeros(4), sigma=np.eye(4))
    torch.save({}, tmp_path / "cache.pt")
    for extractor, size in (("inception-2015", (8, 8)), ("clip", (4, 4))):
        found = images_at(tmp_path / "both.npz", extractor, 4)
        assert found is not None and (found.count, found.size) == (40, size)
        plain = images_at(tmp_path / "plain.npz", extractor, 4)
        assert plain is not None and plain.size == (4, 4)
        assert images_at(tmp_path / "alone.npz", extractor) is None
        assert images_at(tmp_path / "cache.pt", extractor) is None
