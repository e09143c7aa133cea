"""The command line: one module of harness.commands per verb, imported only when it is asked for.

Exit codes: 0 done, 1 some stage failed, 2 bad usage or bad study, 3 stopped before the end,
130 interrupted.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import gc
import importlib
import os
import shlex
import sys
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from harness import __version__, terminal
from harness.errors import BadInput, HarnessError, another_type
from harness.nearest import did_you_mean

VERBS = {
    "run": "run a study: everything that is not done yet, then its report",
    "plan": "show what a study would run, what is done, and what the rest costs",
    "status": "show how far a study is, what runs, what failed and why",
    "results": "show the measured numbers of a study, as a table, CSV or JSON",
    "report": "write a study's PDF from what is recorded",
    "retry": "let failed stages run again",
    "cancel": "stop a study's running stages",
    "logs": "print a stage's log",
    "validate": "check a study under all its profiles",
    "schema": "print the JSON schema of a study, for editors",
    "components": "list what a study may name (models, metrics, ...) and where each comes from",
    "explain": "say what a setting of a study means, with its type and default",
    "new": "write a study of your own, from one of ours and your images",
    "complexity": "count Gflops and parameters of models, beside the paper's",
    "evaluate": "measure a set of samples against a reference",
    "statistics": "write the reference statistics of a folder of images, once",
    "selftest": "compare real weights with published values; needs a network",
    "bench": "measure this machine's training and sampling speed",
    "du": "show what a results folder holds, by kind and by study",
    "prune": "remove checkpoints and samples that nothing needs; numbers stay",
    "fingerprint": "list the files that a study reads; were its results made of them?",
    "forget": "set stages aside, with all that was made of them; dry without --yes",
    "merge": "merge another results folder into this one; nothing is lost or doubled",
    "import": "import a checkpoint from elsewhere, or the archive of a study",
    "export": "write a checkpoint in another format, or a whole study as an archive",
}


class _Verb(argparse.ArgumentParser):
    """Options may stand between its words: `cancel STUDY --profile NAME STAGE`."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        self.parse_known_args = super().parse_known_args  # type: ignore[method-assign]
        return self.parse_known_intermixed_args(args, namespace)

    def _get_value(self, action: argparse.Action, arg_string: str) -> Any:
        """Say in plain words that a number is meant, where argparse says "invalid int value"."""
        try:
            return super()._get_value(action, arg_string)
        except argparse.ArgumentError as error:
            words = {int: "a whole number", float: "a number"}.get(action.type)  # type: ignore
            if words is None:
                raise
            raise argparse.ArgumentError(action, f"{arg_string!r} is not {words}") from error

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            allowed = [str(choice) for choice in action.choices]
            near = did_you_mean(str(value), allowed)
            raise argparse.ArgumentError(action, f"{value!r}{near}; allowed: {', '.join(allowed)}")


