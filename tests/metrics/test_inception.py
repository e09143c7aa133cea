"""The real loading code and the real network, on random weights in the published file's format."""

from __future__ import annotations

import pickle
import shutil
import urllib.error
from pathlib import Path

import numpy as np
import pytest
import torch
from torch_fidelity.utils import create_feature_extractor

from harness.errors import BadInput, Missing
from harness.metrics import extract, inception, load_extractor
from harness.metrics.extractors import NetworkExtractor, sha256_of
from harness.metrics.names import metric_name

# One training, or one loading, serves all.
pytestmark = pytest.mark.xdist_group("inception")


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def extractor(inception_weights) -> NetworkExtractor:
    with pytest.MonkeyPatch.context() as patch:  # as if these were the published weights
        patch.setattr(inception, "HASH", sha256_of(inception_weights)[:8])
        return load_extractor("inception-2015", weights=inception_weights)


@pytest.fixture(scope="module")
def found(extractor, images) -> dict[str, torch.Tensor]:
    return extractor(torch.from_numpy(images).permute(0, 3, 1, 2))


@pytest.fixture(scope="module")
def theirs(inception_weights):
    return create_feature_extractor(
        "inception-v3-compat",
        ["2048", "logits_unbiased", "logits"],
        cuda=False,
        feature_extractor_weights_path=str(inception_weights),
    )


