"""`export`: a checkpoint's EMA weights in another format, or a whole study as one archive."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from harness.commands import common
from harness.commands.imported import imported_checkpoints
from harness.errors import BadInput
from harness.plan.build import make_plan
from harness.plan.index import index
from harness.spec.study import load_study
from harness.store import files, records
from harness.store.artifacts import Artifact, Store
from harness.store.pruned import pruned_keys
from harness.store.results import TrainResult
from harness.upkeep.usage import size


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "key",
        metavar="KEY",
        nargs="?",
        help="a train stage's key or its beginning, or the name of an imported checkpoint",
    )
    parser.add_argument(
        "path",
        metavar="PATH",
        nargs="?",
        help="the file or folder to write (default: KEY.pt or KEY; with --study STUDY-PROFILE.tar)",
    )
    parser.add_argument(
        "--format",
        "--to",
        choices=("official", "diffusers"),
        default="official",
        help="format of a checkpoint: the official DiT's .pt (default), or a folder for diffusers",
    )
    parser.add_argument(
        "--study",
        metavar="STUDY",
        help="write what is done of this study as one archive, which `import` reads",
    )
    parser.add_argument(
        "--light", action="store_true", help="only the numbers of a study, without its artifacts"
    )
    parser.add_argument(
        "--profile", metavar="NAME", help="profile of the study (default: the study's own choice)"
    )
    parser.add_argument(
        "--set",
        metavar="FIELD=VALUE",
        action="append",
        default=[],
        dest="overrides",
        help="override a setting of the study",
    )
    common.add_results(parser)


def run(args: argparse.Namespace) -> int:
    if args.study is not None:
        return _export_study(args)
    if args.key is None:
        raise BadInput("what should be exported? Give KEY, or --study STUDY")
    if args.light or args.profile or args.overrides:
        raise BadInput("--light, --profile and --set are about a study: give --study STUDY")
    if args.key.endswith((".yaml", ".yml")):
        raise BadInput(f"{args.key} is not the key of a checkpoint: a study is --study {args.key}")
    store = Store(args.results)
    key = _find(store, args.key)
    if key in pruned_keys(store):
        raise BadInput(
            f"the weights of {key[:12]} were removed (`prune` does that): give another checkpoint "
            "of its run, such as the last, or --results of a folder that still has them"
        )
    artifact = store.open("train", key)
    if artifact is None:
        raise BadInput(f"no committed checkpoint {key}")
    import safetensors.torch

    from harness.components.family import of_architecture
    from harness.models import DiT, export

    family, given = of_architecture(artifact.result(TrainResult).architecture)
    model = family.build(given)
    if not isinstance(model, DiT):
        raise BadInput(
            f"{key[:12]} is a {family.label}: both formats are DiT's. Its weights, by the names of "
            f"its own published code, are {artifact.file('ema.safetensors')}"
        )
    model.load_state_dict(safetensors.torch.load_file(artifact.file("ema.safetensors")))
    default = f"{key[:12]}.pt" if args.format == "official" else f"{key[:12]}-diffusers"
    path = Path(args.path or default)
    said = export(model.eval(), path, args.format)
    for file in path.iterdir() if path.is_dir() else (path,):
        files.settle_mode(file)  # safetensors lets nobody but its owner read
    print(said)
    print(f"model card: {_write_card(store, artifact, path, args.format)}")
    return 0


def _write_card(store: Store, artifact: Artifact, path: Path, form: str) -> Path:
    """The model card of an exported checkpoint: in a folder its README.md, else beside the file."""
    from harness.upkeep.card import card

    rows: list[dict[str, Any]] = []
    if (store.root / "records").is_dir():
        frame = records.read_frames(store.root)["metrics"]
        own = frame[frame["checkpoint_key"] == artifact.key].astype(object)
        rows = [
            {str(c): v for c, v in row.items() if v is not None and v == v}
            for row in own.where(own.notna(), None).to_dict("records")
        ]
    target = path / "README.md" if path.is_dir() else path.with_suffix(".md")
    if target.exists() and not path.is_dir():
        raise BadInput(f"{path} is written; {target} is there already, and was left as it is")
    files.write_atomic(target, card(artifact.manifest, rows, path.name, form).encode())
    return target


def _export_study(args: argparse.Namespace) -> int:
    """Write a study's archive."""
    from harness.upkeep import archive

    if args.path is not None:
        raise BadInput(f"with --study give one path: {args.key} or {args.path}?")
    study = load_study(args.study, args.profile, args.overrides)
    plan = make_plan(study, imported_checkpoints(Path(args.results)))
    ending = "-light.tar.gz" if args.light else ".tar"
    written = archive.write(
        Store(args.results),
        [(s.kind, s.key) for s in plan.stages.values()],
        Path(args.key or f"{study.name}-{study.profile}{ending}"),
        study=study.path,
        index=index(plan),
        light=args.light,
    )
    print(
        f"{written.path}: {written.stages:,} of {len(plan.stages):,} stages, "
        f"{size(written.path.stat().st_size)}"
    )
    if written.recorded:
        of = common.plural(written.recorded, "stage without a sound artifact", "stages without one")
        print(f"numbers alone, from the records: {of}")
    for line in written.damaged:
        print(f"left out, as it is damaged: {line}", file=sys.stderr)
    return 1 if written.damaged else 0


def _find(store: Store, given: str) -> str:
    imported = imported_checkpoints(store.root).get(given)
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
