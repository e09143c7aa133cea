from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.errors import BadInput, Missing
from harness.metrics import Reference, evaluate, extract
from harness.metrics.extractors import sha256_of


def random_images(count: int, seed: int = 0, size: int = 8) -> np.ndarray:
    # Of random brightness and tint, so that features differ from image to image
    rng = np.random.default_rng(seed)
    low = rng.integers(0, 128, (count, 1, 1, 3))
    return (low + rng.integers(0, 128, (count, size, size, 3))).astype(np.uint8)


pytestmark = pytest.mark.usefixtures("registered")


@pytest.fixture
def samples(tmp_path) -> Path:
    np.savez(tmp_path / "samples.npz", random_images(40, 1))
    return tmp_path / "samples.npz"


@pytest.fixture
def reference(tmp_path) -> Path:
    np.savez(tmp_path / "reference.npz", random_images(60, 2))
    return tmp_path / "reference.npz"


def test_two_npz_files_give_values_and_what_made_them(samples, reference):
    result = evaluate(samples, reference, "tiny-test", split_size=20, subsets=3, seed=5)
    names = [f"{m}_tiny_test" for m in ("fd", "sfd", "is", "precision", "recall")]
    assert list(result["metrics"]) == names
    assert all(math.isfinite(v) for v in result["metrics"].values())
    assert all(result["std"][name] > 0 for name in names)
    made = result["provenance"]
    expected = {
        "samples_count": 40,
        "reference_images": 60,
        "recall_images": 60,
        "extractor": "tiny-test",
        "extractor_sha256": "0" * 64,
        "resize": "none",
        "k": 3,
        "split_size": 20,
        "seed": 5,
        "device": "cpu",
    }
    assert {key: made[key] for key in expected} == expected
    assert len(made["reference_sha256"]) == len(made["samples_sha256"]) == 64
    assert {"torch", "torch-fidelity", "numpy", "python"} <= set(made["versions"])
    assert result["details"]["precision_tiny_test"]["distance_dtype"].startswith("float32")


