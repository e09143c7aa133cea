"""Counts networks for a planner that does not load torch: `python -m harness.models.count_child`.

Reads one JSON object from standard input: `files`, component files to load, below `folder`; and
`architectures`, as keys of complexity stages have them. Writes one JSON list to standard output, in
that order: {"gflops": strict Gflops of one image}, or {"error": why it cannot be counted}.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any

from harness.errors import on_one_line


def main(given: dict[str, Any]) -> list[dict[str, Any]]:
    """The answers to one request. Raises BadInput when a component file cannot be loaded."""
    import torch  # noqa: F401  (so that component files are read with it at once)

    from harness.components import files
    from harness.components.family import of_architecture
    from harness.models.counting import count_family

    files.of_study(given["files"], Path(given["folder"]))
    answers: list[dict[str, Any]] = []
    for architecture in given["architectures"]:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                answers.append({"gflops": count_family(*of_architecture(architecture)).gflops})
        except Exception as error:  # a stranger's network may raise anything
            answers.append({"error": on_one_line(error)})
    return answers


if __name__ == "__main__":
    out, sys.stdout = sys.stdout, sys.stderr  # whatever a component prints is no answer
    json.dump(main(json.load(sys.stdin)), out)
