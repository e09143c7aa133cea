"""The command line: one module of harness.commands per verb, imported only when it is asked for.

Exit codes: 0 done, 1 some stage failed, 2 bad usage or bad study, 3 stopped before the end,
130 interrupted.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import sys
import warnings
from collections.abc import Sequence
from typing import Any

from harness.errors import HarnessError

VERBS = {
    "run": "run a study: everything that is not done yet, then its report",
    "plan": "what a study would run, what is done, what it costs",
    "status": "how far a study is, what runs, what failed and why",
    "results": "the measured numbers of a study, as a table, CSV or JSON",
    "report": "write a study's PDF from what is recorded",
    "retry": "let failed stages run again",
    "cancel": "stop a study's running stages",
    "logs": "print a stage's log",
    "validate": "check a study under all its profiles",
    "schema": "the JSON schema of a study, for editors",
    "components": "what a study may name: models, objectives, metrics, ..., and who brings them",
    "explain": "what a setting of a study means, its type and default",
    "new": "write a study of your own, from one of ours and your images",
    "complexity": "Gflops and parameters of models, beside the paper's",
    "evaluate": "measure a set of samples against a reference",
    "bench": "measure this machine's training and sampling speed",
    "du": "what a results folder holds, by kind and by study",
    "prune": "free the space of checkpoints and samples that nothing needs; numbers stay",
    "merge": "bring another results folder into this one; nothing lost, nothing doubled",
    "import": "take in a foreign checkpoint, or the archive of a study",
    "export": "write a checkpoint in another format, or a whole study as an archive",
}


class _Verb(argparse.ArgumentParser):
    """Options may stand between its words: `cancel STUDY --profile NAME STAGE`."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        self.parse_known_args = super().parse_known_args  # type: ignore[method-assign]
        return self.parse_known_intermixed_args(args, namespace)


def parser(only: str | None = None) -> argparse.ArgumentParser:
    """The argument parser; with `only`, the other verbs' options are left out (quicker)."""
    top = argparse.ArgumentParser(
        prog="python -m harness",
        description="One YAML study in, one finished scaling study of diffusion transformers out.",
        epilog="Start with: python -m harness run scaling",
    )
    verbs = top.add_subparsers(dest="verb", metavar="VERB", required=True, parser_class=_Verb)
    for verb, summary in VERBS.items():
        name = f"harness.commands.{verb}_" if verb == "import" else f"harness.commands.{verb}"
        if importlib.util.find_spec(name) is None:
            continue
        sub = verbs.add_parser(verb, help=summary, description=summary[0].upper() + summary[1:])
        if only is None or only == verb:
            module = importlib.import_module(name)
            module.add_arguments(sub)
            sub.set_defaults(run=module.run)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, call, and turn errors into messages and exit codes."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    verb = next((a for a in given if not a.startswith("-")), None)
    try:
        options = parser(verb if verb in VERBS else None).parse_args(given)
    except SystemExit as leaving:
        return int(leaving.code or 0)
    warnings.showwarning = _warn  # type: ignore[assignment]
    # what our dependencies will change one day is not the user's to act on
    warnings.simplefilter("ignore", FutureWarning)
    try:
        return int(options.run(options))
    except HarnessError as error:
        for line in str(error).splitlines():
            print(f"error: {line}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output has gone (| head)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _warn(message: Warning | str, category: type[Warning], *_: object) -> None:
    print(f"warning: {message}", file=sys.stderr)
