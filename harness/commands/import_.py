"""`import`: a foreign checkpoint, which studies can then sample, or the archive of a study."""

from __future__ import annotations

import argparse
import json
import re
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.commands import common
from harness.commands.common import quantity
from harness.commands.imported import FOLDER, LABEL, imported_checkpoints
from harness.errors import BadInput, Missing
from harness.plan import keys
from harness.plan.build import Imported
from harness.spec import source as yaml_source
from harness.store import codec, files
from harness.store.artifacts import Store
from harness.store.results import TrainResult

if TYPE_CHECKING:
    from harness.components.family import Input
    from harness.components.objective import Objective
    from harness.models.counting import Complexity
    from harness.models.foreign import Foreign

TRIED_SIZE = 256  # of an image, which every autoencoder takes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file",
        metavar="FILE",
        help="an official DiT .pt, a diffusers folder, our safetensors, or the archive of a study",
    )
    parser.add_argument(
        "--name", help="the name by which studies use the checkpoint: model: {checkpoint: NAME}"
    )
    parser.add_argument(
        "--heads", type=int, help="number of attention heads, where the zoo does not tell it"
    )
    parser.add_argument(
        "--steps", type=int, help="steps that it was trained for; the records say so"
    )
    parser.add_argument(
        "--diffusion-steps",
        type=int,
        default=1000,
        help="diffusion steps of its training (default: 1000)",
    )
    parser.add_argument(
        "--objective",
        help="its training objective as a study says it (default: ddpm): flow, or '{name: flow, "
        "spare_channels: true}'",
    )
    parser.add_argument(
        "--autoencoder",
        metavar="NAME",
        help="the autoencoder of its latents, one of those that `harness components autoencoder` "
        "lists (default: the first whose latents have as many channels)",
    )
    parser.add_argument(
        "--keep-ours",
        action="store_true",
        help="import an archive although it contradicts numbers that are here; these stay",
    )
    common.add_results(parser)


def run(args: argparse.Namespace) -> int:
    if args.name is None:
        return _import_study(args)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{,79}", args.name):  # as studies allow
        raise BadInput(
            f"--name {args.name!r}: use letters, digits, '.', '_' and '-', 80 of them at most"
        )
    from harness.diffusion.schedule import LEAST_STEPS

    for option, least in (("heads", 1), ("steps", 1), ("diffusion_steps", LEAST_STEPS)):
        if (value := getattr(args, option)) is not None and value < least:
            raise BadInput(f"--{option.replace('_', '-')} {value}: it must be at least {least}")
    from harness.models import foreign
    from harness.models.counting import count_family

    loaded = foreign.find(args.file, args.heads)
    family = loaded.family
    counted = count_family(family, loaded.input)
    store = Store(args.results)
    store.check_writable()
    key, ours = _committed(args, store, loaded, counted)
    facts = family.facts()
    shape = f"{facts['depth']} blocks, width {facts['width']}, {facts['heads']} heads, " + (
        f"{facts.get('block', family.name)}, patch {facts['patch_size']}"
    )
    print(
        f"{'imported' if ours else 'already there:'} {args.name} ({key[:12]}): {shape}, "
        f"{counted.params:,} parameters, "
        + (f"{counted.gflops:.4f} Gflops" if counted.gflops >= 0.01 else quantity(counted.gflops))
    )
    print(f"weights: {loaded.weights}")
    for note in loaded.notes:
        print(f"note: {note}")
    print(f"use it in a study as  model: {{checkpoint: {args.name}}}")
    return 0


def _committed(
    args: argparse.Namespace, store: Store, loaded: Foreign, counted: Complexity
) -> tuple[str, bool]:
    """The checkpoint as a committed train stage: its key, and whether it is new here.

    Raises BadInput where the name stands for another checkpoint.
    """
    import safetensors.torch

    from harness.store import provenance

    family, given = loaded.family, loaded.input
    architecture = family.architecture(given)
    trained_for = _objective(args, given).key_fields("objective")
    autoencoder = _autoencoder(args.autoencoder, given)
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "ema.safetensors"
        safetensors.torch.save_file(
            {k: v.detach().contiguous() for k, v in loaded.state.items()}, weights
        )
        settings = keys.canonical(
            {
                "imported": files.sha256(weights),
                "architecture": architecture,
                **trained_for,
                "autoencoder": autoencoder.content,
                "step": args.steps,
            }
        )
        key = keys.stage_key("train", settings, {})
        path = store.root / FOLDER / f"{args.name}.json"
        known = imported_checkpoints(store.root).get(args.name)
        if known is not None and known.key != key:
            raise BadInput(
                f"{path} names another checkpoint already ({known.key[:12]}): choose another --name"
            )
        columns = {
            "run": key,
            "model": args.name,
            "family": "imported",
            "size": None,
            "tokens": counted.tokens,
            "params": counted.params,
            "gflops": counted.gflops,
            "gflops_paper": counted.gflops_paper,
            "image_size": given.side * autoencoder.factor,
            "autoencoder": autoencoder.name,
            "step": args.steps,
            "input_size": given.side,
            **{k: v for k, v in family.facts().items() if k != "size"},
        }
        staging = store.staging(key)
        (staging / "ema.safetensors").write_bytes(weights.read_bytes())
        ours = store.commit(
            "train",
            key,
            staging,
            {},
            codec.told(TrainResult(columns, architecture, **trained_for)),
            {
                "settings": json.loads(settings),
                "inputs": {},
                "label": LABEL + args.name,
                "provenance": {
                    "file": args.file,
                    "weights": loaded.weights,
                    **provenance.made("import", 1),
                },
                "measured": {"seconds": 0.0, "gflops": None, "model": args.name, "device": ""},
            },
        )
    entry = Imported(args.name, key, architecture, settings, args.steps)
    files.write_json(path, {**asdict(entry), "settings": json.loads(settings)})
    return key, ours


