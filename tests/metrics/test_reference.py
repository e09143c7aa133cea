from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from harness.errors import BadInput, Missing
from harness.metrics import Features, Moments, Reference, extract


@pytest.fixture
def features() -> Features:
    rng = np.random.default_rng(0)
    return Features(pool=rng.normal(size=(50, 4)), spatial=rng.normal(size=(50, 3)))


def make(features: Features, **settings) -> Reference:
    return Reference.from_features(
        features, extractor="tiny-cnn", extractor_sha256="a1", **settings
    )


def test_the_moments_are_of_all_images_and_the_features_of_some(features):
    reference = make(features, pr_images=20)
    assert reference.images == reference.pool.count == 50
    np.testing.assert_allclose(reference.pool.mean, Moments.of(features.pool).mean)
    assert reference.features.shape == (20, 4)
    known = {row.tobytes() for row in features.pool}
    chosen = [row.tobytes() for row in reference.features]
    assert set(chosen) <= known and len(set(chosen)) == 20
    np.testing.assert_array_equal(make(features, pr_images=20).features, reference.features)
    assert (make(features, pr_images=20, seed=1).features != reference.features).any()
    assert make(features, pr_images=0).features is None


@pytest.mark.parametrize("whole", [True, False])
def test_saving_and_loading_gives_the_same_reference_and_the_same_bytes(tmp_path, features, whole):
    reference = make(features if whole else Features(pool=features.pool), source="digits")
    if not whole:
        reference = dataclasses.replace(reference, features=None)
    reference = dataclasses.replace(reference, image_size=(8, 6) if whole else None)
    reference.save(tmp_path / "a.npz")
    loaded = Reference.load(tmp_path / "a.npz")
    loaded.save(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert loaded.image_size == reference.image_size
    assert loaded.sha256 == reference.sha256 and loaded.source == "digits"
    np.testing.assert_array_equal(loaded.pool.covariance, reference.pool.covariance)
    assert (loaded.spatial is None) == (reference.spatial is None)
    assert (loaded.features is None) == (reference.features is None)


def test_the_checksum_follows_the_content(features):
    other = Features(pool=features.pool + 1e-3, spatial=features.spatial)
    assert make(features).sha256 == make(features).sha256 != make(other).sha256
    assert make(features).sha256 != make(features, pr_images=10).sha256


@pytest.mark.parametrize("pr_images", [0, 7, 100])
def test_a_reference_made_in_one_pass_is_the_one_made_of_all_features(tiny, pr_images):
    images = np.random.default_rng(0).integers(0, 256, (30, 8, 8, 3), dtype=np.uint8)
    batches = (images[i : i + 4] for i in range(0, 30, 4))
    streamed = Reference.from_images(batches, tiny, count=30, pr_images=pr_images, seed=2)
    whole = Reference.from_features(
        extract(images, tiny), pr_images, extractor="tiny-test", extractor_sha256="0" * 64, seed=2
    )
    assert (streamed.features is None) == (whole.features is None) == (pr_images == 0)
    if pr_images:
        np.testing.assert_allclose(streamed.features, whole.features, atol=1e-6)
    for part in ("pool", "spatial"):
        ours, theirs = getattr(streamed, part), getattr(whole, part)
        np.testing.assert_allclose(ours.covariance, theirs.covariance, rtol=1e-5, atol=1e-8)
    assert streamed.image_size == (8, 8)
    for wrong in (29, 31):
        with pytest.raises(BadInput, match=f"{wrong}"):
            Reference.from_images([images], tiny, count=wrong)


def test_a_file_that_is_no_reference_is_refused(tmp_path):
    np.savez(tmp_path / "a.npz", arr_0=np.zeros(3))
    with pytest.raises(BadInput, match="no array 'about'"):
        Reference.load(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", about=np.array('{"format": "other"}'))
    with pytest.raises(BadInput, match="does not hold reference statistics"):
        Reference.load(tmp_path / "b.npz")
    with pytest.raises(Missing, match="no file at"):
        Reference.load(tmp_path / "absent.npz")


def test_a_truncated_reference_is_refused(tmp_path, features):
    path = tmp_path / "a.npz"
    make(features).save(path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(BadInput, match="not a complete npz file"):
        Reference.load(path)


def test_a_changed_byte_in_a_reference_is_noticed(tmp_path, features):
    path = tmp_path / "a.npz"
    make(features).save(path)
    data = bytearray(path.read_bytes())
    data[data.index(b"sigma.npy") + 200] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(BadInput, match=r"a\.npz"):
        Reference.load(path)


def adm_file(path: Path, **changed) -> Path:
    rng = np.random.default_rng(0)
    arrays = {
        "mu": rng.normal(size=12),
        "sigma": np.eye(12),
        "mu_s": rng.normal(size=6).astype(np.float32),
        "sigma_s": np.eye(6),
        "arr_0": rng.integers(0, 256, (6, 8, 8, 3), dtype=np.uint8),
    } | changed
    np.savez(path, **{k: v for k, v in arrays.items() if v is not None})
    return path


def test_adms_statistics_are_read_without_their_images(tmp_path):
    path = adm_file(tmp_path / "adm.npz")
    reference = Reference.from_adm(path)
    assert reference.extractor == "inception-2015" and reference.features is None
    assert reference.pool.mean.dtype == reference.spatial.mean.dtype == np.float64
    assert reference.images == 0  # the file does not say
    assert len(reference.sha256) == 64


def test_adms_images_give_the_features_for_precision_and_recall(tmp_path, tiny):
    inception = dataclasses.replace(tiny, name="inception-2015")
    reference = Reference.from_adm(adm_file(tmp_path / "adm.npz"), inception, batch_size=4)
    assert reference.features.shape == (6, 12)
    with pytest.raises(BadInput, match="are of inception-2015 features and cannot be compared"):
        Reference.from_adm(adm_file(tmp_path / "adm.npz"), tiny)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"mu": np.zeros(64), "sigma": np.eye(64)}, "pool statistics of 64 dimensions.* gives 12"),
        ({"mu_s": np.zeros(5), "sigma_s": np.eye(5)}, "spatial statistics of 5 .* gives 6"),
    ],
)
def test_statistics_of_another_dimension_are_refused_before_an_image_is_read(
    tmp_path, tiny, changed, message
):
    inception = dataclasses.replace(tiny, name="inception-2015")
    path = adm_file(tmp_path / "adm.npz", **changed)
    with pytest.raises(BadInput, match=message):
        Reference.from_adm(path, inception, progress=lambda done: pytest.fail("too late"))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"mu": None}, "not a reference file in ADM's format, mu missing"),
        ({"sigma_s": None}, "ADM's format, sigma_s missing"),
        ({"sigma": np.eye(4)}, r"shape \(12,\) with covariance of shape \(4, 4\)"),
        ({"sigma": np.full((12, 12), np.nan)}, "adm.npz: mu, sigma hold NaN"),
        ({"sigma_s": np.triu(np.ones((6, 6)))}, "mu_s, sigma_s: the covariance is not symmetric"),
        ({"mu": np.arange(12)}, "mu, sigma: expected floating numbers, found int64"),
    ],
)
def test_an_adm_file_that_cannot_be_used_is_refused(tmp_path, changed, message):
    with pytest.raises(BadInput, match=message):
        Reference.from_adm(adm_file(tmp_path / "adm.npz", **changed))


def test_pytorch_fids_statistics_give_fid_and_the_reason_for_no_sfid(tmp_path, tiny):
    """mu and sigma alone, in an npz whose members NumPy has named."""
    from harness.metrics import evaluate

    inception = dataclasses.replace(tiny, name="inception-2015")
    whole = adm_file(tmp_path / "adm.npz", arr_0=None)
    path = adm_file(tmp_path / "fid_stats.npz", mu_s=None, sigma_s=None, arr_0=None)
    samples = np.random.default_rng(1).integers(0, 256, (40, 8, 8, 3), dtype=np.uint8)
    np.savez(tmp_path / "samples.npz", samples)
    found = {
        name: evaluate(tmp_path / "samples.npz", file, inception, metrics=("fd", "sfd"))
        for name, file in (("adm", whole), ("fid", path))
    }
    assert found["fid"]["metrics"] == {"fid": found["adm"]["metrics"]["fid"]}
    (said,) = [note for note in found["fid"]["notes"] if "sfid" in note]
    assert "no spatial statistics (mu_s, sigma_s)" in said
