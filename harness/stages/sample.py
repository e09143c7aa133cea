"""The sample stage: images from a checkpoint's EMA weights, in ADM's npz format (`arr_0`).

Noise and label of sample i depend on (seed, i) alone, so the batch size and a resume change nothing
but rounding. Finished parts are kept in scratch, so a killed stage goes on after the last of them.
"""

from __future__ import annotations

import time
import zipfile
from pathlib import Path

import numpy as np
import safetensors.torch
import torch

from harness import autoencoders
from harness.diffusion import Diffusion, guided
from harness.diffusion.draws import SampleNoise, sample_labels
from harness.errors import BadInput, HarnessError
from harness.models import build
from harness.plan.cost import sampling_gflops
from harness.plan.stages import SampleStage
from harness.stages.work import Outcome, Stopped, Work
from harness.store import files

SAVE_S = 60.0  # seconds of sampling worth keeping over a kill


def run(settings: SampleStage, work: Work) -> Outcome:
    """Draw settings.samples images: samples.npz with arr_0 (N, H, W, C) uint8 and labels (N,)."""
    checkpoint = work.inputs["checkpoint"]
    arch, described = checkpoint.facts["architecture"], checkpoint.facts["described"]
    if described["autoencoder"] != settings.autoencoder:
        raise BadInput(
            f"the checkpoint was trained on {described['autoencoder']} latents, "
            f"the study decodes with {settings.autoencoder}"
        )
    model = build(**arch)
    model.load_state_dict(safetensors.torch.load_file(checkpoint.file("ema.safetensors")))
    model.to(work.device).eval().requires_grad_(False)
    autoencoder = autoencoders.load(
        settings.autoencoder,
        decoder=settings.decoder,
        weights=work.place.autoencoder_weights,
        device=str(work.device),
        image_channels=arch["channels"],
    )
    diffusion = Diffusion(checkpoint.facts["diffusion_steps"], sampling=settings.sampling_steps)
    denoise = guided(model, settings.guidance_scale, settings.guidance_channels)
    shape = (arch["channels"], arch["input_size"], arch["input_size"])
    labels = sample_labels(settings.seed, np.arange(settings.samples), arch["num_classes"])

    parts, done = _finished(work.scratch)
    fresh: list[np.ndarray] = []
    began = saved = time.monotonic()
    start_count = done
    while done < settings.samples:
        indices = range(done, min(done + work.place.batch_size, settings.samples))
        noise = SampleNoise(settings.seed, indices, shape)
        y = labels[indices.start : indices.stop].to(work.device)
        z = noise.initial().to(work.device)
        with torch.inference_mode():
            if settings.sampler == "ancestral":
                x = diffusion.sample(denoise, z, noise=noise, y=y)
            else:
                x = diffusion.ddim(denoise, z, eta=settings.eta or 0.0, noise=noise, y=y)
            images = autoencoders.to_uint8(autoencoder.decode(x))
        if not bool(torch.isfinite(x).all()):
            raise HarnessError(
                f"samples {indices.start} to {indices.stop - 1} are not finite: the checkpoint is "
                "not usable, nothing is recorded for it"
            )
        fresh.append(images.permute(0, 2, 3, 1).cpu().numpy())
        done = indices.stop
        now = time.monotonic()
        work.progress(
            done=done,
            total=settings.samples,
            unit="images",
            images_per_second=(done - start_count) / (now - began),
        )
        if done < settings.samples and (now - saved > SAVE_S or work.stopping()):
            _keep(work.scratch, np.concatenate(fresh), done)
            parts, fresh, saved = [*parts, *fresh], [], now
            if work.stopping():
                raise Stopped(f"{done:,} of {settings.samples:,} samples are kept")

    _write_npz(
        work.folder / "samples.npz",
        {"arr_0": np.concatenate([*parts, *fresh]), "labels": labels.numpy()},
    )
    scale = settings.guidance_scale
    return Outcome(
        {
            "described": described,
            "checkpoint_key": work.task.inputs["checkpoint"],
            "sampling": {
                "sampler": settings.sampler,
                "sampling_steps": settings.sampling_steps,
                "eta": settings.eta,
                "guidance_scale": scale,
                "guidance_channels": settings.guidance_channels,
                "sampling_gflops": sampling_gflops(
                    described["gflops"], settings.sampling_steps, scale
                ),
                "decoder": settings.decoder,
                "samples": settings.samples,
                "sampling_seed": settings.seed,
            },
        }
    )


def _keep(scratch: Path, images: np.ndarray, stop: int) -> None:
    """Keep finished samples over a kill: `part-STOP.npy` ends before sample STOP."""
    aside = scratch / f"_part-{stop:09d}.npy"
    with open(aside, "wb") as file:
        np.save(file, images)
    files.sync_file(aside)
    aside.rename(scratch / f"part-{stop:09d}.npy")
    files.sync_folder(scratch)


def _finished(scratch: Path) -> tuple[list[np.ndarray], int]:
    parts: list[np.ndarray] = []
    done = 0
    for path in sorted(scratch.glob("part-*.npy")):
        try:
            images = np.load(path, allow_pickle=False)
        except (OSError, ValueError):
            break  # damaged: sampled again from here on
        if done + len(images) != int(path.stem[5:]):
            break
        parts.append(images)
        done += len(images)
    return parts, done


def _write_npz(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """An npz whose bytes depend on the arrays alone (np.savez writes the time of day)."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            with archive.open(entry, "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)