class _Autoencoder(NamedTuple):
    """The autoencoder whose latents a checkpoint was trained on."""

    name: str
    content: Any  # as keys write it
    factor: int  # image size / latent size


def _autoencoder(name: str | None, given: Input) -> _Autoencoder:
    """The autoencoder of a name, or the first whose latents have the network's channels.

    Raises BadInput where there is none, or the one that is named has others.
    """
    from harness.components import registry

    found = []
    for each in (name,) if name else registry.names("autoencoder"):
        cls: Any = registry.get("autoencoder", each)
        if any(field.is_required() for field in cls.model_fields.values()):
            found.append(f"{each} as its settings say")  # which a name does not tell
            continue
        component = cls()
        for channels in (3, 1):  # of an image
            try:
                shape = component.latent_shape(TRIED_SIZE, channels)
            except BadInput:
                continue
            found.append(f"{each} {shape[0]}")
            if shape[0] == given.channels:
                return _Autoencoder(each, component.content(), TRIED_SIZE // shape[1])
    raise BadInput(
        f"the checkpoint takes inputs of {given.channels} channels; latents have others "
        f"({', '.join(dict.fromkeys(found))}): name the autoencoder that it goes with "
        "(--autoencoder)"
    )


def _objective(args: argparse.Namespace, given: Input) -> Objective:
    """The objective that a checkpoint was trained for. Raises BadInput when they do not go."""
    import yaml

    from harness.components import registry, stored

    try:
        said = yaml.safe_load(args.objective or stored.UNNAMED["objective"])
    except yaml.YAMLError as error:
        raise BadInput(f"--objective {args.objective!r} cannot be read: {error}") from error
    settings = {"name": said} if isinstance(said, str) else said
    if not isinstance(settings, dict) or not isinstance(settings.get("name"), str):
        raise BadInput(f"--objective {args.objective!r}: give a name, or {{name: ..., ...}}")
    settings = dict(settings)
    cls: Any = registry.get("objective", settings.pop("name"))
    if "steps" in cls.model_fields:
        settings.setdefault("steps", args.diffusion_steps)
    try:
        objective: Objective = cls.model_validate(settings)
    except ValueError as error:
        raise BadInput(f"--objective {args.objective!r}: {error}") from error
    wanted = objective.out_channels(given.channels)
    if wanted != given.out_channels:
        flow = "'{name: flow, spare_channels: true}'" if wanted < given.out_channels else "flow"
        raise BadInput(
            f"the checkpoint returns {given.out_channels} channels for {given.channels}, the "
            f"objective {cls.name} needs {wanted}: say what it was trained for (--objective "
            f"{flow}, for example)"
        )
    return objective


def _import_study(args: argparse.Namespace) -> int:
    """Take in what `export --study` wrote."""
    from harness.commands.merge import told
    from harness.upkeep import archive

    if not Path(args.file).exists():
        raise Missing(f"{args.file}: no such file")
    if Path(args.file).is_file():
        try:
            Path(args.file).open("rb").close()
        except OSError as error:
            raise BadInput(f"{args.file} cannot be read: {error.strerror}") from error
    if not archive.is_archive(Path(args.file)):
        raise BadInput(
            f"{args.file} is not an archive of a study; is it a checkpoint? Then say what "
            "studies should call it, with --name"
        )
    arrived = archive.read(Path(args.file), Path(args.results), keep_ours=args.keep_ours)
    print(told(arrived.merged, args.file, args.results))
    if yaml_source.read(arrived.study).data.get("components"):
        name = arrived.about.get("study")
        print(
            "its component files did not come along, as they are code. From Python: "
            f"harness.load_results({args.results!r}, study={name!r})"
        )
        return 0
    given = argparse.Namespace(
        study=str(arrived.study),
        profile=arrived.about.get("profile"),
        overrides=arrived.about.get("overrides", []),
        results=args.results,
    )
    print(f"see it with  {common.command(given, 'results')}")
    return 0
