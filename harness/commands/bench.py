"""`bench`: this machine's speed over synthetic data; `plan` estimates its times with the latest."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from harness.commands import common

if TYPE_CHECKING:
    from harness.store.results import BenchmarkResult


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", choices=("train", "sample", "encode"), help="what to measure")
    parser.add_argument("--model", default="DiT-S/4", help="a model of the zoo (default: DiT-S/4)")
    parser.add_argument(
        "--image-size", type=int, metavar="PIXELS", help="default: the family's own"
    )
    parser.add_argument(
        "--block", default="adaln-zero", help="block design of a DiT (default: adaln-zero)"
    )
    parser.add_argument(
        "--batch-size", type=int, default=8, metavar="N", help="images in a step (default: 8)"
    )
    parser.add_argument(
        "--batch-per-device",
        type=int,
        metavar="N",
        help="images in one pass (default: all of a step)",
    )
    parser.add_argument(
        "--precision",
        choices=("float32", "bf16"),
        default="float32",
        help="precision of the passes (default: float32; bf16 is autocast)",
    )
    parser.add_argument(
        "--tf32", action="store_true", help="float32 products in TF32 on NVIDIA GPUs"
    )
    parser.add_argument("--compile", action="store_true", help="torch.compile the model")
    parser.add_argument(
        "--checkpointing", action="store_true", help="recompute activations to save memory"
    )
    parser.add_argument(
        "--device",
        choices=("auto", "cpu", "cuda"),
        default="auto",
        help="default auto: a GPU where there is one",
    )
    parser.add_argument(
        "--guidance",
        type=float,
        default=1.0,
        metavar="SCALE",
        help="guidance scale in sampling (default: 1, none)",
    )
    parser.add_argument(
        "--steps",
        type=int,
        default=10,
        metavar="N",
        help="training steps to time, after as many to warm up; or sampling steps (default: 10)",
    )
    parser.add_argument("--json", action="store_true", help="print the record")
    common.add_results(parser)


def run(args: argparse.Namespace) -> int:
    from harness.errors import BadInput
    from harness.stages.benchmark import Setting, measure
    from harness.store import codec, files

    fields = {k: v for k, v in vars(args).items() if k in Setting.__dataclass_fields__}
    for name in ("steps", "batch_size"):
        if fields[name] < 1:
            raise BadInput(f"--{name.replace('_', '-')} must be at least 1, not {fields[name]}")
    record = measure(Setting(**fields))
    stamp = record.committed.replace(":", "").replace("+0000", "Z")
    model = record.model.replace("/", "-")
    path = Path(args.results) / "bench" / f"{args.kind}-{model}-{stamp}.json"
    files.write_json(path, codec.told(record))
    if args.json:
        print(json.dumps(codec.told(record), indent=1))
        return 0
    used, rate = record.utilisation, record.gflops_per_second
    matmul, host = record.matmul_gflops_per_second, record.host_images_per_second
    lines = {
        "model": f"{record.model}, batch {args.batch_size}, {args.precision}"
        + (", compiled" if args.compile else ""),
        "device": record.device_name,
        "steps/s": f"{record.steps_per_second:.3g}",
        "images/s": f"{record.images_per_second:.3g}"
        + (
            f" at {common.plural(args.steps, 'sampling step')}, not decoded"
            if args.kind == "sample"
            else ""
        ),
        "host feeds": f"{host:,.3g} images/s with noise" if host else "-",
        **_host(record),
        "Gflops/s": "-" if rate is None else f"{rate:,.1f} (multiply-accumulates)",
        "utilisation": "- (the device's peak is not known)" if used is None else f"{used:.1%}",
        "of a matmul": "-"
        if rate is None or not matmul
        else f"{rate / matmul:.0%} of what a large product reaches",
        "peak memory": f"{(record.memory_bytes or 0) / 2**30:.2f} GiB",
        "record": str(path),
    }
    for name, value in lines.items():
        print(f"{name:<12} {value}")
    return 0


def _host(record: BenchmarkResult) -> dict[str, str]:
    """What this machine's processor draws noise for, with threads and without."""

    def rates(alone: float | None, ahead: float | None, unit: str) -> str:
        if not alone or not ahead:
            return "-"
        return (
            f"{alone:,.3g} {unit} drawn by the caller, {ahead:,.3g} ahead by "
            f"{record.host_threads} threads ({ahead / alone:.2f} times)"
        )

    return {
        "  sampling": rates(record.host_sampling, record.host_sampling_ahead, "images x steps/s"),
        "  training": rates(record.host_training, record.host_training_ahead, "images/s"),
    }
