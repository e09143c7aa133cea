"""Held-out images through the autoencoder and back: measured as samples are, and pixel by pixel."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_diffusers import save

from harness.metrics.fidelity import psnr, ssim
from harness.store import file_lists

Laboratory = Any  # conftest.py's; pytest gives it without an import


def overrides(tmp_path: Path, **autoencoder: Any) -> tuple[str, ...]:
    """A study of 60 images of 16 pixels, a fifth of them held out, through a small TAESD."""
    path = tmp_path / "a.npz"
    if not path.exists():
        draws = np.random.default_rng(0)
        levels = draws.integers(0, 256, (60, 4, 4, 3), dtype=np.uint8)
        np.savez(path, images=levels.repeat(4, 1).repeat(4, 2), labels=np.arange(60) % 2)
    data = {
        "name": "mine",
        "source": "arrays",
        "path": str(path),
        "image_size": 16,
        "channels": 3,
        "num_classes": 2,
        "train_images": 60,
        "held_out": 0.2,
    }
    return (
        f"data={json.dumps(data)}",
        f"autoencoder={json.dumps(autoencoder)}",
        "model.patch_size=2",
        "reference.extractor=random-conv",
        "reference.images=48",
        "reference.floor_images=12",
        "evaluations.final.metrics=[fd, precision]",
        "evaluations.final.guidance={channels: null}",
    )


@pytest.fixture
def through(tmp_path: Path) -> dict[str, Any]:
    folder = tmp_path / "tiny"
    if not folder.exists():
        save("tiny", tmp_path)
    return {"name": "diffusers", "weights": str(folder), "reconstructions": 10}


def reconstruction(laboratory: Laboratory, *changes: str) -> list[Any]:
    tasks = laboratory.tasks("floor", *changes)
    return [t for t in tasks if "autoencoder" in json.loads(t.settings)]


@pytest.mark.slow
def test_decoded_encodings_are_measured(
    laboratory: Laboratory, tmp_path: Path, through: dict[str, Any]
) -> None:
    changes = overrides(tmp_path, **through)
    (task,) = reconstruction(laboratory, *changes)
    laboratory.make(task, *changes)
    laboratory.run(task)
    rows = laboratory.rows(task, "metrics")
    assert {row["of"] for row in rows} == {"reconstruction"}
    found = {row["metric"]: row for row in rows}
    assert set(found) == {"fd_random_conv", "precision_random_conv", "psnr", "ssim"}
    assert all(row["samples"] == 10 and row["decoder"] == "original" for row in rows)
    assert found["fd_random_conv"]["value"] > 0

    # Against diffusers itself, on the images that the stage takes.
    from diffusers import AutoencoderTiny

    from harness.data.held_out import chosen as held_out
    from harness.stages.real_images import chosen

    with np.load(tmp_path / "a.npz") as content:
        images = content["images"][held_out(60, 0.2, 0)]
    images = images[chosen(10, len(images), 0)]
    model = AutoencoderTiny.from_pretrained(through["weights"]).eval()
    with torch.no_grad():
        x = torch.from_numpy(images).permute(0, 3, 1, 2) / 127.5 - 1
        decoded = model.decode(model.encode(x).latents).sample
    out = (decoded * 127.5 + 128).clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).numpy()
    for name, measure in (("psnr", psnr), ("ssim", ssim)):
        values = measure(images, out)
        assert found[name]["value"] == pytest.approx(values.mean(), rel=1e-3)
        assert found[name]["std"] == pytest.approx(values.std(ddof=1) / np.sqrt(10), rel=1e-2)
    about = json.loads(found["fd_random_conv"]["measured_with"])
    assert about["decoder_gflops"] > 0 and len(about["decoder_sha256"]) == 64


@pytest.mark.slow
def test_weights_that_a_floor_or_a_ceiling_reads_are_listed(
    laboratory: Laboratory, tmp_path: Path, through: dict[str, Any]
) -> None:
    """A study without an encoding (of imported checkpoints) has no other list of them."""
    changes = overrides(tmp_path, **through)
    tasks = [*reconstruction(laboratory, *changes), laboratory.task("ceiling", *changes)]
    for task in tasks:
        laboratory.make(task, *changes)
        laboratory.run(task)
        kept = file_lists.read(laboratory.folder(task) / file_lists.FILES, contents=True)
        weights = [b"config.json", b"diffusion_pytorch_model.safetensors"]
        assert kept["autoencoder"].paths == weights, task.kind
        assert kept["autoencoder"].sha256.any()


def test_it_is_planned_where_it_is_asked_for_and_means_something(
    laboratory: Laboratory, tmp_path: Path, through: dict[str, Any]
) -> None:
    without = {**through, "reconstructions": 0}
    plans = [laboratory.plan(*overrides(tmp_path, **each)) for each in (through, without)]
    more = plans[0].stages.keys() - plans[1].stages.keys()
    assert [plans[0].stages[key].kind for key in more] == ["floor"]
    assert plans[1].stages.keys() <= plans[0].stages.keys()  # no other key knows of it
    (key,) = more
    assert "mine through diffusers: 10 real images for final" in plans[0].stages[key].label
    pixels = overrides(tmp_path, name="identity", reconstructions=10)
    assert reconstruction(laboratory, *pixels) == []  # which would give the images back
