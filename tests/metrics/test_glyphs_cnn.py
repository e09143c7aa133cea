from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
import torch_fidelity
from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY
from torch_fidelity.utils import create_feature_extractor

from harness.data import digits, glyphs
from harness.errors import BadInput
from harness.metrics import glyphs_cnn

# One training, or one loading, serves all.
pytestmark = pytest.mark.xdist_group("glyphs-cnn")


@pytest.fixture(scope="module")
def trained() -> glyphs_cnn.Trained:
    images, labels = glyphs.render("classifier", 2000, channels=1)
    held_out = glyphs.render("classifier-test", 500, channels=1)
    return glyphs_cnn.train(images, labels, steps=150, held_out=held_out)


@pytest.fixture(scope="module")
def weights(trained: glyphs_cnn.Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cnn") / "glyphs-cnn.safetensors"
    glyphs_cnn.save(trained, path)
    return path


def nchw(images: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2)


def distance(one: torch.Tensor, two: torch.Tensor) -> float:
    a, b = one.double(), two.double()
    cov_a, cov_b = torch.cov(a.T), torch.cov(b.T)
    root = torch.linalg.eigvals(cov_a @ cov_b).real.clamp_min(0).sqrt().sum()
    return float((a.mean(0) - b.mean(0)).square().sum() + cov_a.trace() + cov_b.trace() - 2 * root)


@pytest.mark.slow
def test_it_reads_held_out_glyphs(trained: glyphs_cnn.Trained) -> None:
    assert trained.accuracy > 0.9  # a quarter of the usual steps; chance is 0.1
    assert trained.held_out == 500


@pytest.mark.slow
def test_training_again_gives_the_same_file_whatever_the_threads(
    tmp_path: Path, weights: Path
) -> None:
    images, labels = glyphs.render("classifier", 300)
    threads = torch.get_num_threads()
    state = torch.random.get_rng_state()
    for count in (1, 2):
        torch.set_num_threads(count)
        torch.manual_seed(count)
        glyphs_cnn.save(glyphs_cnn.train(images, labels, steps=5), tmp_path / str(count))
        assert torch.get_num_threads() == count
    torch.set_num_threads(threads)
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()
    glyphs_cnn.save(glyphs_cnn.train(images, labels, steps=5, seed=1), tmp_path / "other")
    assert (tmp_path / "1").read_bytes() != (tmp_path / "other").read_bytes()
    torch.random.set_rng_state(state)


def test_training_leaves_the_callers_random_state_alone() -> None:
    images, labels = glyphs.render("classifier", 50)
    before = torch.random.get_rng_state()
    glyphs_cnn.train(images, labels, steps=2)
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.slow
def test_features_have_the_shapes_the_metrics_want(weights: Path) -> None:
    extractor = glyphs_cnn.load(weights)
    found = extractor(nchw(glyphs.render("floor", 12, channels=1)[0]))
    assert {k: tuple(v.shape) for k, v in found.items()} == {
        "pool": (12, 64),
        "spatial": (12, 7 * 8 * 8),
        "probabilities": (12, 10),
    }
    assert all(v.dtype == torch.float32 for v in found.values())
    assert torch.allclose(found["probabilities"].sum(1), torch.ones(12), atol=1e-5)


@pytest.mark.slow
def test_spatial_features_are_the_first_channels_in_nhwc_order(weights: Path) -> None:
    extractor = glyphs_cnn.load(weights)
    images = nchw(glyphs.render("floor", 2)[0])
    middle = extractor.module.network(images.float() / 127.5 - 1)[1]
    spatial = extractor(images)["spatial"].reshape(2, 8, 8, 7)
    assert torch.allclose(spatial[1, 3, 5, 6], middle[1, 6, 3, 5], atol=1e-5)


@pytest.mark.slow
def test_spatial_features_of_larger_images_stay_below_2048_numbers(tmp_path: Path) -> None:
    images, labels = glyphs.render("classifier", 40, image_size=32)
    glyphs_cnn.save(glyphs_cnn.train(images, labels, steps=2), tmp_path / "w")
    assert glyphs_cnn.load(tmp_path / "w")(nchw(images))["spatial"].shape == (40, 7 * 16 * 16)


@pytest.mark.slow
def test_gray_images_are_repeated_to_three_channels(weights: Path) -> None:
    extractor = glyphs_cnn.load(weights)
    gray = nchw(glyphs.render("floor", 6, channels=1)[0])
    one, three = extractor(gray), extractor(gray.repeat(1, 3, 1, 1))
    assert all(torch.equal(one[key], three[key]) for key in one)


@pytest.mark.slow
def test_batches_do_not_change_the_features(weights: Path) -> None:
    extractor = glyphs_cnn.load(weights)
    images = nchw(glyphs.render("floor", glyphs_cnn.EXTRACT_BATCH + 3, channels=1)[0])
    whole, tail = extractor(images), extractor(images[-3:])
    assert torch.allclose(whole["pool"][-3:], tail["pool"], atol=1e-4)


@pytest.mark.slow
def test_the_distance_grows_with_what_is_wrong_with_the_images(weights: Path) -> None:
    extractor = glyphs_cnn.load(weights)
    reference = extractor(nchw(glyphs.render("reference", 1500, channels=1)[0]))["pool"]
    clean, labels = glyphs.render("floor", 1000, channels=1)
    noise = np.random.default_rng(0).normal(size=clean.shape)
    found = [
        distance(extractor(nchw(images))["pool"], reference)
        for images in (
            clean,
            (clean + 20 * noise).clip(0, 255).astype(np.uint8),
            (clean + 60 * noise).clip(0, 255).astype(np.uint8),
            np.random.default_rng(1).integers(0, 256, clean.shape, dtype=np.uint8),
        )
    ]
    assert found == sorted(found) and found[-1] > 20 * found[0]
    three_classes = distance(extractor(nchw(clean[labels < 3]))["pool"], reference)
    assert three_classes > 20 * found[0]


@pytest.mark.slow
def test_torch_fidelity_measures_with_it(weights: Path) -> None:
    class Images(torch.utils.data.Dataset):
        def __init__(self, split: str) -> None:
            images = nchw(glyphs.render(split, 200, channels=1)[0])
            self.images = images.repeat(1, 3, 1, 1)

        def __len__(self) -> int:
            return len(self.images)

        def __getitem__(self, index: int) -> torch.Tensor:
            return self.images[index]

    glyphs_cnn.register()
    glyphs_cnn.register()  # twice does no harm
    assert set(glyphs_cnn.NAMES) <= set(FEATURE_EXTRACTORS_REGISTRY)
    measured = torch_fidelity.calculate_metrics(
        input1=Images("floor"),
        input2=Images("reference"),
        feature_extractor="glyphs-cnn",
        feature_extractor_weights_path=str(weights),
        fid=True,
        isc=True,
        isc_splits=1,
        cuda=False,
        save_cpu_ram=True,
        verbose=False,
    )
    extractor = glyphs_cnn.load(weights)
    ours = [extractor(Images(split).images) for split in ("floor", "reference")]
    expected = distance(ours[0]["pool"], ours[1]["pool"])
    assert measured["frechet_inception_distance"] == pytest.approx(expected, rel=1e-3)
    p = ours[0]["probabilities"].double()
    score = (p * (p.log() - p.mean(0).log())).sum(1).mean().exp()
    assert measured["inception_score_mean"] == pytest.approx(float(score), rel=1e-4)


@pytest.mark.slow
def test_two_trainings_never_share_torch_fidelitys_feature_cache(
    trained: glyphs_cnn.Trained, weights: Path, tmp_path: Path
) -> None:
    other = {key: value * 1.5 for key, value in trained.weights.items()}
    glyphs_cnn.save(dataclasses.replace(trained, weights=other), tmp_path / "other")
    one, two = glyphs_cnn.load(weights), glyphs_cnn.load(tmp_path / "other")
    assert one.sha256 != two.sha256
    assert one.module.get_name() != two.module.get_name()


@pytest.mark.slow
def test_a_saved_extractor_knows_what_made_it(trained: glyphs_cnn.Trained, weights: Path) -> None:
    extractor = glyphs_cnn.load(weights)
    assert extractor.name == "glyphs-cnn" and extractor.resize == "none"
    assert extractor.accuracy == trained.accuracy
    assert glyphs_cnn.read(weights).steps == 150


@pytest.mark.slow
def test_digits_train_under_their_own_name(tmp_path: Path) -> None:
    images, labels = digits.render("classifier", 300, channels=1)
    trained = glyphs_cnn.train(
        images,
        labels,
        steps=120,
        name="digits-cnn",
        held_out=digits.render("classifier-test", 97, channels=1),
    )
    assert trained.accuracy > 0.8
    glyphs_cnn.save(trained, tmp_path / "w")
    assert glyphs_cnn.load(tmp_path / "w").name == "digits-cnn"
    with pytest.raises(BadInput, match="digits-cnn, not of glyphs-cnn"):
        create_feature_extractor(
            "glyphs-cnn", ["pool"], cuda=False, feature_extractor_weights_path=tmp_path / "w"
        )


def test_without_held_out_images_a_tenth_is_kept_out() -> None:
    images, labels = glyphs.render("classifier", 60)
    assert glyphs_cnn.train(images, labels, steps=1).held_out == 6


@pytest.mark.slow
@pytest.mark.parametrize(
    "wrong",
    [
        torch.zeros(2, 3, 8, 8),
        torch.zeros(2, 3, 16, 16, dtype=torch.uint8),
        torch.zeros(2, 8, 8, 3, dtype=torch.uint8),
        torch.zeros(0, 3, 8, 8, dtype=torch.uint8),
    ],
)
def test_images_it_was_not_trained_for_are_refused(weights: Path, wrong: torch.Tensor) -> None:
    with pytest.raises(BadInput, match="glyphs-cnn"):
        glyphs_cnn.load(weights)(wrong)


@pytest.mark.parametrize(
    "content", [b"", b"not weights", b"\x08\x00\x00\x00\x00\x00\x00\x00{}      "]
)
def test_a_file_that_is_not_its_weights_is_refused_with_a_way_out(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "w").write_bytes(content)
    with pytest.raises(BadInput, match="remove it and run again"):
        glyphs_cnn.load(tmp_path / "w")


@pytest.mark.slow
def test_a_truncated_file_is_refused(weights: Path, tmp_path: Path) -> None:
    (tmp_path / "w").write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(BadInput, match="remove it and run again"):
        glyphs_cnn.load(tmp_path / "w")


def test_training_input_that_cannot_be_used_is_named() -> None:
    images, labels = glyphs.render("classifier", 20)
    with pytest.raises(BadInput, match="float64"):
        glyphs_cnn.train(images / 255, labels, steps=1)
    with pytest.raises(BadInput, match="labels"):
        glyphs_cnn.train(images, labels[:5], steps=1)
    with pytest.raises(BadInput, match="resnet"):
        glyphs_cnn.train(images, labels, steps=1, name="resnet")
