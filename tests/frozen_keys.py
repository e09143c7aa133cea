"""Stage keys as commit 87b48fe planned them, and how a study's keys are written down to compare.

tests/data/frozen/keys.json.gz holds every study that was shipped then, word for word, the two of
this folder beside it, and what each of their profiles planned. It was written once, by that
commit's code, with

    python tests/frozen_keys.py studies/*.yaml tests/data/frozen/*.yaml

and is not written again: what it holds is the promise that results made then stay good.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

from harness.plan import make_plan
from harness.plan.build import Imported
from harness.plan.keys import canonical, stage_key
from harness.spec import load_study
from harness.spec.study import profiles

KEPT = Path(__file__).parent / "data" / "frozen" / "keys.json.gz"


def imported(name: str) -> Imported:
    """What `harness import` would have left for a checkpoint; its key as that verb made it."""
    architecture = {
        "depth": 28,
        "width": 1152,
        "heads": 16,
        "patch_size": 2,
        "block": "adaln-zero",
        "input_size": 32,
        "channels": 4,
        "num_classes": 1000,
    }
    settings = canonical(
        {
            "imported": name.encode().hex(),
            "architecture": architecture,
            "diffusion_steps": 1000,
            "autoencoder": "sd-vae",
            "step": 7_000_000,
        }
    )
    return Imported(name, stage_key("train", settings, {}), architecture, settings, 7_000_000)


def planned(path: Path, profile: str | None) -> dict[str, Any]:
    """What a study plans: {"stages": {key: [kind, label]}, "runs": ids of its training runs}."""
    names = ("official", "ours")
    plan = make_plan(load_study(path, profile), {name: imported(name) for name in names})
    return {
        "stages": {key: [stage.kind, stage.label] for key, stage in plan.stages.items()},
        "runs": plan.run_ids,
    }


def kept() -> dict[str, Any]:
    """{study: {"text": its YAML, "profiles": {profile: what it planned}}}."""
    return json.loads(gzip.decompress(KEPT.read_bytes()))


def main(paths: list[str]) -> None:
    content = {
        Path(path).stem: {
            "text": Path(path).read_text(),
            "profiles": {p: planned(Path(path), p) for p in profiles(path)},
        }
        for path in paths
    }
    KEPT.write_bytes(gzip.compress(json.dumps(content).encode(), mtime=0))


if __name__ == "__main__":
    main(sys.argv[1:])
