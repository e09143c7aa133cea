"""python -m harness evaluate SAMPLES REFERENCE: FID, sFID, IS and P/R of two image sets."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from harness import components
from harness.components.descriptions import described
from harness.errors import BadInput

# option -> the least it can be
_LEAST = dict.fromkeys(("k", "k_density", "split_size", "batch_size"), 1)
_LEAST |= {"subsets": 0, "seed": 0}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from harness.components.metric import INCEPTION
    from harness.metrics.measure import DEFAULT_METRICS
    from harness.metrics.names import metric_names

    parser.description = (
        "Measures SAMPLES against REFERENCE. Each is an npz with arr_0 (uint8, NHWC; ADM's format) "
        "or a folder of images. REFERENCE may also be a file of statistics: one that `statistics` "
        "or a study's reference stage wrote, ADM's npz (mu, sigma, mu_s, sigma_s, arr_0), "
        "pytorch-fid's and clean-fid's npz, or torch-fidelity's .pt. Note the order: ADM's "
        "evaluator.py takes the reference first."
    )
    parser.add_argument("samples", metavar="SAMPLES", help="images to be measured")
    parser.add_argument(
        "reference", metavar="REFERENCE", help="images or statistics to compare with"
    )
    parser.add_argument(
        "--extractor",
        default=INCEPTION,
        help=f"one of {', '.join(components.names('extractor'))}; those without published weights "
        f"need --weights. Only {INCEPTION} gives values called FID (default: {INCEPTION})",
    )
    parser.add_argument(
        "--weights",
        metavar="FILE",
        help="the extractor's weights, where they are not to be downloaded",
    )
    parser.add_argument(
        "--metrics",
        default=",".join(DEFAULT_METRICS),
        help=f"comma-separated, of {','.join(metric_names())}, or all (default: %(default)s)",
    )
    parser.add_argument(
        "--k", type=int, default=3, help="neighbours for precision and recall (default: 3)"
    )
    parser.add_argument(
        "--split-size",
        type=int,
        default=5000,
        help="images in a chunk of the Inception Score (default: 5000)",
    )
    parser.add_argument(
        "--short-last-chunk",
        choices=("refuse", "drop", "keep"),
        default="refuse",
        help="Inception Score when --split-size does not divide the samples: leave it out, drop "
        "the rest, or keep it as ADM's evaluator does (default: refuse)",
    )
    parser.add_argument(
        "--subsets",
        type=int,
        default=0,
        help="random halves, 2 or more, from which the spread of FID and sFID is estimated (an "
        "upper bound near 0); each costs as much as the distance itself (default: 0, no spread)",
    )
    for metric, field, about in _settings():
        kind: dict[str, Any] = {"type": about.annotation}
        if about.annotation is bool:
            kind = {"action": argparse.BooleanOptionalAction}
        parser.add_argument(
            f"--{metric}-{field}".replace("_", "-"),
            default=about.default,
            help=f"{_lower(about.description)} (default: {about.default})",
            **kind,
        )
    parser.add_argument(
        "--k-density",
        type=int,
        metavar="K",
        help="neighbours of every metric with a number of its own (density, coverage: 5)",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of random subsets (default: 0)")
    parser.add_argument(
        "--batch-size", type=int, default=64, help="images per forward pass (default: 64)"
    )
    parser.add_argument("--device", help="cpu or cuda (default: cuda where there is one)")
    parser.add_argument(
        "--resize",
        type=int,
        metavar="PIXELS",
        help="first bring the images of both sides to PIXELS x PIXELS by ADM's centre crop, as a "
        "study does; the result says so (default: they stay as they are)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object with provenance")


def _lower(sentence: str) -> str:
    """A sentence as a help text: without the capital letter and the full stop."""
    return sentence[:1].lower() + sentence[1:].rstrip(".")


def _settings() -> Iterator[tuple[str, str, Any]]:
    """(metric, setting, its field) of every metric that has settings of its own."""
    for entry in components.entries("metric"):
        for field, about in described(entry.load()).model_fields.items():
            yield entry.name, field, about


def _metrics(args: argparse.Namespace) -> list[Any]:
    """The metrics asked for, with their settings. Raises BadInput, naming the option."""
    from harness.metrics.names import chosen, metric_names

    names = [m.strip() for m in args.metrics.split(",") if m.strip()]
    if not names:
        raise BadInput("--metrics names none: leave it out, or give one at least")
    given: dict[str, dict[str, Any]] = {}
    for metric, field, _ in _settings():
        own = args.k_density if field == "k" and args.k_density is not None else None
        given.setdefault(metric, {})[field] = own or getattr(args, f"{metric}_{field}")
    made: dict[str, Any] = {}
    for name, settings in given.items():
        try:
            made[name] = components.get("metric", name)(**settings)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            flag = f"--{name}-{first['loc'][0]}".replace("_", "-")
            least = first.get("ctx", {}).get("ge")
            wanted = f"must be at least {least}" if least is not None else first["msg"]
            raise BadInput(f"{flag} {wanted}, got {first['input']}") from None
    asked = metric_names() if "all" in names else names
    chosen(asked)  # an unknown one is no fault of the files
    return [made.get(name, name) for name in asked]


def run(args: argparse.Namespace) -> int:
    from harness.metrics import evaluate
    from harness.metrics.measure import check_seed

    for option, least in _LEAST.items():
        given = getattr(args, option)
        if given is not None and given < least:
            flag = "--" + option.replace("_", "-")
            raise BadInput(f"{flag} must be at least {least}, got {given}")
    if args.subsets == 1:
        raise BadInput("--subsets 1: a spread needs 2 random halves at least; 0 for no spread")
    metrics = _metrics(args)
    components.get("extractor", args.extractor)
    check_seed(args.seed)
    device = _device(args.device)
    early: list[str] = []

    def told(note: str) -> None:
        early.append(note)
        print(f"note: {note}", file=sys.stderr)

    with _Progress() as progress, _files_named(args):
        result = evaluate(
            args.samples,
            args.reference,
            args.extractor,
            weights=args.weights,
            metrics=metrics,
            k=args.k,
            split_size=args.split_size,
            short_last_chunk=args.short_last_chunk,
            subsets=args.subsets,
            seed=args.seed,
            batch_size=args.batch_size,
            device=device,
            resize=args.resize,
            progress=progress,
            tell=told,
        )
    if args.json:
        print(json.dumps(result, indent=2))
    else:
        _print(result, [note for note in result["notes"] if note not in early])
    return 0 if result["metrics"] else 1


@contextlib.contextmanager
def _files_named(args: argparse.Namespace) -> Iterator[None]:
    """An error says which files it is about, also where they only fail together."""
    from harness.errors import BadInput

    given = [args.samples, args.reference, *([args.weights] if args.weights else [])]
    try:
        yield
    except BadInput as error:
        if any(name in str(error) for name in given):
            raise
        through = f" through {args.weights}" if args.weights else ""
        raise BadInput(f"{args.samples} against {args.reference}{through}: {error}") from error


def _device(asked: str | None) -> str:
    import torch

    there = torch.cuda.is_available()
    if asked is None:
        return "cuda" if there else "cpu"
    try:
        kind = torch.device(asked).type
    except RuntimeError:
        kind = ""
    if kind not in ("cpu", "cuda"):
        raise BadInput(f"--device is cpu or cuda (or cuda:1, ...), got {asked!r}")
    if kind == "cuda" and not there:
        raise BadInput("--device cuda: torch sees no NVIDIA GPU here")
    return asked


def _print(result: dict[str, Any], notes: list[str]) -> None:
    width = max((len(name) for name in result["metrics"]), default=0)
    for name, value in result["metrics"].items():
        std = result["std"][name]
        method = result["details"][name]["std_method"]
        print(f"{name:<{width}}  {value:.6g}" + (f" ± {std:.2g}  ({method})" if std else ""))
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    made = result["provenance"]
    reference_images = made["reference_images"] or "an unrecorded number of"
    print(
        f"\n{made['samples_count']} samples against {reference_images} reference images "
        f"(sha256 {made['reference_sha256'][:12]}), {made['extractor']} "
        f"(weights {made['extractor_sha256'][:12]}), k={made['k']}, split {made['split_size']}"
        + (f", images brought to {size}x{size}" if (size := made["resized_to"]) else "")
    )


class _Progress:
    """A progress bar per side, on stderr, so that stdout holds the result alone."""

    def __init__(self) -> None:
        self._bars: Any = None
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> _Progress:
        return self

    def __call__(self, what: str, done: int, total: int) -> None:
        if self._bars is None:  # not before there is progress: input may yet be refused
            self._bars = _bars()
            self._bars.start()
        if what not in self._tasks:
            self._tasks[what] = self._bars.add_task(what, total=total)
        self._bars.update(self._tasks[what], completed=done)

    def __exit__(self, *error: Any) -> None:
        if self._bars is not None:
            self._bars.stop()


def _bars() -> Any:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description:<9}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
