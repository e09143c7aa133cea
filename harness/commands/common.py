"""What the verbs about studies share: their arguments, and opening a study with its state."""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.commands import floors
from harness.commands.imported import check, imported_checkpoints
from harness.components import standin
from harness.dispatch.executors import executor_of
from harness.dispatch.ledger import Attempt, Ledger
from harness.dispatch.study_state import StudyState, study_state
from harness.errors import BadInput, Missing
from harness.nearest import did_you_mean
from harness.plan.build import Imported, make_plan
from harness.plan.counts import counted
from harness.plan.plan import Plan, Stage, matches
from harness.spec import overriding
from harness.spec.schema import STAGE_KINDS
from harness.spec.study import Study, load_study
from harness.store.artifacts import Store

if TYPE_CHECKING:
    from harness.store.studies import Index


def add_study(parser: argparse.ArgumentParser, required: bool = True) -> None:
    """STUDY --profile --set --results."""
    parser.add_argument(
        "study",
        metavar="STUDY",
        nargs=None if required else "?",
        help="a YAML file, or the name of a study that ships with the harness (scaling)",
    )
    parser.add_argument("--profile", metavar="NAME", help="default: the study's own choice")
    parser.add_argument(
        "--set",
        metavar="FIELD=VALUE",
        action="append",
        default=[],
        dest="overrides",
        help="override a setting, for example train.steps=500 (may be repeated)",
    )
    add_results(parser)


def add_results(parser: argparse.ArgumentParser) -> None:
    """The option --results."""
    parser.add_argument(
        "--results",
        metavar="FOLDER",
        default="results",
        help="the results folder (default: results)",
    )


def add_filters(parser: argparse.ArgumentParser) -> None:
    """--only and --skip."""
    for name, effect in (
        ("only", "only stages that match, and what they need"),
        ("skip", "no stages that match, and none that need them"),
    ):
        parser.add_argument(
            f"--{name}",
            metavar="PATTERN",
            action="append",
            default=[],
            help=f"{effect}: a stage kind (floor), the beginning of a key, or text in its label",
        )


@dataclass(frozen=True)
class Opened:
    """A study, its plan, and where it stands under one results folder."""

    study: Study
    plan: Plan
    stages: list[Stage]
    store: Store
    ledger: Ledger
    text: str | None = None  # of the study, where its file is not available

    def history(self) -> dict[str, list[Attempt]]:
        """All attempts at the study's stages."""
        return self.ledger.history(s.key for s in self.stages)

    def state(self, history: Mapping[str, list[Attempt]] | None = None) -> StudyState:
        """The stages that are done, missing and failed now (with `history`: when that was read)."""
        return study_state(self.plan, self.stages, self.store, self.ledger, history)


def open_study(
    args: argparse.Namespace, count: bool = False, stored: Index | None = None
) -> Opened:
    """Load, check and plan the study a command line names.

    count: also the networks whose Gflops no formula tells, in a child process; else those counts
    are used that are known. stored: the study as its `run` left word of it, in its file's place.
    """

    def opened() -> tuple[Study, Plan]:
        if stored is None:
            study = load_study(args.study, args.profile, args.overrides)
        else:
            file = f"{stored.study}.yaml"
            study = load_study(file, stored.profile, stored.overrides, stored.text)
        imported = imported_checkpoints(Path(args.results))
        check(study, Path(args.results), imported)
        return study, planned(study, imported, count)

    try:
        study, plan = standin.or_with_torch(opened)
    except BadInput as error:
        from harness.store import origins

        more = origins.sentences(Path(args.results), str(error))
        if not more:
            raise
        raise BadInput("\n".join([str(error), *more])) from error
    floors.check(plan)
    stages = plan.select(getattr(args, "only", ()), getattr(args, "skip", ()))
    for option in ("only", "skip"):
        for pattern in getattr(args, option, ()):
            if pattern in STAGE_KINDS or any(matches(s, [pattern]) for s in plan.stages.values()):
                continue
            if not pattern.strip():
                raise BadInput(
                    f"--{option} '{pattern}': it is empty, and names no stage: leave the option out"
                )
            raise BadInput(
                f"--{option} {pattern}: no stage matches it{_nearest(plan, option, pattern)}; "
                f"`{command(args, 'plan', '--stages')}` lists what there is"
            )
    if not stages and plan.stages:
        raise BadInput(
            "no stage is left: --only and --skip exclude everything; "
            f"`{command(args, 'plan', '--stages')}` lists what there is"
        )
    text = stored.text if stored else None
    return Opened(study, plan, stages, Store(args.results), Ledger(Path(args.results)), text)


