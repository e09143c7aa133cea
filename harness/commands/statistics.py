"""python -m harness statistics IMAGES --output FILE: reference statistics, made once."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from harness import components
from harness.commands.commented import in_a_line
from harness.errors import BadInput
from harness.store import files


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from harness.components.metric import INCEPTION

    parser.description = (
        "Extracts the features of IMAGES (a folder, or an npz with arr_0) once and writes what "
        "`evaluate` compares with: means, covariances, and the features of single images for "
        "precision, recall and kernel distances. Prints the checksum that tells these statistics "
        "from any others; it is in the record of every number that is measured against them."
    )
    parser.add_argument("images", metavar="IMAGES", help="the reference images")
    parser.add_argument("--output", required=True, metavar="FILE", help="the .npz to write")
    parser.add_argument(
        "--extractor",
        default=INCEPTION,
        help=f"one of {', '.join(components.names('extractor'))} (default: {INCEPTION})",
    )
    parser.add_argument("--weights", metavar="FILE", help="the extractor's weights, not downloaded")
    parser.add_argument(
        "--recall-images",
        type=int,
        default=10_000,
        metavar="N",
        help="how many images' own features are kept, drawn by --seed; 0: none (default: 10,000)",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of the choice of those images (default: 0)"
    )
    parser.add_argument(
        "--resize",
        type=int,
        metavar="PIXELS",
        help="bring the images to PIXELS x PIXELS first, by ADM's centre crop as a study does "
        "(default: they stay as they are)",
    )
    parser.add_argument(
        "--batch-size", type=int, default=64, help="images per forward pass (default: 64)"
    )
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: cpu)")


def run(args: argparse.Namespace) -> int:
    from harness.metrics import Reference, load_extractor
    from harness.metrics.images import open_images
    from harness.metrics.measure import check_seed

    output = Path(args.output)
    if output.suffix != ".npz":
        raise BadInput(f"--output {output}: statistics are an .npz file")
    if output.exists():
        raise BadInput(f"--output {output} is there already: remove it, or name another file")
    if not output.parent.is_dir():
        raise BadInput(f"--output {output}: there is no folder {output.parent}")
    for option, least in (("recall_images", 0), ("batch_size", 1)):
        if getattr(args, option) < least:
            raise BadInput(f"--{option.replace('_', '-')} must be at least {least}")
    check_seed(args.seed)
    images = open_images(args.images, args.resize)
    for note in images.notes:
        print(f"note: {note}", file=sys.stderr)
    if images.count < 2:
        raise BadInput(f"{args.images} holds {images.count} image, and a covariance needs 2")
    extractor = load_extractor(args.extractor, args.weights, args.device)
    reference = Reference.from_images(
        images.batches(args.batch_size),
        extractor,
        count=images.count,
        pr_images=args.recall_images,
        seed=args.seed,
        source=Path(args.images).name
        + (f", at {args.resize}x{args.resize}" if args.resize else ""),
        batch_size=args.batch_size,
    )
    partial = output.with_name(output.name + ".partial")
    try:
        reference.save(partial)
        partial.rename(output)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise files.explain(error, output) from error
    kept = 0 if reference.features is None else len(reference.features)
    print(
        f"{output}: {reference.images:,} images through {reference.extractor} "
        f"(weights {reference.extractor_sha256[:12]}), {kept:,} kept singly"
    )
    print(f"sha256 of the statistics: {reference.sha256}")
    given = [str(output), "--extractor", args.extractor]
    given += ["--weights", args.weights] if args.weights else []
    print(f"use: python -m harness evaluate SAMPLES {shlex.join(given)}")
    section = {
        "extractor": args.extractor,
        "statistics": str(output),
        "statistics_sha256": reference.sha256,
    }
    print(f"or in a study: reference: {in_a_line(section)}")
    return 0