def parser(only: str | None = None) -> argparse.ArgumentParser:
    """The argument parser; with `only`, the other verbs are left out (quicker).

    only: a verb; "" has all, without their options.
    """
    top = argparse.ArgumentParser(
        prog="python -m harness",
        description="One YAML study in, one finished scaling study of diffusion transformers out.",
        epilog="Start with: python -m harness run scaling",
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"harness {__version__}")
    verbs = top.add_subparsers(dest="verb", metavar="VERB", required=True, parser_class=_Verb)
    for verb, summary in VERBS.items():
        if only in VERBS and only != verb:
            continue
        about = summary[0].upper() + summary[1:]
        sub = verbs.add_parser(verb, help=summary, description=about, allow_abbrev=False)
        if only is None or only == verb:
            name = f"harness.commands.{verb}_" if verb == "import" else f"harness.commands.{verb}"
            module = importlib.import_module(name)
            module.add_arguments(sub)
            sub.set_defaults(run=module.run)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, call, and turn errors into messages and exit codes.

    Raises BadInput for arguments that are no list of words, which no command line gives.
    """
    terminal.prepare()
    given = list(sys.argv[1:] if arguments is None else arguments)
    if isinstance(arguments, str) or not all(isinstance(word, str) for word in given):
        raise another_type("arguments", arguments, 'a list of words, as ["plan", "scaling"]')
    with warnings.catch_warnings():  # a notebook's stay as they were
        return _main(given)


def _main(given: list[str]) -> int:
    try:
        options = parse(given)
    except SystemExit as leaving:  # --help, or a mistake
        try:
            sys.stdout.flush()
        except OSError as error:
            return terminal.output_lost(error) or 0
        return int(leaving.code or 0)
    except OSError as error:
        if (gone := terminal.output_lost(error)) is None:
            raise
        return gone
    for name in ("results", "report"):  # a shell leaves --results=~/x as it is
        if str(getattr(options, name, None) or "").startswith("~/"):
            setattr(options, name, os.path.expanduser(getattr(options, name)))
    warnings.showwarning = _warn  # type: ignore[assignment]
    # what our dependencies will change one day is not the user's to act on
    warnings.simplefilter("ignore", FutureWarning)
    try:
        check_results(getattr(options, "results", None))
        gc.enable()
        code = int(options.run(options))
        sys.stdout.flush()
        return code
    except HarnessError as error:
        for line in str(error).splitlines():  # indented ones are to be copied from
            print(line if line.startswith("  ") else f"error: {line}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except (SystemExit, OSError) as error:
        gone = terminal.output_lost(error)
        if gone is not None:
            return gone
        if not isinstance(error, OSError) or error.filename is None or error.errno not in OF_DISKS:
            raise
        print(f"error: {error.filename}: {error.strerror}", file=sys.stderr)
        return 2


def parse(given: list[str]) -> argparse.Namespace:
    """Parse the command line. An error shows the usage of its verb and raises SystemExit."""
    verb = next((a for a in given if not a.startswith("-")), None)
    top = parser(verb or "")
    if verb == "help":
        asked = next((a for a in given[given.index(verb) + 1 :] if a in VERBS), None)
        parse([asked, "--help"]) if asked else top.print_help()
        raise SystemExit(0)
    if verb is None:
        _refuse_mistyped(top, given, VERBS)
    else:
        _refuse_mistyped(
            top, given[: given.index(verb)], hint=" (a verb's options stand behind it)"
        )
    if verb is not None and verb not in VERBS:
        top.error(
            f"there is no verb {verb!r}{did_you_mean(verb, VERBS)}; verbs: {', '.join(VERBS)}"
        )
    (verbs,) = (a for a in top._actions if isinstance(a, argparse._SubParsersAction))
    if verb is not None:
        _refuse_mistyped(verbs.choices[verb], given[given.index(verb) + 1 :])
    if not given:
        top.print_help(sys.stderr)
        raise SystemExit(2)
    options, rest = top.parse_known_args(given)
    sub = verbs.choices[options.verb]
    for action in sub._actions:  # --results "" would be the folder that one stands in
        value = getattr(options, action.dest, None) if action.option_strings else None
        if isinstance(value, str) and not value.strip() and value != action.default:
            sub.error(
                f"{action.option_strings[-1]} {value!r}: it is empty (a variable of a shell that "
                "is not set?): leave the option out, or give it a value"
            )
    if rest:
        staged = "--stage" in sub._option_string_actions and not rest[0].startswith("-")
        hint = f" (a stage is given as --stage {rest[0]!r})" if staged else ""
        sub.error(f"not understood: {' '.join(rest)}{hint}")
    return options


def _refuse_mistyped(
    asked: argparse.ArgumentParser, words: list[str], verbs: Iterable[str] = (), hint: str = ""
) -> None:
    """End with the usage where an option is none of the parser's, before anything else is missed.

    verbs: what an option may have been meant for, as `--plan` is for `plan`.
    """
    known = asked._option_string_actions
    words = words[: words.index("--")] if "--" in words else words
    names = [word.partition("=")[0] for word in words if word.startswith("--")]
    if {"-h", "--help"}.intersection(words):
        return
    unknown = [name for name in names if name not in known]
    if unknown:
        said = [w for w in words if w.partition("=")[0] in unknown]
        near = [
            _whole(name, known) or did_you_mean(name, known) or did_you_mean(name.strip("-"), verbs)
            for name in unknown
        ]
        asked.error(f"not understood: {' '.join(said)}{''.join(near) or hint}")


def _whole(name: str, known: Iterable[str]) -> str:
    """The options that begin so. None is taken for one of them: a later version may have another
    that begins so too, and a command in a script would change its meaning."""
    begin = [option for option in known if option.startswith(name)] if name.strip("-") else []
    return f" (write {' or '.join(begin)}: options are not shortened)" if begin else ""


# What a disk or a permission says of a file that is there: no bug, wherever it comes up.
OF_DISKS = {
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EIO),
    *(errno.ESTALE, errno.ETIMEDOUT, errno.EMFILE, errno.ENFILE, errno.ELOOP, errno.ENAMETOOLONG),
}


def check_results(given: str | None) -> None:
    """Raises BadInput for a --results that is there and no folder, or closed to this user."""
    if not isinstance(given, str):
        return
    path = Path(given)
    with contextlib.suppress(OSError):
        if path.is_symlink() and not path.exists():
            raise BadInput(
                f"--results {given} is a link to {os.readlink(path)}, which is not there: make "
                "that folder, or give another"
            )
        if path.exists() and not path.is_dir():
            raise BadInput(f"--results {given} is a file: give the folder where results lie")
        if path.exists() and not os.access(path, os.R_OK | os.X_OK):
            raise BadInput(
                f"you may not read {path}, which belongs to {_owner(path)}: its owner can open "
                f"it to a group (chmod -R g+rX {shlex.quote(given)}, and umask 027 before the next "
                "run); or give another folder with --results"
            )


def _owner(path: Path) -> str:
    """The user whom a file belongs to: a number, where this machine has no name for it."""
    try:
        return path.owner()
    except KeyError:
        return f"user {path.stat().st_uid}"


def _warn(message: Warning | str, category: type[Warning], *_: object) -> None:
    print(f"warning: {message}", file=sys.stderr)
