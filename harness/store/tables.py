"""The records' schema: every column with its type and meaning, and its version.

Three tables. `runs`: one row per committed checkpoint (a run at a training step). `metrics`: one
row per measured number. `training`: one row per log interval of training. Rows are written once per
stage key; `IDENTITY` says which columns make a row unique. Columns marked volatile (clock, host,
speed) may differ between two executions of the same stage; all others must not.

A column is added at the end and the version raised; none is renamed or removed, so that old
fragments stay readable (missing columns read as null). Null means "not measured" or "does not
apply", never 0.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

VERSION = 8


@dataclass(frozen=True)
class Column:
    """One column: its Arrow type's name, what it holds, whether a re-execution may change it."""

    name: str
    type: str  # "string", "int64", "float64", "bool"
    meaning: str
    unit: str = ""  # "": a name, a checksum, a number without one
    volatile: bool = False


MODEL = (
    Column("run", "string", "id of the run: SHA-256 of its settings without the number of steps"),
    Column("model", "string", "name in the zoo, as DiT-XL/2"),
    Column("family", "string", "DiT or DiT-micro or custom"),
    Column("size", "string", "S, B, L, XL; null for a custom model"),
    Column("patch_size", "int64", "p", "pixels of the model's input"),
    Column("block", "string", "adaln-zero, adaln, cross-attention, in-context"),
    Column("depth", "int64", "blocks N", "blocks"),
    Column("width", "int64", "hidden size d", "features"),
    Column("heads", "int64", "attention heads", "heads"),
    Column("input_size", "int64", "side of the model's input I", "pixels of the model's input"),
    Column("tokens", "int64", "T = (I/p)^2", "tokens"),
    Column("params", "int64", "trainable parameters, position table excluded", "parameters"),
    Column(
        "gflops",
        "float64",
        "forward multiply-accumulates of one image / 1e9, strict",
        "1e9 multiply-accumulates",
    ),
    Column(
        "gflops_paper",
        "float64",
        "the same plus one operation per normalised element",
        "1e9 multiply-accumulates",
    ),
    Column("data", "string", "data set"),
    Column("data_sha256", "string", "of the encoded data's index"),
    Column("image_size", "int64", "pixels per side", "pixels"),
    Column("autoencoder", "string", "identity or sd-vae"),
    Column("seed", "int64", "of initialisation, order and noise in training"),
    Column("batch_size", "int64", "global", "images"),
    Column("learning_rate", "float64", "constant"),
    Column("step", "int64", "training step of the checkpoint", "steps"),
    Column(
        "train_gflops",
        "float64",
        "gflops x batch x step x 3 (the paper's estimate)",
        "1e9 multiply-accumulates",
    ),
)

MADE = (
    Column("harness", "string", "version of this package"),
    Column("commit", "string", "git commit of the harness; null outside a checkout", volatile=True),
    Column("torch", "string", "version"),
    Column("device", "string", "name of the device that did the work", volatile=True),
    Column("threads", "int64", "CPU threads of the process", "threads", volatile=True),
    Column("host", "string", "machine", volatile=True),
    Column("committed", "string", "UTC time", "UTC, ISO 8601", volatile=True),
)

RECIPE = Column(
    "recipe", "string", "how it was trained, as JSON: no architecture, seed, step, batch size, rate"
)

MORE = (  # since version 5
    Column("objective", "string", "component that says what the network predicts and its loss"),
    Column("objective_settings", "string", "its settings as JSON; null: those of its defaults"),
    Column(
        "component_sha256",
        "string",
        'JSON {"kind:name": SHA-256} of component files, "file:NAME" of those that bring none; '
        "null: none",
    ),
)

ENVIRONMENT = Column(  # since version 7
    "environment",
    "string",
    "SHA-256 of the list of all installed packages: `harness.packages`; null: before version 7",
    volatile=True,
)

RUNS = (
    Column("key", "string", "of the train stage"),
    *MODEL,
    Column("loss", "float64", "mean over the last log interval"),
    Column("settings", "string", "the train stage's settings as JSON"),
    Column(
        "seconds", "float64", "training so far, all attempts and milestones", "s", volatile=True
    ),
    Column("images_per_second", "float64", "of this stage", "images/s", volatile=True),
    *MADE,
    RECIPE,
    *MORE,
    ENVIRONMENT,
)

