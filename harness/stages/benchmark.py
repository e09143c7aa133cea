"""How fast is this machine? Training, sampling and encoding measured over synthetic data.

Training is measured by the training stage's own loop on random latents: what is timed is what runs.
Sampling and encoding use random weights of the right shape, which cost what trained ones do.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from harness import autoencoders
from harness.data.writer import LatentSettings, LatentWriter
from harness.diffusion import Diffusion, feeding, guided
from harness.diffusion.draws import SampleNoise, sample_labels
from harness.diffusion.feeding import host_threads
from harness.errors import BadInput
from harness.models import build, zoo
from harness.plan.cost import dit_gflops
from harness.plan.stages import Place, Recipe, Task, TrainStage
from harness.stages import train
from harness.stages.execute import device_name, pick_device
from harness.stages.utilisation import peak_memory, utilisation
from harness.stages.work import Work
from harness.store import codec, provenance
from harness.store.artifacts import Artifact
from harness.store.codec import Manifest
from harness.store.results import BenchmarkResult, EncodeResult

KINDS = ("train", "sample", "encode")
LATENTS = 512  # synthetic training set
HOST_S = 0.3  # seconds of drawing noise, to see what the host can feed


@dataclass(frozen=True)
class Setting:
    """The settings of a measurement."""

    kind: str
    model: str = "DiT-S/4"
    image_size: int | None = None  # pixels; None: the family's own
    block: str = "adaln-zero"
    batch_size: int = 8
    batch_per_device: int | None = None
    precision: str = "float32"
    tf32: bool = False
    compile: bool = False
    checkpointing: bool = False
    device: str = "auto"
    steps: int = 10  # training steps, sampler steps or batches timed, after as many to warm up
    guidance: float = 1.0


def measure(setting: Setting) -> BenchmarkResult:
    """One record: rates, memory, utilisation, and what they were measured on.

    gflops_per_second: multiply-accumulates / 1e9; matmul_gflops_per_second: what one large matrix
    product reaches here, for comparison. seconds_per_gflop: what `plan` multiplies its costs with.
    """
    device = pick_device(setting.device)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    found = {"train": _train, "sample": _sample, "encode": _encode}[setting.kind](setting, device)
    rate = found.get("gflops_per_second")
    own = {
        "memory_bytes": found.get("memory_bytes") or peak_memory(device),
        "seconds_per_gflop": None if not rate else 1.0 / rate,
        "seconds_per_image": 1.0 / found["images_per_second"],
        "utilisation": None
        if rate is None
        else utilisation(rate, device, setting.precision, setting.tf32),
        "matmul_gflops_per_second": _matmul(setting, device),
        "made": provenance.made(device_name(device), torch.get_num_threads()),
    }
    if setting.kind != "encode":
        rates = asdict(feeding.host_rates(_input_shape(setting)))
        own |= {f"host_{name}": value for name, value in rates.items()}
    return BenchmarkResult(**{**asdict(setting), **found, **own})


def _train(setting: Setting, device: torch.device) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        settings, work, gflops = training(setting, Path(folder), device)
        with contextlib.redirect_stdout(io.StringIO()):  # the rows it prints are returned
            _, log, _ = train.fit(settings, work, gflops)
    row = log.rows[-1]  # the first row warmed up (and compiled)
    return {
        "gflops": gflops,
        "steps_per_second": row["images_per_second"] / setting.batch_size,
        "images_per_second": row["images_per_second"],
        "gflops_per_second": row["gflops_per_second"],
        "memory_bytes": row["memory_bytes"],
        "host_images_per_second": feeding.training_rate(
            _input_shape(setting), setting.batch_size, host_threads(), seconds=HOST_S
        ),
    }


def training(
    setting: Setting,
    folder: Path,
    device: torch.device,
    stopping: Callable[[], bool] = lambda: False,
) -> tuple[TrainStage, Work, float]:
    """Arguments of `train.fit` for 2 x setting.steps steps on synthetic latents in `folder`."""
    shape = zoo.architecture(setting.model, image_size=setting.image_size, block=setting.block)
    settings = TrainStage(
        architecture={k: v for k, v in asdict(shape).items() if v is not None},
        diffusion_steps=1000,
        recipe=Recipe(
            batch_size=setting.batch_size,
            learning_rate=1e-4,
            weight_decay=0.0,
            betas=(0.9, 0.999),
            ema=0.9999,
            label_dropout=0.1,
            grad_clip=None,
            precision=setting.precision,  # type: ignore[arg-type]
            tf32=setting.tf32,
        ),
        flip=True,
        seed=0,
        step=2 * setting.steps,
    )
    place = Place(
        compile=setting.compile,
        checkpointing=setting.checkpointing,
        batch_per_device=setting.batch_per_device,
        log_every=setting.steps,
        checkpoint_minutes=1e9,
    )
    work = Work(
        task=Task("train", "bench", "", {}, {}, f"bench {setting.model}", None, place),
        folder=folder,
        scratch=folder,
        inputs={"data": _latents(folder, shape)},
        after={},
        device=device,
        progress=lambda **_: None,
        stopping=stopping,
    )
    return settings, work, _gflops(shape)


def _latents(folder: Path, arch: zoo.Architecture) -> Artifact:
    """Random posteriors (or pixels, for one or three channels) as the encode stage leaves them."""
    posterior = arch.channels == 4
    settings = LatentSettings(
        kind="posterior" if posterior else "pixels",
        shape=(arch.channels, arch.input_size, arch.input_size),
        dtype="float16" if posterior else "uint8",
        items=LATENTS,
        shard_size=LATENTS,
        num_classes=arch.num_classes,
        autoencoder="sd-vae" if posterior else "identity",
        autoencoder_sha256=None,
        scale=0.18215 if posterior else 1.0,
        dataset="synthetic",
    )
    random = np.random.default_rng(0)
    size = (LATENTS, *settings.row_shape)
    rows = random.random(size, dtype=np.float32) if posterior else random.integers(0, 256, size)
    writer = LatentWriter(folder / "latents", settings)
    labels = random.integers(0, arch.num_classes, LATENTS)
    writer.write(0, rows.astype(settings.dtype), labels)
    writer.finish()
    result = EncodeResult(
        settings.dataset,
        arch.input_size,
        LATENTS,
        settings.shape,
        arch.num_classes,
        sha256="",
        autoencoder=settings.autoencoder,
    )
    manifest = Manifest("encode", "synthetic", {}, codec.told(result))
    return Artifact("encode", "synthetic", folder, manifest)


def _sample(setting: Setting, device: torch.device) -> dict[str, Any]:
    """Without decoding."""
    shape = zoo.architecture(setting.model, image_size=setting.image_size, block=setting.block)
    torch.backends.cuda.matmul.allow_tf32 = setting.tf32
    model: Any = build(**asdict(shape)).to(device).eval().requires_grad_(False)
    if setting.compile:
        model = torch.compile(model)
    diffusion = Diffusion(1000, sampling=setting.steps)
    denoise = guided(model, setting.guidance)
    size = (shape.channels, shape.input_size, shape.input_size)

    def batch() -> None:
        indices = range(setting.batch_size)
        noise = SampleNoise(0, indices, size)
        y = sample_labels(0, indices, shape.num_classes).to(device)
        bf16 = torch.autocast(device.type, torch.bfloat16, enabled=setting.precision == "bf16")
        with torch.inference_mode(), bf16:
            diffusion.sample(denoise, noise.initial().to(device), noise=noise, y=y)

    seconds = _timed(batch, device)
    passes = setting.steps * (1 if setting.guidance == 1.0 else 2) * setting.batch_size
    gflops = _gflops(shape)
    return {
        "gflops": gflops,
        "steps_per_second": setting.steps / seconds,
        "images_per_second": setting.batch_size / seconds,
        "gflops_per_second": gflops * passes / seconds,
        "host_images_per_second": feeding.sampling_rate(
            size, setting.batch_size, host_threads(), seconds=HOST_S
        )
        / setting.steps,
    }


def _input_shape(setting: Setting) -> tuple[int, int, int]:
    """(C, H, W) of the model's input."""
    shape = zoo.architecture(setting.model, image_size=setting.image_size, block=setting.block)
    return shape.channels, shape.input_size, shape.input_size


