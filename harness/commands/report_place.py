"""Where a report goes: two results folders, or `--set` variants, never take each other's place.

Beside a report lies a folder of its figures, and in it `made-of.json`: which study, profile,
results folder and overrides it was made of. A report that was given no path and finds the place of
its name taken by one of another make goes beside it, under a name that says what differs.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
from pathlib import Path
from typing import Any

from harness.commands.common import Opened
from harness.components import content
from harness.errors import BadInput
from harness.report import files as to_files
from harness.store import files, studies

MADE = "made-of.json"
LONGEST = 255  # bytes of a file's name
REPORTS = (content.PDF, content.WEB_PAGE)  # as their first bytes tell
ENDINGS = (".pdf", ".html", ".htm")


def check(given: str | None, option: str = "--report", endings: tuple[str, ...] = ENDINGS) -> None:
    """Raise BadInput for a path where no report can be, before anything is computed for it.

    Nothing that is there is harmed: neither a study, nor any other file that is no report.
    """
    if not given:
        return
    path, said = Path(given), f"{option} {given}"
    if given == "-":
        raise BadInput(f"{said}: write /dev/stdout for standard output")
    if to_files.passes_on(path):
        return  # it takes anything
    try:
        there = path.stat() if os.path.lexists(path) else None
    except FileNotFoundError:
        there = None  # a link to what is not there yet
    except OSError as error:
        raise BadInput(f"{said}: {error.strerror}") from None
    if there is not None and stat.S_ISDIR(there.st_mode):
        raise BadInput(f"{said} is a folder: give a file in it")
    if len(os.fsencode(path.name)) > LONGEST:
        raise BadInput(f"{said}: file name too long")
    above = next((p for p in path.absolute().parents if os.path.lexists(p)), None)
    if above is not None and not above.is_dir():
        raise BadInput(f"{said}: {above} is a file, and no folder")
    named = path.suffix.lower() in endings
    mine = not path.suffix and (there is None or content.of_file(path) in REPORTS)
    if not (named or mine):
        raise BadInput(f"{said}: {_ending(path)}: name it "
                       f"with the ending {' or '.join(endings[:2])}")  # fmt: skip


def check_writable(path: Path) -> None:
    """Raise BadInput where this user cannot write a report, before anything is computed for it."""
    if to_files.passes_on(path):
        return
    above = next(p for p in Path(os.path.realpath(path)).parents if p.exists())
    if not os.access(above, os.W_OK | os.X_OK):
        raise BadInput(
            f"the report cannot be written to {path}: no permission to write in {above}. Give "
            "another place with --report FILE, or do without it with --no-report"
        )


def made_of(opened: Opened, path: Path) -> dict[str, Any]:
    """The identity of the study and results that a report at `path` is made of."""
    study = opened.study
    results = os.path.relpath(opened.store.root.resolve(), path.resolve().parent)
    return {
        "study": study.name,
        "profile": study.profile,
        "results": Path(results).as_posix(),
        "set": list(studies.of_numbers(study.overrides)),
    }


def place(opened: Opened, path: Path, asked: bool) -> tuple[Path, str | None]:
    """Where to write, and what to say of it. asked: the path was given, and is kept to."""
    mine = made_of(opened, path)
    theirs = read(path)
    if theirs is None or theirs == mine:
        return path, None
    other = _words(theirs)
    if asked:
        return path, f"{path} was the report of {other}; it is replaced"
    beside = path.with_name(f"{path.stem}-{_suffix(mine, theirs)}{path.suffix}")
    return beside, f"{path} is the report of {other}; --report FILE says where else"


def read(path: Path) -> dict[str, Any] | None:
    """The identity that the report at `path` notes; None where there is none, or no note."""
    if not path.exists():
        return None
    with contextlib.suppress(OSError, ValueError):
        found = json.loads((path.with_suffix("") / MADE).read_text())
        if isinstance(found, dict) and {"study", "profile", "results", "set"} <= found.keys():
            return found
    return None


def remember(opened: Opened, path: Path) -> None:
    """Write down what the report at `path` was made of. Raises HarnessError."""
    files.write_json(path.with_suffix("") / MADE, made_of(opened, path))


def _suffix(mine: dict[str, Any], theirs: dict[str, Any]) -> str:
    """An ending that tells a report's name apart from another one's."""
    parts = []
    if mine["results"] != theirs["results"]:
        parts.append(Path(mine["results"]).name)
    if mine["set"] != theirs["set"] or not parts:
        digest = hashlib.sha256(json.dumps(mine, sort_keys=True).encode()).hexdigest()
        parts.append(f"set-{digest[:6]}" if mine["set"] else digest[:6])
    return "-".join(parts)


def _words(made: dict[str, Any]) -> str:
    given = "".join(f" --set {override}" for override in made["set"])
    return f"{made['study']} ({made['profile']}){given} from {Path(made['results']).name}/"


def _ending(path: Path) -> str:
    """What is wrong with a report's name, as a clause."""
    return f"what is written is not a {path.suffix} file" if path.suffix else "it has no ending"
