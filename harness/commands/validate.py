"""`validate`: check a study under every profile, listing all that is wrong."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.commands import common
from harness.commands.common import plural
from harness.commands.imported import imported_checkpoints
from harness.dispatch import preflight
from harness.errors import HarnessError
from harness.spec.few_references import too_few
from harness.spec.never import never
from harness.spec.remarks import remarks, young_averages
from harness.spec.study import check_without_components, load_study, profiles


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", metavar="STUDY", nargs="+", help="YAML files, or names of studies")
    parser.add_argument("--profile", metavar="NAME", help="check this profile only")
    parser.add_argument(
        "--set",
        metavar="FIELD=VALUE",
        action="append",
        default=[],
        dest="overrides",
        help="override a setting",
    )
    parser.add_argument(
        "--no-components",
        action="store_true",
        help="run no code of the study's component files; settings that name them are not checked",
    )
    common.add_results(parser)


def run(args: argparse.Namespace) -> int:
    problems: dict[str, None] = {}
    notes: dict[str, None] = {}
    lines = []
    imported = imported_checkpoints(Path(args.results))
    passed: set[tuple[str, str]] = set()  # images that were looked at
    for path in args.study:
        try:
            wanted: list[str | None] = [args.profile] if args.profile else [*profiles(path)]
            wanted = wanted or [None]
        except HarnessError as error:
            problems.update(dict.fromkeys(str(error).splitlines()))
            continue
        for profile in wanted:
            try:
                if args.no_components and (
                    unread := check_without_components(path, profile, args.overrides)
                ):
                    problems.update(dict.fromkeys(unread.problems))
                    lines.append(f"{path} ({unread.profile}): checked without its component files")
                    continue
                study = load_study(path, profile, args.overrides)
                named = {r.model.checkpoint for r in study.runs if r.model.checkpoint}
                absent = sorted(named - imported.keys())
                # A checkpoint that is not here yet is no fault of the study.
                stages = None if absent else len(common.planned(study, imported).stages)
            except HarnessError as error:
                problems.update(dict.fromkeys(str(error).splitlines()))
                continue
            problems.update((said, None) for few in too_few(study).values() for said in few)
            problems.update((said, None) for said in never(study))
            problems.update((said, None) for said in preflight.other_classes(study))
            problems.update((said, None) for said in preflight.unreadable(study, passed))
            planned = plural(stages, "stage") if stages is not None else ""
            planned = planned or f"{', '.join(absent)} not imported into {args.results} yet"
            named_in = f"{path} ({study.profile})"
            said = [*remarks(study), *young_averages(study)]
            notes.update(dict.fromkeys(f"{named_in}: {note}" for note in said))
            lines.append(f"{path} ({study.profile}): {plural(len(study.runs), 'run')}, {planned}")
    if problems:
        raise HarnessError("\n".join(problems))
    print("\n".join(lines))
    for note in notes:
        print(f"note: {note}")
    return 0