def test_a_folder_serves_on_either_side(samples, reference, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    for i, image in enumerate(random_images(60, 2)):
        Image.fromarray(image).save(folder / f"{i:03d}.png")
    settings = {"extractor": "tiny-test", "split_size": 20}
    from_npz = evaluate(samples, reference, **settings)["metrics"]
    assert evaluate(samples, folder, **settings)["metrics"] == from_npz
    swapped = evaluate(folder, samples, **settings)["metrics"]
    assert swapped["precision_tiny_test"] == from_npz["recall_tiny_test"]
    assert swapped["fd_tiny_test"] == pytest.approx(from_npz["fd_tiny_test"], rel=1e-8)


def test_saved_statistics_serve_as_the_reference(samples, reference, tiny, tmp_path):
    images = np.load(reference)["arr_0"]
    Reference.from_features(
        extract(images, tiny), extractor="tiny-test", extractor_sha256=tiny.sha256
    ).save(tmp_path / "statistics.npz")
    settings = {"extractor": "tiny-test", "split_size": 20}
    statistics = evaluate(samples, tmp_path / "statistics.npz", **settings)["metrics"]
    assert statistics == pytest.approx(evaluate(samples, reference, **settings)["metrics"])
    other = dataclasses.replace(tiny, sha256="1" * 64)
    with pytest.raises(BadInput, match=r"made with tiny-test \(000000000000\), not with tiny-test"):
        evaluate(samples, tmp_path / "statistics.npz", other)


def test_adms_file_uses_its_statistics_for_fid_and_its_images_for_recall(samples, tiny, tmp_path):
    inception = dataclasses.replace(tiny, name="inception-2015")
    path = tmp_path / "adm.npz"
    np.savez(
        path,
        mu=np.zeros(12),
        sigma=np.eye(12),
        mu_s=np.zeros(6),
        sigma_s=np.eye(6),
        arr_0=random_images(20, 3),
    )
    result = evaluate(samples, path, inception, split_size=40)
    assert list(result["metrics"]) == ["fid", "sfid", "inception_score", "precision", "recall"]
    pool = extract(np.load(samples)["arr_0"], tiny).pool.astype(np.float64)
    spread = np.linalg.eigvalsh(np.cov(pool.T)).clip(0)
    # Against a standard normal, from the definition
    exact = np.sum(pool.mean(0) ** 2) + np.sum((np.sqrt(spread) - 1) ** 2)
    assert result["metrics"]["fid"] == pytest.approx(exact, rel=1e-6)
    assert result["provenance"]["recall_images"] == 20
    assert result["provenance"]["reference_images"] is None
    # Another extractor cannot use the statistics, only the images, and says so
    other = evaluate(samples, path, tiny, split_size=40)
    assert "only its 20 images are used" in " ".join(other["notes"])
    assert other["provenance"]["reference_images"] == 20


def test_a_set_against_itself_is_at_zero_and_noted(samples):
    result = evaluate(samples, samples, "tiny-test", split_size=40)
    assert result["metrics"]["fd_tiny_test"] == pytest.approx(0, abs=1e-6)
    assert result["metrics"]["precision_tiny_test"] == result["metrics"]["recall_tiny_test"] == 1
    assert "hold the same images" in result["notes"][0]


def test_the_batch_size_changes_nothing_that_matters(samples, reference):
    one, many = (
        evaluate(samples, reference, "tiny-test", split_size=20, batch_size=n)["metrics"]
        for n in (7, 64)
    )
    assert one == pytest.approx(many, rel=1e-5)


def test_what_is_left_out_is_noted_and_never_zero(samples, reference):
    result = evaluate(samples, reference, "tiny-test")
    assert "is_tiny_test" not in result["metrics"]
    assert "40 samples in chunks of 5000" in result["notes"][0]


def test_progress_is_told_for_both_sides(samples, reference):
    seen = []
    evaluate(
        samples, reference, "tiny-test", batch_size=40, progress=lambda *about: seen.append(about)
    )
    assert seen == [("reference", 40, 60), ("reference", 60, 60), ("samples", 40, 40)]


def test_the_order_of_adms_evaluator_is_noticed(samples, tmp_path):
    statistics = {
        "mu": np.zeros(12),
        "sigma": np.eye(12),
        "mu_s": np.zeros(6),
        "sigma_s": np.eye(6),
    }
    np.savez(tmp_path / "reference.npz", arr_0=random_images(20, 3), **statistics)
    with pytest.raises(BadInput, match=r"holds reference statistics.*the order is SAMPLES REF"):
        evaluate(tmp_path / "reference.npz", samples, "never-loaded")


def test_bad_input_is_refused_before_the_extractor_is_loaded(samples, reference, tmp_path):
    bad = tmp_path / "bad.npz"
    np.savez(bad, random_images(10).astype(np.float32))
    for arguments in ((bad, reference), (samples, bad)):
        with pytest.raises(BadInput, match=r"bad\.npz: arr_0: dtype float32"):
            evaluate(*arguments, "never-loaded")
    with pytest.raises(BadInput, match="unknown metric fid"):
        evaluate(samples, reference, "never-loaded", metrics=("fd", "fid"))
    with pytest.raises(Missing, match="absent"):
        evaluate(samples, tmp_path / "absent.npz", "never-loaded")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_inception_measures_a_few_images_from_end_to_end(tmp_path, inception_weights):
    for name, seed in (("a", 0), ("b", 1)):
        np.savez(tmp_path / f"{name}.npz", random_images(4, seed, size=32))
    files, settings = (tmp_path / "a.npz", tmp_path / "b.npz"), {"split_size": 2}
    result = evaluate(*files, "inception-custom", weights=inception_weights, **settings)
    stems = ["fd", "sfd", "is", "precision", "recall"]
    assert list(result["metrics"]) == [f"{stem}_inception_custom" for stem in stems]
    assert all(math.isfinite(v) and v >= 0 for v in result["metrics"].values())
    notes = " ".join(result["notes"])
    assert "4 generated samples and 4 reference samples for 2048 dimensions" in notes
    with pytest.raises(BadInput, match="is not Inception-2015"):
        evaluate(*files, weights=inception_weights, **settings)
    # As if these were the published weights
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("harness.metrics.inception.HASH", sha256_of(inception_weights)[:8])
        named = evaluate(*files, weights=inception_weights, **settings)["metrics"]
    assert list(named) == ["fid", "sfid", "inception_score", "precision", "recall"]
    assert list(named.values()) == pytest.approx(list(result["metrics"].values()))


def test_the_same_images_are_noticed_in_another_file_and_order(samples, tmp_path):
    np.savez_compressed(tmp_path / "again.npz", random_images(40, 1)[::-1])
    result = evaluate(samples, tmp_path / "again.npz", "tiny-test", metrics=("fd",))
    assert "hold the same images" in result["notes"][0]
    almost = random_images(40, 1)
    almost[3] ^= 64
    np.savez(tmp_path / "almost.npz", almost)
    assert evaluate(samples, tmp_path / "almost.npz", "tiny-test", metrics=("fd",))["notes"] == []


def test_images_that_a_side_holds_more_than_once_are_told(samples, reference, tmp_path):
    """As of several processes with one seed; both sides are looked at."""
    twice = np.concatenate([random_images(20, 1), random_images(20, 1)[::-1]])
    np.savez(tmp_path / "twice.npz", twice)
    said = evaluate(tmp_path / "twice.npz", reference, "tiny-test", metrics=("fd",))["notes"]
    assert any(
        "twice.npz: 20 of 40 images equal an earlier one" in n and "seed?" in n for n in said
    )
    said = evaluate(samples, tmp_path / "twice.npz", "tiny-test", metrics=("fd",))["notes"]
    assert any("twice.npz: 20 of 40 images" in n and "there twice?" in n for n in said)
    said = evaluate(samples, reference, "tiny-test", metrics=("fd",))["notes"]
    assert not any("equal an earlier" in note for note in said)


def test_what_is_known_at_once_is_told_before_any_features(samples, tmp_path):
    np.savez(tmp_path / "large.npz", random_images(60, 2, size=16))
    told, at_first = [], []
    result = evaluate(
        samples,
        tmp_path / "large.npz",
        "tiny-test",
        tell=told.append,
        progress=lambda *about: at_first.append(list(told)),
    )
    assert "40 samples in chunks of 5000" in told[0]
    assert told[1] == "the samples have 8x8 pixels, the reference 16x16"
    assert at_first[0] == told and result["notes"][: len(told)] == told
    with pytest.raises(BadInput, match="seed of random subsets"):
        evaluate(samples, tmp_path / "large.npz", "never-loaded", seed=2**32)
    with pytest.raises(TypeError, match="kid_subset"):
        evaluate(samples, tmp_path / "large.npz", "never-loaded", kid_subset=5)
    made = result["provenance"]
    assert (made["image_size"], made["reference_image_size"]) == ([8, 8], [16, 16])


def test_the_recorded_seed_drew_the_images_of_recall(samples, reference, monkeypatch):
    monkeypatch.setattr("harness.metrics.reference.PR_IMAGES", 20)
    drawn = Reference.from_images.__func__.__kwdefaults__
    monkeypatch.setitem(drawn, "pr_images", 20)
    results = [evaluate(samples, reference, "tiny-test", seed=seed) for seed in (0, 1)]
    recalls = [r["metrics"]["recall_tiny_test"] for r in results]
    assert recalls[0] != recalls[1]
    assert "use 20 of the reference's 60, drawn by seed 1" in " ".join(results[1]["notes"])
    assert results[0]["metrics"]["fd_tiny_test"] == results[1]["metrics"]["fd_tiny_test"]


def test_statistics_that_are_none_cost_one_metric_and_not_the_others(samples, tiny, tmp_path):
    made = Reference.from_features(
        extract(random_images(60, 2), tiny), extractor="tiny-test", extractor_sha256="0" * 64
    )
    covariance = made.pool.covariance.copy()
    covariance[0, 1] = covariance[1, 0] = 3 * np.abs(covariance).max()
    bad = dataclasses.replace(made, pool=dataclasses.replace(made.pool, covariance=covariance))
    bad.save(tmp_path / "bad.npz")
    result = evaluate(samples, tmp_path / "bad.npz", "tiny-test", split_size=20)
    assert "fd_tiny_test is not measured" in " ".join(result["notes"])
    assert {"sfd_tiny_test", "is_tiny_test"} < set(result["metrics"])


def test_gray_samples_beside_a_reference_in_colour_are_told(samples, reference, tmp_path):
    np.savez(tmp_path / "gray.npz", np.repeat(random_images(40, 3)[..., :1], 3, axis=3))
    said = evaluate(tmp_path / "gray.npz", reference, "tiny-test", metrics=("fd",))["notes"]
    assert any("40 of 40 images of the samples are gray" in note for note in said)
    said = evaluate(samples, reference, "tiny-test", metrics=("fd",))["notes"]
    assert not any("gray" in note for note in said)