def _encode(setting: Setting, device: torch.device) -> dict[str, Any]:
    """Both flips of images through an autoencoder of Stable Diffusion's shape, random weights."""
    from diffusers import AutoencoderKL

    size = setting.image_size or 256
    if size % 8:
        raise BadInput(f"image size {size} is not divisible by 8, the autoencoder's factor")
    kinds = 4
    network: Any = AutoencoderKL(  # type: ignore[no-untyped-call]
        down_block_types=("DownEncoderBlock2D",) * kinds,
        up_block_types=("UpDecoderBlock2D",) * kinds,
        block_out_channels=(128, 256, 512, 512),
        layers_per_block=2,
        latent_channels=4,
        sample_size=size,
    )
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = setting.tf32
    vae = autoencoders.StableDiffusionVAE(
        network.to(device).eval().requires_grad_(False), "original"
    )
    pixels = torch.rand(setting.batch_size, 3, size, size, device=device)

    def batch() -> None:
        for images in (pixels, pixels.flip(-1)):
            vae.encode(images)

    seconds = _timed(batch, device)
    return {
        "model": "sd-vae",
        "image_size": size,
        "gflops": None,
        "steps_per_second": 1 / seconds,
        "images_per_second": setting.batch_size / seconds,
        "gflops_per_second": None,
    }


def _timed(work: Callable[[], Any], device: torch.device, least_s: float = 1.0) -> float:
    """Seconds of one call: the median of three or more, after one to warm up."""
    work()
    times: list[float] = []
    while len(times) < 3 or (sum(times) < least_s and len(times) < 100):
        _synchronize(device)
        began = time.perf_counter()
        work()
        _synchronize(device)
        times.append(time.perf_counter() - began)
    return float(np.median(times))


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _matmul(setting: Setting, device: torch.device) -> float:
    """The rate that a large square matrix product reaches in the same precision."""
    side = 8192 if device.type == "cuda" else 1024
    dtype = torch.bfloat16 if setting.precision == "bf16" else torch.float32
    a = torch.randn(side, side, device=device, dtype=dtype)
    return side**3 / 1e9 / _timed(lambda: a @ a, device, least_s=0.2)


def _gflops(shape: zoo.Architecture) -> float:
    """Strict Gflops of one forward pass."""
    size, channels = shape.input_size, shape.channels
    return dit_gflops(shape.depth, shape.width, shape.patch_size, size, channels, shape.block)
