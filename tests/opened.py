"""A study opened as the verbs open it, with changes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import yaml
from tiny_study import TINY

from harness.commands import common
from harness.commands.common import Opened


def opened(folder: Path, overrides: tuple[str, ...] = (), **changes: Any) -> Opened:
    study = {**yaml.safe_load(TINY), **changes}
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(study))
    results_folder = str(folder / "results")
    return common.open_study(
        argparse.Namespace(
            study=str(path), profile=None, overrides=list(overrides), results=results_folder
        )
    )
