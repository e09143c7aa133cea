"""A study that cannot be opened here, as its last `run` recorded it (harness.store.studies).

Its file may have moved, or one of its components may be elsewhere: its numbers and its state can be
read all the same.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from harness.commands import common
from harness.commands.common import Opened
from harness.dispatch.attempt_words import why
from harness.dispatch.ledger import Ledger, is_final
from harness.dispatch.view import Seen
from harness.errors import BadInput, HarnessError
from harness.spec.source import read
from harness.store import origins, records, studies
from harness.store.artifacts import Store
from harness.store.studies import Index


def open_study(args: argparse.Namespace) -> Opened | Index:
    """The study that a command line names; where its file is not available, the same from the text
    that was kept of it; and where that cannot be planned here, what was kept of its plan.

    Raises BadInput for a mistake in the study, and for one that was never run.
    """
    try:
        return common.open_study(args)
    except BadInput as error:
        index = find(args, error)
    try:
        opened = common.open_study(args, stored=index)
    except HarnessError as error:  # one of its components is not here
        print(f"note: {str(error).splitlines()[0]}", file=sys.stderr)
        return index
    return opened if opened.plan.stages.keys() == index.stages.keys() else index


def find(args: argparse.Namespace, error: BadInput) -> Index:
    """What the last `run` of a study kept of it; says so on stderr. Raises `error` where it was
    never run into this results folder, or has a mistake."""
    found, notes = kept(Path(args.results), args.study, error, args.profile, args.overrides)
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    return found


def kept(
    root: Path,
    name: str,
    error: BadInput,
    profile: str | None = None,
    overrides: Sequence[str] = (),
) -> tuple[Index, list[str]]:
    """What the last `run` of a study into `root` kept of it, and sentences that say why this is
    shown.

    name: of the study, or the path of its file; error: why it cannot be opened here, which is
    raised where it was never run into `root`, or has a mistake.
    """
    given, text = name, None
    if Path(name).is_file():
        said = str(error)  # a mistake in it, or in a component that is elsewhere
        if not (origins.sentences(root, said) or origins.only_files_are_absent(said)):
            raise error
        written, text = read(Path(name)).data, Path(name).read_text(encoding="utf-8")
        name, profile = str(written.get("study")), profile or written.get("profile", "laptop")
    elif Path(name).suffix in (".yaml", ".yml"):
        name = Path(name).stem
    try:
        found = studies.find(root, f"{name}-{profile}" if profile else name)
    except BadInput:
        raise error from None
    if overrides and tuple(overrides) != tuple(found.overrides):
        raise error
    notes = [f"{given} has changed since"] if text not in (None, found.text) else []
    notes.append(str(error).splitlines()[0])
    return found, [*notes, f"this is {found.study} as it was run, {found.written}"]


def seen(root: Path, index: Index) -> dict[str, Seen]:
    """Where every stage stands, by key, in the order of the plan.

    What stages need of each other is not kept: one that nothing needs any more waits here.
    """
    ledger = Ledger(root)
    done = Store(root).committed({stage.kind for stage in index.stages.values()})
    for table in records.TABLES:
        done |= records.scan(root, table).keys
    latest = ledger.latest(key for key in index.stages if key not in done)
    told = ledger.told()
    found = {}
    for key in index.stages:
        last = latest.get(key)
        if key in done:
            found[key] = Seen("done")
        elif last is None:
            found[key] = Seen("waiting")
        elif is_final(last):
            found[key] = Seen("failed", last, last.failure or "")
        elif last.state == "running" and last.batch is not None:
            found[key] = Seen("running", last, "in a queue")
        elif last.state == "running" and ledger.alive(key):
            found[key] = Seen("running", last, "", told.get(key))
        elif last.state in ("again", "failed"):
            found[key] = Seen("again", last, why(last))
        else:
            found[key] = Seen("waiting", last, last.error or "")
    return found


def label(index: Index, key: str) -> str:
    """A stage for people, as far as it was kept: "train DiT-S/8 to 400,000"."""
    stage = index.stages[key]
    step = f"to {stage.step:,}" if stage.kind == "train" and stage.step is not None else ""
    names = ", ".join(stage.evaluations)
    return " ".join(word for word in (stage.kind, index.label(key), step, names) if word)
