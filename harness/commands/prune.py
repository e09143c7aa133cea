"""`prune`: free the space of checkpoints, samples and latents that nothing needs any more.

Says what it would do, and does it with --yes. Numbers stay: `results` and `report` are as before.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from harness.commands import common
from harness.commands.common import duration, plural
from harness.commands.du import keys_of
from harness.commands.imported import imported_checkpoints
from harness.errors import BadInput
from harness.plan.index import index
from harness.store.artifacts import Store
from harness.upkeep import pruning
from harness.upkeep.pruning import KINDS, USUAL, Chosen
from harness.upkeep.usage import size, usage


def add_arguments(parser: argparse.ArgumentParser) -> None:
    common.add_study(parser, required=False)
    parser.add_argument(
        "--kind",
        choices=KINDS,
        action="append",
        help=f"only this kind of artifact; may be repeated (default: {' and '.join(USUAL)})",
    )
    parser.add_argument("--last", action="store_true", help="also the last checkpoint of each run")
    parser.add_argument(
        "--shared",
        action="store_true",
        help="also what other studies that were run here refer to",
    )
    parser.add_argument(
        "--unreferenced",
        action="store_true",
        help="only what neither STUDY nor any study that was run here refers to",
    )
    parser.add_argument(
        "--yes", action="store_true", help="do it; without this option, only say what would be done"
    )


def run(args: argparse.Namespace) -> int:
    root = common.results_folder(args)
    chosen = _unreferenced(args, root) if args.unreferenced else _of_study(args, root)
    for name, kept in chosen.kept.items():
        amount = size(sum(h.payload for h in kept))
        print(
            f"kept for {name}: {plural(len(kept), 'artifact')}, {amount} (--shared takes them too)"
        )
    if not chosen.artifacts:
        print("nothing to prune")
        return 0
    for kind in KINDS:
        held = [h for h in chosen.artifacts if h.kind == kind]
        if held:
            what = plural(len(held), "artifact")
            print(f"  {kind:<10} {what:>17}  {size(sum(h.payload for h in held))}")
    print(
        f"{size(chosen.bytes)} in all; making it took {duration(chosen.seconds)} of one "
        "worker's time. Numbers and reports stay as they are"
    )
    if not args.yes:
        print("nothing was removed: say --yes to do it")
        return 0
    done = pruning.remove(Store(root), chosen.artifacts)
    print(f"pruned {plural(done.count, 'artifact')}: {size(done.bytes)} are free")
    if done.in_use:
        shown = ", ".join(done.in_use[:5]) + (", ..." if len(done.in_use) > 5 else "")
        print(f"left alone, as somebody works on them: {shown}", file=sys.stderr)
    for line in done.damaged:
        print(f"left alone, as it is damaged: {line}", file=sys.stderr)
    return 1 if done.damaged else 0


def _of_study(args: argparse.Namespace, root: Path) -> Chosen:
    if args.study is None:
        raise BadInput("which study? Give STUDY, or --unreferenced")
    opened = common.open_study(args)
    others = pruning.others_here(root, index(opened.plan))
    pruning.refuse_strangers(root, {opened.study.name, *(n.split(" (")[0] for n in others)})
    return pruning.of_study(
        opened.plan,
        opened.state().work,
        usage(root).artifacts,
        kinds=args.kind or USUAL,
        last=args.last,
        imported={entry.key for entry in imported_checkpoints(root).values()},
        others={} if args.shared else others,
    )


def _unreferenced(args: argparse.Namespace, root: Path) -> Chosen:
    if args.last or args.shared:
        raise BadInput("--last and --shared are about a study's own artifacts: leave them out")
    others = pruning.others_here(root)
    given = keys_of([args.study], root) if args.study else {}
    known = {**others, **given}
    if not known:
        raise BadInput(
            f"{root} does not say which studies were run into it: give STUDY, or everything would "
            "count as unreferenced"
        )
    pruning.refuse_strangers(root, {name.split(" (")[0] for name in known})
    return pruning.unreferenced(
        usage(root).artifacts,
        set().union(*known.values()),
        kinds=args.kind or KINDS,
        imported={entry.key for entry in imported_checkpoints(root).values()},
    )