@pytest.mark.slow
def test_pool_and_probabilities_are_torch_fidelitys(found, theirs, images):
    pool, unbiased, biased = theirs(torch.from_numpy(images).permute(0, 3, 1, 2))
    assert found["pool"].shape == (3, 2048) and found["pool"].std() > 1e-3
    torch.testing.assert_close(found["pool"], pool, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(found["probabilities"], unbiased.softmax(1), rtol=1e-3, atol=1e-5)
    # The logits with bias would give others: the softmax is of those without
    assert (found["probabilities"] - biased.softmax(1)).abs().max() > 1e-3


@pytest.mark.slow
def test_spatial_is_the_first_seven_channels_of_mixed_6d_branch1x1_in_nhwc(found, theirs, images):
    block = theirs.Mixed_6d.branch1x1
    seen = []
    hook = block.bn.register_forward_hook(lambda module, i, output: seen.append(output.clone()))
    theirs(torch.from_numpy(images).permute(0, 3, 1, 2))
    hook.remove()
    maps = seen[0].relu().numpy()  # (3, 192, 17, 17)
    spatial = found["spatial"].numpy().reshape(3, 17, 17, 7)
    for channel in (0, 6):
        np.testing.assert_allclose(
            spatial[..., channel], maps[:, channel], rtol=1e-3, atol=1e-4 * maps.max()
        )
    assert found["spatial"].shape == (3, 2023) and spatial.std() > 1e-3


@pytest.mark.slow
def test_one_pass_of_extract_gives_all_parts_whatever_the_batch_size(extractor, found, images):
    features = extract(images, extractor, batch_size=2)
    np.testing.assert_allclose(features.pool, found["pool"], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(features.spatial, found["spatial"], rtol=1e-3, atol=1e-4)
    assert features.probabilities.shape == (3, 1008)


@pytest.mark.slow
def test_the_record_says_which_weights_and_which_resize(extractor, inception_weights):
    assert extractor.name == "inception-2015"
    assert extractor.sha256 == sha256_of(inception_weights)
    assert extractor.resize == inception.RESIZE


@pytest.mark.slow
def test_the_convolutions_run_in_channels_last(extractor):
    weight = extractor.network.inception.Mixed_6d.branch1x1.conv.weight
    assert extractor.network.inception.Conv2d_2a_3x3.conv.weight.is_contiguous(
        memory_format=torch.channels_last
    )
    assert not weight.requires_grad and not extractor.network.training


@pytest.mark.slow
def test_torch_fidelity_makes_it_by_name(extractor, inception_weights):
    made = create_feature_extractor(
        "inception-2015",
        ["pool"],
        cuda=False,
        feature_extractor_weights_path=str(inception_weights),
    )
    assert made.get_default_feature_layer_for_metric("fid") == "pool"
    assert made.get_requested_features_list() == ["pool"]


@pytest.mark.slow
def test_other_weights_than_the_published_are_not_inception_2015(inception_weights):
    with pytest.raises(BadInput) as error:
        load_extractor("inception-2015", weights=inception_weights)
    found = sha256_of(inception_weights)[:8]
    for part in (str(inception_weights), found, "6726825d", "extractor inception-custom"):
        assert part in str(error.value)


@pytest.mark.slow
def test_other_weights_are_measured_with_under_another_name(inception_weights, extractor, images):
    custom = load_extractor("inception-custom", weights=inception_weights)
    assert custom.name == "inception-custom" and custom.sha256 == extractor.sha256
    assert metric_name("fd", custom.name) == "fd_inception_custom"
    np.testing.assert_array_equal(extract(images, custom).pool, extract(images, extractor).pool)
    with pytest.raises(Missing, match="inception-custom is Inception with weights of your own"):
        load_extractor("inception-custom")


def tf1_bilinear(images: np.ndarray, side: int) -> np.ndarray:
    """TensorFlow 1's resize in float32, pixel by pixel: no half-pixel centres, no antialiasing.

    uint8 (N, H, W, 3) -> float32 (N, side, side, 3). Source row of output row i is i * H / side.
    """
    pixels = images.astype(np.float32)
    for axis in (2, 1):  # along each row first, as the kernel does
        length = pixels.shape[axis]
        position = np.arange(side, dtype=np.float32) * np.float32(length / side)
        low = position.astype(int)
        high = np.minimum(low + 1, length - 1)
        share = (position - low).astype(np.float32)
        shape = [1, 1, 1, 1]
        shape[axis] = side
        near, far = pixels.take(low, axis), pixels.take(high, axis)
        pixels = near + (far - near) * share.reshape(shape)
    return pixels


@pytest.mark.slow
@pytest.mark.parametrize("size", [(32, 32), (256, 256), (512, 512), (299, 299), (40, 300), (1, 1)])
def test_images_of_any_size_reach_the_network_by_tensorflow_1s_resize(extractor, size):
    images = np.random.default_rng(0).integers(0, 256, (2, *size, 3), dtype=np.uint8)
    seen = []

    class Seen(Exception):
        pass

    def stop(module, inputs):
        seen.append(inputs[0])
        raise Seen

    hook = extractor.network.inception.Conv2d_1a_3x3.register_forward_pre_hook(stop)
    with pytest.raises(Seen):
        extractor(torch.from_numpy(images).permute(0, 3, 1, 2))
    hook.remove()
    expected = (tf1_bilinear(images, 299) - 128) / 128
    np.testing.assert_array_equal(seen[0].permute(0, 2, 3, 1).numpy(), expected)


class Boom:
    def __reduce__(self):
        return (Path("/tmp/never").touch, ())


@pytest.mark.slow
@pytest.mark.parametrize("content", ["text", "other", "truncated", "pickle", "shapes"])
def test_a_file_that_is_no_inception_is_refused_and_nothing_in_it_runs(
    tmp_path, content, inception_weights
):
    path = tmp_path / "weights.pth"
    if content == "text":
        path.write_text("hello")
    elif content == "other":
        torch.save({"layer.weight": torch.zeros(2)}, path)
    elif content == "truncated":
        path.write_bytes(inception_weights.read_bytes()[:100_000])
    elif content == "pickle":
        path.write_bytes(pickle.dumps(Boom(), protocol=2))
    else:
        state = torch.load(inception_weights, weights_only=True)
        torch.save(state | {"fc.weight": torch.zeros(3, 3)}, path)
    with pytest.raises(BadInput, match=r"weights\.pth is not the weights of Inception-2015"):
        load_extractor("inception-custom", path)
    with pytest.raises(BadInput, match=r"weights\.pth is not Inception-2015: its SHA-256 starts"):
        load_extractor("inception-2015", path)
    assert not Path("/tmp/never").exists()


@pytest.fixture
def hub(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    return tmp_path / "checkpoints" / inception.FILE


def test_without_network_and_file_the_error_says_which_file_to_put_where(hub, monkeypatch):
    def offline(*args, **kwargs):
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    with pytest.raises(Missing) as error:
        load_extractor("inception-2015")
    for part in (inception.FILE, "https://github.com/toshas/torch-fidelity", str(hub), "--weights"):
        assert part in str(error.value)


@pytest.mark.slow
def test_the_published_file_is_downloaded_once_and_checked(hub, monkeypatch, inception_weights):
    # torch.hub's own download, from a file instead of the network
    monkeypatch.setattr(inception, "URL_INCEPTION_V3", inception_weights.as_uri())
    with pytest.raises(Missing, match=r"cannot be downloaded.*invalid hash"):
        load_extractor("inception-2015")
    assert not hub.exists()
    monkeypatch.setattr(inception, "HASH", sha256_of(inception_weights)[:8])
    assert load_extractor("inception-2015").sha256 == sha256_of(inception_weights)
    monkeypatch.setattr(inception, "URL_INCEPTION_V3", "file:///nowhere")
    assert load_extractor("inception-2015").name == "inception-2015"  # from the cache
    assert hub.read_bytes() == inception_weights.read_bytes()


@pytest.mark.slow
def test_a_damaged_file_in_the_cache_is_never_used_in_silence(hub, inception_weights):
    hub.parent.mkdir()
    shutil.copy(inception_weights, hub)
    with pytest.raises(BadInput, match=r"is damaged: its SHA-256 starts with.*remove it"):
        load_extractor("inception-2015")


def test_the_published_checksum_is_the_one_torch_fidelity_names():
    assert inception.HASH == "6726825d"
    assert inception.FILE == "weights-inception-2015-12-05-6726825d.pth"
