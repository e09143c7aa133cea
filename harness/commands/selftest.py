"""python -m harness selftest --online: real weights against published values."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import BadInput, Missing

if TYPE_CHECKING:
    from harness.selftest.checks import Check

_MARKS = {"passed": "ok     ", "failed": "FAILED ", "not checked": "missing", "told": "       "}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Loads the published weights of Inception-2015 and of Stable Diffusion's autoencoder, and "
        "holds them and what they make of a fixed set of drawn images against published values and "
        "torch-fidelity's own code. Each line says what was found, what is expected and who "
        "published that. Exit codes: 0 all passed, 1 one failed, 3 something could not be had."
    )
    parser.add_argument(
        "--online",
        action="store_true",
        help="download what is not here (Inception 96 MB, the autoencoder 335 MB a decoder)",
    )
    parser.add_argument("--weights", metavar="FILE", help="Inception's weights, not downloaded")
    parser.add_argument(
        "--autoencoder", metavar="FOLDER", help="the autoencoder's weights, not downloaded"
    )
    parser.add_argument(
        "--decoder",
        action="append",
        metavar="NAME",
        help="original, ft-mse or ft-ema; may be given several times (default: ft-mse)",
    )
    parser.add_argument(
        "--cifar10",
        metavar="FOLDER",
        help="CIFAR-10 as published, unpacked: also the Inception Score of its training images "
        "(an hour on a CPU, a minute on a GPU)",
    )
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: cpu)")
    parser.add_argument("--json", action="store_true", help="print the checks as JSON")


def run(args: argparse.Namespace) -> int:
    import torch

    from harness.autoencoders.properties import decoder_names
    from harness.selftest import drawn, expected, inception, vae
    from harness.selftest.checks import same

    decoders = tuple(dict.fromkeys(args.decoder or ["ft-mse"]))
    for name in decoders:
        if name not in decoder_names(vae.NAME):
            known = ", ".join(decoder_names(vae.NAME))
            raise BadInput(f"--decoder {name}: there are {known}")
    if args.device.partition(":")[0] not in ("cpu", "cuda"):
        raise BadInput(f"--device is cpu or cuda, got {args.device!r}")
    if args.device != "cpu" and not torch.cuda.is_available():
        raise BadInput(f"--device {args.device}: torch sees no NVIDIA GPU here")
    images = drawn.drawn_images()
    weights, cifar10, folder = (
        Path(given) if given else None for given in (args.weights, args.cifar10, args.autoencoder)
    )
    for option, path in (("weights", weights), ("cifar10", cifar10), ("autoencoder", folder)):
        if path is not None and not path.exists():
            raise BadInput(f"--{option} {path}: there is nothing")
    parts: dict[str, Callable[[], list[Check]]] = {
        "drawn images": lambda: [
            same("drawn images: SHA-256", drawn.sha256(images), expected.DRAWN_SHA256,
                 "harness/selftest/expected.py")
        ],
        "Inception-2015": lambda: inception.checks(
            images, weights=weights, device=args.device, cifar10=cifar10, online=args.online
        ),
        "sd-vae": lambda: vae.checks(
            images[:8], decoders, weights=folder, device=args.device, online=args.online
        ),
    }  # fmt: skip
    found: list[Check] = []
    for name, part in parts.items():
        made = _made(name, part)
        found += made
        if not args.json:
            _show(made)
    if args.json:
        print(json.dumps([asdict(check) for check in found], indent=2))
    return _ended([check.status for check in found], args)


def _made(name: str, part: Callable[[], list[Check]]) -> list[Check]:
    """A part's checks; where weights cannot be had or read, one check that says so."""
    from harness.selftest.checks import Check

    try:
        return part()
    except Missing as error:
        return [Check(name, "not checked", str(error))]
    except BadInput as error:
        return [Check(name, "failed", str(error))]


def _show(checks: list[Check]) -> None:
    for check in checks:
        print(f"{_MARKS[check.status]}  {check.name}: {check.found}")
        if check.expected:
            print(
                f"         expected {check.expected}"
                if check.source
                else f"         {check.expected}"
            )
        if check.source:
            print(f"         by {check.source}")
    sys.stdout.flush()


def _ended(states: list[str], args: argparse.Namespace) -> int:
    """The summary, on stderr beside JSON, and the exit code."""
    failed, absent = states.count("failed"), states.count("not checked")
    out = sys.stderr if args.json else sys.stdout
    print(f"\n{states.count('passed')} passed, {failed} failed, {absent} not checked", file=out)
    if absent and args.online:
        print(
            "There is no network here, or it does not reach these files: run this again where "
            "there is one, or put the files where the lines above say.",
            file=out,
        )
    elif absent:
        print(
            "Say --online to download what is not here, or name it with --weights and "
            "--autoencoder.",
            file=out,
        )
    return 1 if failed else 3 if absent else 0