METRICS = (
    Column(
        "key",
        "string",
        "of the evaluate or floor stage (of the reference stage for floors until version 5)",
    ),
    Column("metric", "string", "fid, ... for inception-2015; else named for the extractor"),
    Column("value", "float64", "the number", "the metric's"),
    Column(
        "std", "float64", "standard error of the value; null where none is valid", "the metric's"
    ),
    Column("std_method", "string", "how std was found"),
    Column(
        "of",
        "string",
        "samples; floor: real images; reconstruction: those decoded again; ceiling: decoded noise; "
        "subset: the first samples, as many as the floor has images",
    ),
    Column(
        "floor", "float64", "the same metric for as many real images, measured so", "the metric's"
    ),
    Column("sample_key", "string", "of the sample stage"),
    Column("checkpoint_key", "string", "of the train stage"),
    Column("reference_key", "string", "of the reference stage"),
    *MODEL,
    Column("sampler", "string", "ancestral or ddim"),
    Column("sampling_steps", "int64", "forward passes of the sampler", "forward passes"),
    Column("eta", "float64", "DDIM's; null for ancestral"),
    Column("guidance_scale", "float64", "1 is none"),
    Column("guidance_channels", "int64", "null: all", "channels"),
    Column(
        "sampling_gflops",
        "float64",
        "per image: gflops x steps, doubled when guided",
        "1e9 multiply-accumulates",
    ),
    Column("decoder", "string", "of the autoencoder"),
    Column("samples", "int64", "generated images measured", "images"),
    Column("sampling_seed", "int64", "noise and label of sample i depend on (seed, i)"),
    Column("extractor", "string", "feature extractor"),
    Column("extractor_sha256", "string", "of its weights"),
    Column("resize", "string", "how images reach the extractor's size"),
    Column("reference_images", "int64", "behind the reference moments", "images"),
    Column("reference_sha256", "string", "of the reference statistics"),
    Column("recall_images", "int64", "real images for precision and recall", "images"),
    Column("k", "int64", "neighbours for precision and recall", "neighbours"),
    Column("split_size", "int64", "Inception Score chunk", "images"),
    Column("distance_dtype", "string", "of nearest-neighbour distances"),
    *MADE,
    RECIPE,
    Column("guidance_low", "float64", "lowest time that is guided, in the objective's own"),
    Column("guidance_high", "float64", "highest time that is guided (DDPM: a timestep)"),
    Column("clip", "bool", "predicted x_0 clamped to [-1, 1] at each sampling step"),
    Column("sampling_precision", "string", "float32, tf32 or bf16: the sampler's forward passes"),
    Column("measured_with", "string", "JSON: what else made it: subsets and their seed, versions"),
    *MORE,
    Column(
        "sampler_settings", "string", "the sampler's settings as JSON; null: eta alone, or none"
    ),
    Column("std_df", "float64", "degrees of freedom of std; null where std is"),
    Column(
        "ceiling", "float64", "the same metric for decoded noise, as many images", "the metric's"
    ),
    Column("floor_images", "int64", "real images behind `floor`", "images"),
    Column("invalid", "string", "why the number says nothing; null: it is as it should be"),
    Column("ema", "float64", "decay of the average sampled from; null: the training's first"),
    Column("ema_length", "float64", "relative length of one made after training; null: none"),
    Column("labels", "string", "data: classes drawn in its proportions; null: all alike"),
    ENVIRONMENT,
    Column(
        "influence",
        "string",
        "how much 32 groups of samples, i mod 32, move the value: a unit, and multiples of it as "
        "signed bytes in base 64; null: not known",
    ),
)

TRAINING = (
    Column("key", "string", "of the train stage"),
    Column("run", "string", "as in runs"),
    Column("model", "string", "as in runs"),
    Column("seed", "int64", "as in runs"),
    Column("step", "int64", "last step of the interval", "steps"),
    Column("loss", "float64", "mean of mse + vb over the interval"),
    Column("mse", "float64", "mean noise-prediction error"),
    Column(
        "vb", "float64", "mean variational-bound term, bits per dimension", "bits per dimension"
    ),
    Column("grad_norm", "float64", "global norm at the interval's last step, before clipping"),
    Column("images_per_second", "float64", "training throughput", "images/s", volatile=True),
    Column(
        "gflops_per_second",
        "float64",
        "gflops x 3 x images per second",
        "1e9 multiply-accumulates/s",
        volatile=True,
    ),
    Column(
        "memory_bytes", "int64", "peak of the device, or of the process", "bytes", volatile=True
    ),
    Column(
        "utilisation",
        "float64",
        "2e9 x gflops_per_second / (devices x data-sheet peak); null where that is not known",
        volatile=True,
    ),
)

TABLES: dict[str, tuple[Column, ...]] = {"runs": RUNS, "metrics": METRICS, "training": TRAINING}
IDENTITY = {"runs": ("key",), "metrics": ("key", "metric"), "training": ("key", "step")}


def comparable(table: str) -> list[str]:
    """The columns that must be equal between two executions of the same stages."""
    return [c.name for c in TABLES[table] if not c.volatile]


def texts(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with its objects as canonical JSON text: a column holds no object."""
    return {
        name: json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
        if isinstance(value, Mapping)
        else value
        for name, value in row.items()
    }


def check(table: str, row: dict[str, Any]) -> None:
    """Raise KeyError if `row` has a column the schema lacks (it would be dropped in silence).

    Raises TypeError for a value that is not of its column's type. None is of every type.
    """
    types = _TYPES[table]
    if names := unknown(table, [row]):
        raise KeyError(f"table {table!r} has no column {names}")
    for name, value in row.items():
        if value is not None and not isinstance(value, _PYTHON[types[name]]):
            raise TypeError(f"{table}.{name} is {types[name]}, not {value!r}")
        if isinstance(value, bool) and types[name] != "bool":
            raise TypeError(f"{table}.{name} is {types[name]}, not {value!r}")


def unknown(table: str, rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """The columns of `rows` that the schema lacks, sorted: a newer version's. All, of a table that
    it lacks."""
    return sorted({name for row in rows for name in row} - _TYPES.get(table, {}).keys())


_TYPES = {table: {c.name: c.type for c in columns} for table, columns in TABLES.items()}
_PYTHON: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "int64": int,
    "float64": (int, float),
    "bool": bool,
}