def _nearest(plan: Plan, option: str, pattern: str) -> str:
    """What was meant by a pattern that no stage matches."""
    stages = plan.stages.values()

    def known(word: str) -> bool:
        return word in STAGE_KINDS or any(matches(s, [word]) for s in stages)

    parts = [part for part in re.split(r"[,;\s]+", pattern) if part]
    if len(parts) > 1 and all(map(known, parts)):
        each = " ".join(f"--{option} {shlex.quote(part)}" for part in parts)
        return f" (of several each has its own: {each})"
    small = pattern.lower()
    if small in STAGE_KINDS or any(s.key.startswith(small) for s in stages):
        return did_you_mean(pattern, [small])
    if any(small in s.label.lower() for s in stages):
        return " (labels have capital letters where they are shown so)"
    return did_you_mean(pattern, STAGE_KINDS)


def planned(study: Study, imported: Mapping[str, Imported], count: bool = False) -> Plan:
    """The study's plan. Raises BadInput, naming the study's file, where it cannot be planned."""
    try:
        plan = make_plan(study, imported)
        if plan.uncounted:
            folder = study.path.parent
            counts = counted(plan.uncounted, study.components, folder, ask=count)
            plan = make_plan(study, imported, counts)
        return plan
    except BadInput as error:
        raise BadInput(f"{overriding.said_in(study, str(error))}: {error}") from error


def matching(args: argparse.Namespace, opened: Opened, patterns: Sequence[str]) -> list[Stage]:
    """The stages that patterns name. Raises BadInput for a pattern that names none."""
    for pattern in patterns:
        if not any(matches(stage, [pattern]) for stage in opened.plan.stages.values()):
            raise BadInput(
                f"no stage of {opened.study.name} matches {pattern!r}: "
                "give a stage kind, six or more digits of a key, or text of a label (* and ? stand "
                f"for anything); `{command(args, 'plan', '--stages')}` lists them"
            )
    return [s for s in opened.plan.stages.values() if matches(s, patterns)]


def command(args: argparse.Namespace, verb: str, *more: str) -> str:
    """The command line of another verb for the same study, to be copied by the reader."""
    words = ["python", "-m", "harness", verb, args.study]
    if args.profile:
        words += ["--profile", args.profile]
    for override in args.overrides:
        words += ["--set", override]
    if args.results != "results":
        words += ["--results", args.results]
    return shlex.join([*words, *more])


def again(args: argparse.Namespace, opened: Opened) -> str:
    """The command line that tries failed stages again: the same `run`, where that tries them all
    (a pool); from a queue `retry`, since `run` waits there for something to change."""
    queue = executor_of(opened.study).policy == "queue"
    return command(args, "retry" if queue else "run")


UNITS = {  # of operations, in Gflops
    "Zflops": 1e12,
    "Eflops": 1e9,
    "Pflops": 1e6,
    "Tflops": 1e3,
    "Gflops": 1.0,
    "Mflops": 1e-3,
    "kflops": 1e-6,
}


def unit_of(gflops: float) -> str:
    """The unit in which an amount reads best: the largest that gives a value of 1 or more."""
    return next((name for name, size in UNITS.items() if gflops >= size), "kflops")


def quantity(gflops: float | None) -> str:
    """Gflops with a readable unit (1e3 Gflops = 1 Tflops, ...); "-" when unknown.

    >>> quantity(0.0544), quantity(118.64), quantity(0.0)
    ('54.4 Mflops', '118.6 Gflops', '0 Gflops')
    """
    if gflops is None:
        return "-"
    if not gflops:
        return "0 Gflops"
    unit = unit_of(gflops)
    return f"{gflops / UNITS[unit]:,.1f} {unit}"


def plural(number: int, what: str, several: str | None = None) -> str:
    """
    >>> plural(1, "stage"), plural(1200, "stage"), plural(2, "class", "classes")
    ('1 stage', '1,200 stages', '2 classes')
    """
    return f"{number:,} {what if number == 1 else several or what + 's'}"


def duration(seconds: float | None) -> str:
    """3725 -> "1 h 02 min"; "-" when unknown."""
    if seconds is None:
        return "-"
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{int(seconds // 60)} min {int(seconds % 60):02d} s"
    return f"{int(seconds // 3600):,} h {int(seconds % 3600 // 60):02d} min"


def note_absence(root: str | Path) -> bool:
    """Is there no results folder `root`? Then a note on stderr says so: it may be mistyped."""
    absent = not (Path(root).is_symlink() or Path(root).exists())
    if absent:
        print(f"note: results folder {root} is not there: nothing was run yet", file=sys.stderr)
    return absent


def results_folder(args: argparse.Namespace) -> Path:
    """The folder that --results names. Raises Missing where it is not there."""
    root = Path(args.results)
    if not root.is_dir():
        raise Missing(f"there is no results folder {root}: say --results FOLDER")
    return root
