"""python -m harness VERB ... : see `python -m harness --help`."""

from __future__ import annotations

import gc
import os
import sys


def main() -> int:
    """The command line, as `python -m harness` and the program `harness` begin it."""
    gc.disable()  # until the verb runs: what imports make stays, and need not be gone through
    # What other packages bring for pydantic watches or changes how settings are read. Theirs have
    # no say in a study's keys, and looking for them goes through all that is installed.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

    from harness.cli import main as verbs

    code = verbs()
    if "torch" not in sys.modules:  # triton, which torch loads, would say that its objects leaked
        gc.freeze()  # the process ends: going through what it holds is a sixth of what `plan` takes
    return code


if __name__ == "__main__":
    sys.exit(main())
