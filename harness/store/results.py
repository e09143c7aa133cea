"""The results of stages besides their files: one frozen class per kind.

A stage returns one of these, the manifest keeps it (`harness.store.codec`), and the stages and
commands behind it are given it back. `columns` are columns of the records, by the names that
`harness.store.tables` declares; an object among them becomes JSON text where rows are written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class EncodeResult:
    """A data set as the model's inputs."""

    data: str  # its name
    image_size: int  # pixels per side
    count: int  # images
    shape: tuple[int, ...]  # of one row, (C, H, W)
    num_classes: int
    sha256: str  # of the latents' index
    autoencoder: str
    autoencoder_sha256: str | None = None  # of its encoder; None: pixels
    fingerprint: str | None = None  # of the images
    corrupt: int = 0  # images that could not be read
    # images that were not RGB of the study's size or more, by what they were: gray, alpha, enlarged
    stored: Mapping[str, int] = field(default_factory=dict)
    # files among the images that were not read, by the endings of their names
    passed_over: Mapping[str, int] = field(default_factory=dict)
    # mean and std of what training draws from these; None: of an older version
    moments: Mapping[str, float] | None = None


@dataclass(frozen=True)
class ComplexityResult:
    """The cost of one forward pass of a network for one image."""

    model: str
    gflops: float  # strict; see harness.models.counting
    gflops_paper: float
    params: int
    activations: int | None = None
    tokens: int | None = None  # None for a U-Net
    architecture: Mapping[str, Any] | None = None  # as its family writes it; None: a baseline


@dataclass(frozen=True)
class TrainResult:
    """A checkpoint."""

    columns: Mapping[str, Any]  # what records say of it and of the training behind it
    architecture: Mapping[str, Any]  # as its family writes it
    objective: Any = None  # as keys name it; None: DDPM, of `diffusion_steps`
    diffusion_steps: int | None = None
    # of the encoder that made the latents: sampling must decode with its own decoder
    autoencoder_sha256: str | None = None
    seconds: float = 0.0  # of training so far

    @property
    def step(self) -> int | None:
        """Training steps; None for an imported checkpoint that does not say."""
        return self.columns.get("step")

    @property
    def gflops(self) -> float:
        """10^9 multiply-accumulates of one forward pass."""
        return float(self.columns["gflops"])

    @property
    def autoencoder(self) -> str:
        """The autoencoder on whose latents it was trained."""
        return str(self.columns["autoencoder"])

    @property
    def trained_for(self) -> dict[str, Any]:
        """The objective, as `harness.components.stored` reads it."""
        return {"objective": self.objective, "diffusion_steps": self.diffusion_steps}


@dataclass(frozen=True)
class SampleResult:
    """Images drawn from a checkpoint.

    `columns` are the checkpoint's and those of the drawing together: samples can be measured after
    their checkpoint was deleted.
    """

    columns: Mapping[str, Any]
    checkpoint_key: str
    samples: int
    images: str  # how they are kept: npz, folder, none
    autoencoder_sha256: str | None = None
    decoder_sha256: str | None = None  # None: pixels, or an earlier version's samples


@dataclass(frozen=True)
class ReferenceResult:
    """Statistics of real images."""

    extractor: str
    extractor_sha256: str
    resize: str  # how images reach the extractor's size
    reference_sha256: str
    images: int  # behind the statistics; 0: not known (ADM's files do not say)
    source: str  # where they come from, in words
    training: Mapping[str, Any] = field(default_factory=dict)  # of an extractor trained here


@dataclass(frozen=True)
class FloorResult:
    """Real images, measured: the numbers stand in the records."""

    images: int  # that were measured
    absent: Mapping[str, str] = field(default_factory=dict)  # metric -> why not


@dataclass(frozen=True)
class CeilingResult:
    """Decoded noise, measured: the numbers stand in the records."""

    images: int  # that were measured
    absent: Mapping[str, str] = field(default_factory=dict)  # metric -> why not


@dataclass(frozen=True)
class SubsetResult:
    """The first samples of a set, measured: the numbers stand in the records."""

    images: int  # that were measured
    absent: Mapping[str, str] = field(default_factory=dict)  # metric -> why not


@dataclass(frozen=True)
class EvaluateResult:
    """Metrics that could not be measured, and why. Values of the others are in the records."""

    absent: Mapping[str, str] = field(default_factory=dict)
    kept: tuple[str, ...] = ()  # parts of the samples' features in features.npz


@dataclass(frozen=True)
class BenchmarkResult:
    """How fast a machine did something. No stage: `bench` keeps it in results/bench."""

    kind: str  # train, sample, encode
    model: str
    precision: str
    made: Mapping[str, Any]  # versions, device, when
    image_size: int | None = None
    block: str | None = None
    batch_size: int | None = None
    batch_per_device: int | None = None  # images of one pass; None: the batch
    tf32: bool = False
    compile: bool = False
    checkpointing: bool = False
    device: str = "auto"  # as it was asked for
    steps: int = 0  # that were timed
    guidance: float = 1.0
    gflops: float | None = None  # of one forward pass
    steps_per_second: float | None = None
    images_per_second: float | None = None
    host_images_per_second: float | None = None  # that noise can be drawn for
    host_threads: int | None = None  # of the next four, which need no device (feeding.HostRates)
    host_sampling: float | None = None  # images times sampler steps per second, by the caller
    host_sampling_ahead: float | None = None  # the same by the threads
    host_training: float | None = None  # images per second, by the caller
    host_training_ahead: float | None = None  # the same by the threads
    gflops_per_second: float | None = None
    seconds_per_gflop: float | None = None
    seconds_per_image: float | None = None
    memory_bytes: int | None = None
    utilisation: float | None = None  # None: the device's peak is not known
    matmul_gflops_per_second: float | None = None

    @property
    def device_name(self) -> str:
        """The chip's."""
        return str(self.made["device"])

    @property
    def committed(self) -> str:
        """When, UTC."""
        return str(self.made["committed"])


RESULTS: dict[str, type[Any]] = {
    "encode": EncodeResult,
    "complexity": ComplexityResult,
    "train": TrainResult,
    "sample": SampleResult,
    "reference": ReferenceResult,
    "floor": FloorResult,
    "ceiling": CeilingResult,
    "evaluate": EvaluateResult,
    "subset": SubsetResult,
}
