"""`export`: write a trained (or imported) checkpoint's EMA weights in another format."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.commands import common
from harness.errors import BadInput
from harness.store.artifacts import Store


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "key", metavar="KEY", help="a train stage's key or its beginning, or an imported name"
    )
    parser.add_argument("path", metavar="PATH", nargs="?", help="default: KEY.pt, or a folder KEY")
    parser.add_argument("--format", choices=("official", "diffusers"), default="official")
    common.add_results(parser)


def run(args: argparse.Namespace) -> int:
    store = Store(args.results)
    key = _find(store, args.key)
    artifact = store.open("train", key)
    if artifact is None:
        raise BadInput(f"no committed checkpoint {key}")
    import safetensors.torch

    from harness.components.family import of_architecture
    from harness.models import DiT, export

    family, given = of_architecture(artifact.facts["architecture"])
    model = family.build(given)
    if not isinstance(model, DiT):
        raise BadInput(
            f"{key[:12]} is a {family.label}: both formats are DiT's. Its weights, by the names of "
            f"its own published code, are {artifact.file('ema.safetensors')}"
        )
    model.load_state_dict(safetensors.torch.load_file(artifact.file("ema.safetensors")))
    default = f"{key[:12]}.pt" if args.format == "official" else f"{key[:12]}-diffusers"
    print(export(model.eval(), Path(args.path or default), args.format))
    return 0


def _find(store: Store, given: str) -> str:
    imported = common.imported_checkpoints(store.root).get(given)
    if imported is not None:
        return imported.key
    found = sorted(k for k in store.committed(["train"]) if k.startswith(given))
    if len(found) == 1:
        return found[0]
    if not found:
        raise BadInput(
            f"no checkpoint {given!r} in {store.root} (keys: `python -m harness plan STUDY "
            "--stages`, or the `key` column of `results --table runs`)"
        )
    raise BadInput(f"{given!r} begins {len(found)} keys: {', '.join(k[:16] for k in found[:5])}")
