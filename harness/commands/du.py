"""`du`: what a results folder holds, by kind and study, and what none of the studies refers to."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from harness.commands import common
from harness.commands.common import duration, plural
from harness.commands.imported import imported_checkpoints
from harness.components import registry
from harness.plan.build import make_plan
from harness.spec.study import load_study, profiles
from harness.upkeep.usage import OTHERS, Held, referred, size, usage


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "studies",
        metavar="STUDY",
        nargs="*",
        help="also show what belongs to these studies (all profiles), and what to none of them",
    )
    parser.add_argument("--json", action="store_true", help="print JSON, with every artifact")
    common.add_results(parser)


def run(args: argparse.Namespace) -> int:
    root = common.results_folder(args)
    found = usage(root)
    studies = keys_of(args.studies, root)
    groups = referred(found.artifacts, studies) if studies else {}
    if args.json:
        of = {h.key: [n for n, keys in studies.items() if h.key in keys] for h in found.artifacts}
        print(json.dumps([_row(held, of[held.key]) for held in found.artifacts], indent=1))
        return 0
    print(f"{args.results}: {size(found.bytes)}\n")
    kinds = [(kind, held) for kind, held in found.by_kind().items()]
    print(_table("artifacts of kind", kinds))
    if found.others:
        print()
        for name, (files, taken) in sorted(found.others.items(), key=lambda item: -item[1][1]):
            print(f"  {name:<14} {size(taken):>9}  {plural(files, 'file'):>13}  {_holds(name)}")
    if studies:
        print()
        named = [(name or "none of these", held) for name, held in groups.items()]
        print(_table("artifacts of study", named))
        print("\nAn artifact that several studies share counts with each of them.")
    return 0


def keys_of(given: Iterable[str], root: Path) -> dict[str, set[str]]:
    """ "study (profile)" -> the keys of its stages, for every profile of the studies given."""
    imported = imported_checkpoints(root)
    found = {}
    for path in given:
        wanted: list[str | None] = [*profiles(path)]
        for profile in wanted or [None]:
            study = load_study(path, profile)
            if {r.model.checkpoint for r in study.runs if r.model.checkpoint} - imported.keys():
                continue  # nothing of it can be here: its checkpoint is not
            found[f"{study.name} ({study.profile})"] = {*make_plan(study, imported).stages}
    return found


def _table(title: str, rows: list[tuple[str, list[Held]]]) -> str:
    width = max([len(title), *(len(name) for name, _ in rows)])
    lines = [f"  {title:<{width}}  {'count':>7}  {'payload':>9}  {'numbers':>9}  made again in"]
    for name, held in rows:
        seconds = [h.seconds for h in held if h.seconds is not None]
        lines.append(
            f"  {name:<{width}}  {len(held):>7,}  {size(sum(h.payload for h in held)):>9}  "
            f"{size(sum(h.told for h in held)):>9}  "
            f"{duration(sum(seconds)) if seconds else '-'}"
        )
    return "\n".join(lines)


def _row(held: Held, studies: list[str]) -> dict[str, Any]:
    return {
        "kind": held.kind,
        "key": held.key,
        "label": held.label,
        "payload_bytes": held.payload,
        "numbers_bytes": held.told,
        "seconds": held.seconds,
        "studies": studies,
    }


def _holds(folder: str) -> str:
    """What a folder beside the artifacts holds, in a person's words; "" where nobody knows."""
    jobs = "jobs, scripts and their output" if folder in registry.names("executor") else ""
    return OTHERS.get(folder, jobs)
