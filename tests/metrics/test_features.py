from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import BadInput
from harness.metrics import Features, Moments, extract


def random_images(count: int, seed: int = 0, size: int = 8) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # it has no state
)
@given(count=st.integers(2, 30), batch_size=st.integers(1, 40))
def test_the_batch_size_does_not_change_the_features(tiny, count, batch_size):
    images = random_images(count)
    one, many = (extract(images, tiny, batch_size=n) for n in (count, batch_size))
    for part in ("pool", "spatial", "probabilities"):
        np.testing.assert_allclose(getattr(many, part), getattr(one, part), atol=1e-6)
        assert getattr(many, part).dtype == np.float32


def test_shards_concatenate_to_the_whole(tiny):
    images = random_images(20)
    shards = [extract(images[:7], tiny), extract(images[7:], tiny)]
    whole, joined = extract(images, tiny), Features.concatenate(shards)
    np.testing.assert_array_equal(joined.pool, whole.pool)
    assert len(joined) == 20
    np.testing.assert_array_equal(joined[3:9].spatial, whole.spatial[3:9])


def test_images_come_as_batches_too_and_progress_is_told(tiny):
    images, seen = random_images(10), []
    batches = (images[i : i + 4] for i in range(0, 10, 4))
    features = extract(batches, tiny, batch_size=3, progress=seen.append)
    np.testing.assert_allclose(features.pool, extract(images, tiny).pool, atol=1e-6)
    assert seen == [3, 4, 7, 8, 10]


def test_gray_images_are_repeated_to_three_channels(tiny):
    gray = random_images(5)[..., :1]
    np.testing.assert_array_equal(
        extract(gray, tiny).pool, extract(np.repeat(gray, 3, axis=3), tiny).pool
    )


def test_moments_are_streamed_for_what_is_not_kept(tiny):
    images = random_images(30)
    whole = extract(images, tiny)
    streamed = extract(images, tiny, batch_size=4, keep=("probabilities",))
    assert streamed.pool is None and streamed.spatial is None and len(streamed) == 30
    for part in ("pool", "spatial"):
        expected = Moments.of(getattr(whole, part))
        np.testing.assert_allclose(streamed.moments(part).mean, expected.mean, rtol=1e-6)
        np.testing.assert_allclose(
            streamed.moments(part).covariance, expected.covariance, rtol=1e-5, atol=1e-9
        )


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (random_images(4).astype(np.float32), "dtype float32, but images must be uint8"),
        (random_images(4).transpose(0, 3, 1, 2), "looks like NCHW"),
        (random_images(4)[0], r"must be \(N, H, W, 3\)"),
        (random_images(4)[..., :2], r"must be \(N, H, W, 3\)"),
        (random_images(4)[:0], "no images"),
    ],
)
def test_what_are_no_images_is_refused_in_words(tiny, images, message):
    with pytest.raises(BadInput, match=message):
        extract(images, tiny)


def test_nan_in_features_names_the_extractor_and_the_row():
    class Broken:
        name, sha256, resize = "broken", "", "none"

        def __call__(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
            pool = torch.zeros(len(images), 2)
            pool[1, 0] = torch.nan
            return {"pool": pool}

    with pytest.raises(BadInput, match="pool features of broken: row 1 holds NaN"):
        extract(random_images(4), Broken())
    with pytest.raises(BadInput, match="row 0 holds NaN"):
        Features(pool=np.full((2, 2), np.nan))


def test_parts_of_different_sets_are_not_one_set():
    with pytest.raises(BadInput, match="one set of images"):
        Features(pool=np.ones((3, 2)), probabilities=np.ones((4, 2)))
    with pytest.raises(BadInput, match="no features to concatenate"):
        Features.concatenate([])
    some = Features(pool=np.ones((3, 2)))
    with pytest.raises(BadInput, match="present in some shards"):
        Features.concatenate([some, Features(pool=np.ones((3, 2)), spatial=np.ones((3, 2)))])


def test_the_row_of_a_nan_is_counted_over_all_batches():
    class Late:
        name, sha256, resize = "late", "", "none"

        def __call__(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"pool": torch.where(images[:, :1, 0, 0] == 7, torch.nan, 1.0)}

    images = np.zeros((9, 4, 4, 3), np.uint8)
    images[6] = 7
    with pytest.raises(BadInput, match="row 6 holds NaN"):
        extract(images, Late(), batch_size=4)
