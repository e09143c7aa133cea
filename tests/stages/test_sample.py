"""Sampling: sample i is the same whatever the batches, the processes and the interruptions."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL
from hypothesis import given, settings
from hypothesis import strategies as st
from small_vae import save_decoders

from harness import autoencoders
from harness.diffusion import Diffusion
from harness.errors import BadInput
from harness.models.dit import DiT
from harness.plan.keys import stage_key
from harness.stages import sample
from harness.stages import samples as on_disk
from harness.stages.distributed import World
from harness.stages.work import Stopped

Laboratory = Any  # conftest.py's; pytest gives it without an import


@pytest.fixture(scope="module")
def trained(prepared: Laboratory, tmp_path_factory: pytest.TempPathFactory) -> Laboratory:
    laboratory = prepared.copy(tmp_path_factory.mktemp("trained"))
    laboratory.make(laboratory.task("sample"))
    return laboratory


@pytest.fixture
def laboratory(trained: Laboratory, tmp_path: Path) -> Laboratory:
    return trained.copy(tmp_path)


def samples(laboratory: Laboratory, task: Any) -> dict[str, np.ndarray]:
    return dict(np.load(laboratory.folder(task) / "samples.npz", allow_pickle=False))


@pytest.mark.slow
def test_samples_are_written_in_adm_format_with_their_labels(laboratory: Laboratory) -> None:
    task = laboratory.task("sample")
    laboratory.run(task)
    found = samples(laboratory, task)
    assert found["arr_0"].shape == (40, 8, 8, 1) and found["arr_0"].dtype == np.uint8
    assert found["labels"].shape == (40,) and set(found["labels"]) <= set(range(10))
    assert found["arr_0"].std() > 1


@pytest.mark.slow
def test_noise_and_labels_of_a_sample_are_the_same_for_batches_of_7_and_of_32(
    trained: Laboratory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[int, dict[str, np.ndarray]] = {}
    results: dict[int, np.ndarray] = {}
    real = Diffusion.sample
    for batch in (7, 32):
        noises: list[np.ndarray] = []
        labels: list[np.ndarray] = []

        def spy(
            self: Any, model: Any, z: Any, noise: Any = None, noises=noises, labels=labels, **c: Any
        ) -> Any:
            x = real(self, model, z, noise=noise, **c)
            noises.append(np.stack([z.numpy(), noise(0).numpy(), noise(1).numpy()], axis=1))
            labels.append(c["y"].numpy())
            return x

        monkeypatch.setattr(Diffusion, "sample", spy)
        laboratory = trained.copy(tmp_path / str(batch))
        task = laboratory.task("sample", batch_size=batch)
        laboratory.run(task)
        seen[batch] = {"z": np.concatenate(noises)[:40], "y": np.concatenate(labels)[:40]}
        results[batch] = samples(laboratory, task)["arr_0"]
    assert np.array_equal(seen[7]["z"], seen[32]["z"])
    assert np.array_equal(seen[7]["y"], seen[32]["y"])
    off = np.abs(results[7].astype(int) - results[32].astype(int))
    assert off.max() <= 1 and (off > 0).mean() < 0.01


@pytest.mark.slow
def test_sampling_resumes_after_a_stop_with_the_same_result(
    laboratory: Laboratory, trained: Laboratory, tmp_path: Path
) -> None:
    task = laboratory.task("sample", batch_size=8)
    stops = 0
    while True:
        calls = [0]

        def stopping(calls: list[int] = calls) -> bool:
            calls[0] += 1
            return calls[0] >= 3

        try:
            laboratory.run(task, stopping)
            break
        except Stopped:
            stops += 1
    assert stops >= 1
    other = trained.copy(tmp_path / "other")
    other.run(task)
    assert np.array_equal(samples(laboratory, task)["arr_0"], samples(other, task)["arr_0"])


@pytest.mark.slow
@pytest.mark.parametrize("keep", ["npz", "none"])
def test_labels_as_in_the_data_are_drawn_in_its_proportions(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch, keep: str
) -> None:
    asked: list[np.ndarray] = []
    real = sample.sample_labels

    def spy(seed: int, indices: Any, classes: int, counts: Any = None) -> torch.Tensor:
        asked.append(real(seed, indices, classes, counts).numpy())
        return torch.from_numpy(asked[-1])

    monkeypatch.setattr(sample, "sample_labels", spy)
    monkeypatch.setattr(sample, "labels_of", lambda folder: np.repeat([2, 7], [30, 10]))
    task = laboratory.task("sample", final(samples=96, labels="data", keep_images=keep))
    assert set(task.inputs) >= {"checkpoint", "data"}
    assert laboratory.run(task)
    assert laboratory.result(task).columns["labels"] == "data"
    every = max(asked, key=len)
    assert len(every) == 96 and set(every) == {2, 7} and 15 <= (every == 7).sum() <= 35
    of_batches = np.concatenate([each for each in asked if len(each) <= 16])
    assert np.array_equal(of_batches, every)  # what the network is told is what is written
    if keep == "npz":
        assert np.array_equal(samples(laboratory, task)["labels"], every)


def test_labels_are_drawn_alike_where_nothing_is_said(laboratory: Laboratory) -> None:
    task = laboratory.task("sample", final())
    assert "data" not in task.inputs and laboratory.run(task)
    assert laboratory.result(task).columns["labels"] is None


def test_the_same_samples_are_the_same_bytes(trained: Laboratory, tmp_path: Path) -> None:
    written = []
    for name in ("a", "b"):
        laboratory = trained.copy(tmp_path / name)
        task = laboratory.task("sample")
        laboratory.run(task)
        written.append((laboratory.folder(task) / "samples.npz").read_bytes())
    assert written[0] == written[1]


def final(**settings: Any) -> str:
    """An override of the study's evaluation."""
    said = {"sampling_steps": 3, "samples": 16, "split_size": 16, "batch_size": 16, **settings}
    return f"evaluations.final={json.dumps(said)}"


