"""python -m harness VERB ... : see `python -m harness --help`."""

from __future__ import annotations

import gc
import sys

if __name__ == "__main__":
    gc.disable()  # until the verb runs: what imports make stays, and need not be gone through

    from harness.cli import main

    sys.exit(main())
