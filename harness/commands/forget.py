"""`forget`: set stages aside with all that was made of them, so that `run` does them again.

Says what it would do, and does it with --yes. What goes is moved to results/forgotten/, numbers
too; what another study refers to stays, unless --shared.
"""

from __future__ import annotations

import argparse
from collections import Counter

from harness.commands import common
from harness.commands.common import duration, plural
from harness.commands.imported import imported_checkpoints
from harness.errors import BadInput
from harness.plan.index import index
from harness.upkeep import forgetting, pruning
from harness.upkeep.usage import size


def add_arguments(parser: argparse.ArgumentParser) -> None:
    common.add_study(parser)
    parser.add_argument(
        "stages",
        metavar="STAGE",
        nargs="*",
        help="a stage kind (encode), the beginning of a key, or text in a label",
    )
    parser.add_argument(
        "--shared",
        action="store_true",
        help="also what other studies that were run here refer to; they lose it as well",
    )
    parser.add_argument(
        "--yes", action="store_true", help="do it; without this option, only say what would be done"
    )


def run(args: argparse.Namespace) -> int:
    root = common.results_folder(args)
    opened = common.open_study(args)
    if not args.stages:
        raise BadInput("which stages? Give a stage kind, a key's beginning, or text of a label")
    others = pruning.others_here(root, index(opened.plan))
    pruning.refuse_strangers(root, {opened.study.name, *(n.split(" (")[0] for n in others)})
    chosen = forgetting.choose(
        opened.plan,
        common.matching(args, opened, args.stages),
        opened.store,
        imported={entry.key for entry in imported_checkpoints(root).values()},
        others=others,
    )
    if not chosen.stages:
        print("nothing to forget: none of these stages was done or tried")
        return 0
    kinds = Counter(held.kind for held in chosen.artifacts)
    for kind, count in kinds.items():
        held = [h for h in chosen.artifacts if h.kind == kind]
        print(f"  {kind:<10} {plural(count, 'artifact'):>17}  {size(sum(h.bytes for h in held))}")
    tried = len(chosen.stages) - len(chosen.artifacts)
    if tried:
        print(f"  and the attempts at {plural(tried, 'stage')} not done")
    print(
        f"{size(chosen.bytes)} in all, with their numbers; making it took "
        f"{duration(chosen.seconds)} of one worker's time"
    )
    for name, keys in chosen.shared.items():
        print(f"of these, stages of {name} as well: {len(keys):,}")
    if chosen.shared and not args.shared:
        raise BadInput(
            "nothing was done: other studies refer to these stages. --shared sets them aside for "
            "those studies too; another data.name in this study leaves them alone"
        )
    if not args.yes:
        print("nothing was done: say --yes to do it")
        return 0
    away = forgetting.remove(opened.plan, chosen, opened.store)
    print(
        f"let go of {common.plural(len(chosen.stages), 'stage')}: "
        f"{common.command(args, 'run')} does them again\n"
        f"they lie in {away}: delete it when you are sure, or bring them back with "
        f"`merge {away}`"
    )
    return 0
