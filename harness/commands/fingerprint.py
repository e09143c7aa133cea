"""`fingerprint`: which files a study reads, and whether its results were made of them.

Prints what `data.fingerprint` may say. Names, sizes and times are compared with what the stages
that read them have kept; with --contents every byte is.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Any

from harness.commands import common
from harness.dispatch import identity
from harness.errors import BadInput, HarnessError
from harness.store import file_lists
from harness.store.artifacts import CorruptArtifact
from harness.upkeep.usage import size


def add_arguments(parser: argparse.ArgumentParser) -> None:
    common.add_study(parser)
    parser.add_argument(
        "--contents",
        action="store_true",
        help="read every file, and compare its SHA-256 with the recorded one",
    )
    parser.add_argument("--json", action="store_true", help="print everything as JSON")


def run(args: argparse.Namespace) -> int:
    opened = common.open_study(args)
    sets = [_of(data) for data in _data_sets(opened.study)]
    compared = [_compared(args, opened, read) for read in _reads(opened)]
    other = any(one["other"] for one in compared) or any("trouble" in s for s in sets)
    if args.json:
        print(json.dumps({"data": sets, "compared": compared}, indent=1))
        return int(other)
    for one in sets:
        print(f"{one['name']} at {one['path']}")
        if "trouble" in one:
            print(f"  {one['trouble']}")
            continue
        print(f"  {one['files']:,} files, {size(one['bytes'])}, {one['images']:,} images")
        print(f"  data.fingerprint: {one['fingerprint']}")
        for note in one["notes"]:
            print(f"  note: {note}")
    for one in compared:
        print(f"{one['stage']}: {one['role']} at {one['path']}: {one['said']}")
    if not sets and not compared:
        print(f"{opened.study.name} reads no files: its images are made by the harness")
    return int(other)


def _data_sets(study: Any) -> list[Any]:
    """The data sections of the study's runs that read files, each once."""
    found = {id(run.data): run.data for run in study.runs if not run.data.source.made}
    return list(
        {(d.name, d.path, d.source.content().__repr__()): d for d in found.values()}.values()
    )


def _of(data: Any) -> dict[str, Any]:
    """One data set as it lies there."""
    from harness.components import Wanted

    told: dict[str, Any] = {"name": data.name, "path": data.path}
    if data.path is None or not os.path.exists(data.path):
        return {**told, "trouble": "not there"}
    try:
        files = file_lists.look(data.path, data.source.listing(data.path))
        images = data.source.open(Wanted.training(data, data.path))
        told |= {"files": len(files), "bytes": files.bytes, "images": len(images)}
        told["notes"] = list(getattr(images, "notes", ()))
        return {**told, "fingerprint": images.fingerprint}
    except (HarnessError, OSError) as error:
        return {**told, "trouble": str(error)}


def _reads(opened: common.Opened) -> list[identity.Read]:
    return [
        read
        for read in identity.committed(opened.plan, opened.stages, opened.store)
        if read.kept.exists()
    ]


def _compared(
    args: argparse.Namespace, opened: common.Opened, read: identity.Read
) -> dict[str, Any]:
    """The files that one stage read, and those that are there now."""
    told: dict[str, Any] = {
        "stage": read.stage.label,
        "key": read.stage.key,
        "role": read.role,
        "path": read.path,
        "other": False,
    }
    try:
        kept = file_lists.read(read.kept, args.contents).get(read.role)
    except CorruptArtifact as error:
        return {**told, "said": f"cannot be compared: {error}"}
    if kept is None:
        return {**told, "said": "was not read by it"}
    if not os.path.exists(read.path):
        return {**told, "said": "not there"}
    try:
        now = identity.now_there(read, {}, kept)
    except (HarnessError, OSError) as error:
        raise BadInput(f"{read.path} cannot be compared: {error}") from error
    if args.contents:
        if kept.sha256 is None:
            return {**told, "said": "its contents were not kept"}
        now = file_lists.with_contents(read.path, now, _bar(read))
    difference = file_lists.compare(kept, now)
    if difference.other or difference.retimed:
        try:
            file_lists.check(opened.store, read.stage.kind, read.stage.key)
        except CorruptArtifact as error:
            return {**told, "said": f"cannot be compared: {error}"}
    told["other"] = difference.other
    told |= {
        word: [file_lists.printable(name) for name in getattr(difference, word)]
        for word in ("added", "removed", "changed", "retimed")
    }
    if difference.other:
        return {**told, "said": str(difference)}
    if args.contents:
        identity.verified(opened.store, read, now)
        return {**told, "said": f"{len(now):,} files, the same bytes"}
    if difference.retimed:
        words = f"{len(difference.retimed):,} of {len(now):,} files were written at another time"
        return {**told, "said": f"the same names and sizes; {words} (--contents compares bytes)"}
    return {**told, "said": f"{len(now):,} files, the same names, sizes and times"}


def _bar(read: identity.Read) -> Any:
    """Progress on a terminal's stderr."""

    def tell(done: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{read.path}: {done:,} files read", end="", file=sys.stderr, flush=True)

    return tell