INTERVALS: dict[str, dict[str, Any]] = {
    "none": {"scale": 1.0},
    "all": {"scale": 4.0, "channels": None},
    "every step": {"scale": 4.0, "channels": None, "interval": [0, 49]},
    "cleanest step": {"scale": 4.0, "channels": None, "interval": [0, 0]},
    "nowhere": {"scale": 4.0, "channels": None, "interval": [1, 2]},  # between kept steps
}


@pytest.mark.slow
def test_guidance_inside_an_interval_guides_those_timesteps_and_costs_them_twice(
    trained: Laboratory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, gflops, now, real = {}, {}, [""], DiT.forward
    passes: dict[str, list[tuple[int, float]]] = {name: [] for name in ("", *INTERVALS)}

    def counted(self: DiT, x: torch.Tensor, t: torch.Tensor, *rest: Any) -> torch.Tensor:
        passes[now[0]].append((int(t[0]), len(x) / 16))
        return real(self, x, t, *rest)

    monkeypatch.setattr(DiT, "forward", counted)
    for name, guidance in INTERVALS.items():
        now[0] = name
        laboratory = trained.copy(tmp_path / name)
        task = laboratory.task("sample", final(guidance=guidance))
        laboratory.run(task)
        found[name] = samples(laboratory, task)["arr_0"]
        told = laboratory.result(task).columns
        gflops[name] = told["sampling_gflops"] / told["gflops"]
        planned = laboratory.plan(final(guidance=guidance)).stages[task.key]
        assert planned.gflops == pytest.approx(told["sampling_gflops"] * 16)
        if "interval" in guidance:
            assert [told["guidance_low"], told["guidance_high"]] == guidance["interval"]
    assert np.array_equal(found["all"], found["every step"])
    assert np.array_equal(found["none"], found["nowhere"])
    expected = {"none": 3, "all": 6, "every step": 6, "cleanest step": 4, "nowhere": 3}
    assert gflops == pytest.approx(expected)
    assert {name: sum(n for _, n in passes[name]) for name in INTERVALS} == expected
    assert passes["cleanest step"] == [(49, 1), (24, 1), (0, 2)]


@pytest.mark.slow
def test_clipping_keeps_the_predicted_image_in_range_and_is_recorded(
    trained: Laboratory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    found = {}
    for sampler in ("ancestral", "ddim"):
        name = "sample" if sampler == "ancestral" else "ddim"
        real = getattr(Diffusion, name)

        def spy(self: Any, *args: Any, real: Any = real, clip: bool = False, **rest: Any) -> Any:
            asked.append(clip)
            return real(self, *args, clip=clip, **rest)

        monkeypatch.setattr(Diffusion, name, spy)
        for clip in (False, True):
            laboratory = trained.copy(tmp_path / f"{sampler}-{clip}")
            task = laboratory.task("sample", final(sampler=sampler, clip=clip))
            laboratory.run(task)
            assert laboratory.result(task).columns["clip"] is clip
            found[sampler, clip] = samples(laboratory, task)["arr_0"]
    assert asked == [False, True, False, True]
    for sampler in ("ancestral", "ddim"):  # an untrained model's predictions leave the range
        assert not np.array_equal(found[sampler, False], found[sampler, True])


def test_samples_that_are_not_finite_fail_the_stage(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Diffusion, "sample", lambda self, m, z, **_: z * float("inf"))
    task = laboratory.task("sample")
    with pytest.raises(Exception, match="samples 0 to 15 are not finite"):
        laboratory.run(task)
    assert laboratory.store.manifest("sample", task.key) is None


def test_ddim_with_guidance_depends_on_both(laboratory: Laboratory) -> None:
    images = []
    for scale in ("1.0", "4.0"):
        task = laboratory.task(
            "sample",
            "evaluations.final.sampler=ddim",
            f"evaluations.final.guidance={{scale: {scale}, channels: 1}}",
        )
        laboratory.run(task)
        images.append(samples(laboratory, task)["arr_0"])
        described = laboratory.result(task).columns
        assert described["guidance_scale"] == float(scale)
    gflops = described["gflops"]
    assert described["sampling_gflops"] == pytest.approx(gflops * 3 * 2)
    assert not np.array_equal(*images)


def test_latents_of_another_autoencoder_are_refused(laboratory: Laboratory) -> None:
    task = laboratory.task("sample")
    stage = sample.SampleStage.model_validate_json(task.settings)
    work = type("Work", (), {})()
    facts = laboratory.store.open("train", task.inputs["checkpoint"])
    work.inputs, work.task, work.place = {"checkpoint": facts}, task, task.place
    work.world = World()
    work.device = torch.device("cpu")
    with pytest.raises(Exception, match="trained on identity latents"):
        sample.run(stage.model_copy(update={"autoencoder": "sd-vae"}), work)


@pytest.fixture(scope="module")
def vaes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two autoencoders of three decoders each, in a/ and b/."""
    root = tmp_path_factory.mktemp("vaes")
    for seed, name in enumerate("ab"):
        save_decoders(root / name, seed)
    return root


def latent(vaes: Path, name: str = "a", **autoencoder: Any) -> tuple[str, ...]:
    """Overrides for a study in the latents of one of the autoencoders."""
    said = {"name": "sd-vae", "weights": str(vaes / name), **autoencoder}
    return (
        "data={name: glyphs, image_size: 32, channels: 3, train_images: 12}",
        f"autoencoder={json.dumps(said)}",
        "train.steps=2",
        final(samples=6, split_size=6, batch_size=2),
    )


@pytest.fixture(scope="module")
def trained_on_a(
    prepared: Laboratory, vaes: Path, tmp_path_factory: pytest.TempPathFactory
) -> Laboratory:
    laboratory = prepared.copy(tmp_path_factory.mktemp("latent"))
    laboratory.make(laboratory.task("sample", *latent(vaes)), *latent(vaes))
    return laboratory


@pytest.mark.slow
def test_other_weights_than_the_latents_were_made_with_are_refused(
    trained_on_a: Laboratory, vaes: Path, tmp_path: Path
) -> None:
    laboratory = trained_on_a.copy(tmp_path)
    a, b = (autoencoders.load("sd-vae", weights=vaes / name).sha256 for name in "ab")
    task = laboratory.task("sample", *latent(vaes, "b"))
    assert task.key == laboratory.task("sample", *latent(vaes)).key  # a place, in no key
    with pytest.raises(BadInput, match=f"checksum {b}, the checkpoint was trained on .* {a}, .*"):
        laboratory.run(task)
    found = {}
    for decoder in ("original", "ft-mse"):  # Table 4: other decoders of the same encoder
        task = laboratory.task("sample", *latent(vaes, decoder=decoder))
        laboratory.run(task)
        found[decoder] = samples(laboratory, task)["arr_0"]
        facts, vae = (
            laboratory.manifest(task)["facts"],
            autoencoders.load("sd-vae", decoder, vaes / "a"),
        )
        assert (facts["autoencoder_sha256"], facts["decoder_sha256"]) == (a, vae.decoder_sha256)
    assert not np.array_equal(found["original"], found["ft-mse"])


@pytest.mark.slow
def test_a_fine_tuned_decoder_may_bring_its_own_copy_of_the_encoder(
    trained_on_a: Laboratory, vaes: Path, tmp_path: Path
) -> None:
    """Taken where the original it goes with lies beside it; not beside another original."""
    laboratory = trained_on_a.copy(tmp_path / "laboratory")
    vae = AutoencoderKL.from_pretrained(vaes / "a" / "sd-vae-ft-mse")
    next(vae.encoder.parameters()).data *= 1 + 2**-20
    for original in "ba":
        shutil.copytree(vaes / original / "original", tmp_path / original / "original")
        vae.save_pretrained(tmp_path / original / "ft-mse")
        task = laboratory.task("sample", *latent(tmp_path, original, decoder="ft-mse"))
        if original == "b":
            with pytest.raises(BadInput, match="was trained on latents of the encoder"):
                laboratory.run(task)
        else:
            laboratory.run(task)


@pytest.mark.slow
def test_other_weights_than_the_pinned_ones_are_refused(
    trained_on_a: Laboratory, vaes: Path, tmp_path: Path
) -> None:
    """Also where the checkpoint does not say (imported, or trained by an earlier version)."""
    laboratory = trained_on_a.copy(tmp_path)
    a, b = (autoencoders.load("sd-vae", weights=vaes / name).sha256 for name in "ab")
    checkpoint = laboratory.folder(laboratory.task("train", *latent(vaes))) / "manifest.json"
    said = json.loads(checkpoint.read_text())
    assert said["facts"].pop("autoencoder_sha256") == a
    del said["sha256"]  # as manifests of before had none
    checkpoint.write_text(json.dumps(said))
    pinned = laboratory.task("sample", *latent(vaes, sha256=b))
    work_of_a = replace(pinned, inputs=laboratory.task("sample", *latent(vaes)).inputs)
    key = stage_key("sample", pinned.settings, work_of_a.inputs)
    with pytest.raises(BadInput, match=f"checksum {a}, the study asks .* {b}, "):
        laboratory.run(replace(work_of_a, key=key))
    laboratory.run(laboratory.task("sample", *latent(vaes)))  # nothing to compare


@pytest.mark.slow
def test_samples_another_decoder_made_before_a_stop_are_drawn_again(
    trained_on_a: Laboratory, vaes: Path, tmp_path: Path
) -> None:
    """Files replaced between two attempts: the key does not know of them."""
    weights = tmp_path / "weights"
    shutil.copytree(vaes / "a", weights / "a")
    laboratory, other = (trained_on_a.copy(tmp_path / name) for name in ("one", "other"))
    task = laboratory.task("sample", *latent(weights))
    with pytest.raises(Stopped):
        laboratory.run(task, lambda: True)
    assert list(laboratory.store.scratch(task.key).glob("part-*"))
    shutil.rmtree(weights / "a" / "original")
    shutil.copytree(vaes / "a" / "ft-ema", weights / "a" / "original")
    laboratory.run(task)
    other.run(task)
    assert np.array_equal(samples(laboratory, task)["arr_0"], samples(other, task)["arr_0"])


@pytest.mark.slow
def test_samples_in_a_folder_are_the_same_images(trained: Laboratory, tmp_path: Path) -> None:
    from PIL import Image

    npz, folder = trained.copy(tmp_path / "npz"), trained.copy(tmp_path / "folder")
    task = npz.task("sample")
    npz.run(task)
    pngs = folder.task("sample", "evaluations.final.keep_images=folder")
    folder.run(pngs)
    files = sorted((folder.folder(pngs) / "images").glob("*.png"))
    images = np.stack([np.asarray(Image.open(f)) for f in files])
    assert np.array_equal(images, samples(npz, task)["arr_0"][..., 0])


@pytest.mark.slow
@pytest.mark.parametrize("keep", ["folder", "none"])
def test_however_images_are_kept_the_metrics_are_the_same(
    trained: Laboratory, tmp_path: Path, keep: str
) -> None:
    values = {}
    for name in ("npz", keep):
        laboratory = trained.copy(tmp_path / name)
        override = f"evaluations.final.keep_images={name}"
        task = laboratory.task("evaluate", override)
        laboratory.make(task, override)
        laboratory.run(task)
        values[name] = {r["metric"]: r["value"] for r in laboratory.rows(task, "metrics")}
    assert values[keep] == pytest.approx(values["npz"], rel=1e-6)
    if keep == "none":
        (folder,) = (laboratory.root / "results/artifacts/sample").iterdir()
        assert np.load(folder / "features.npz")["pool"].shape[0] == 40
        assert len(np.load(folder / "samples.npz")["arr_0"]) == 40  # fewer than SHOWN: all


def test_a_damaged_part_and_what_overlaps_are_sampled_again(tmp_path: Path) -> None:
    rows = {"images": np.arange(30, dtype=np.uint8)}
    for start, stop in ((0, 10), (10, 20), (15, 25), (30, 40)):
        on_disk.keep(tmp_path, start, stop, {k: v[: stop - start] for k, v in rows.items()})
    (tmp_path / "part-000000010-000000020.npz").write_bytes(b"PK")
    parts = on_disk.finished(tmp_path, 40)
    assert [(p.start, p.stop) for p in parts] == [(0, 10), (15, 25), (30, 40)]
    assert on_disk.missing(parts, 40, 4) == [
        range(10, 14),
        range(14, 15),
        range(25, 29),
        range(29, 30),
    ]


@given(st.sets(st.integers(0, 19)), st.integers(1, 7))
@settings(max_examples=50, deadline=None)
def test_what_is_missing_and_what_is_there_are_the_whole(have: set[int], size: int) -> None:
    parts = [on_disk.Part(i, i + 1, Path()) for i in sorted(have)]
    batches = on_disk.missing(parts, 20, size)
    assert sorted([*have, *(i for b in batches for i in b)]) == list(range(20))
    assert all(0 < len(b) <= size for b in batches)
