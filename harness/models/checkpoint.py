"""Checkpoints: reading the official, diffusers' and our own, writing our own.

Our own is a folder with `model.safetensors` (official parameter names) and `model.json` (the
architecture). Official files are PyTorch pickles and are read with `weights_only=True`: a file
that wants to run code is refused before any of it runs.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import pickle
import re
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from harness.components import content, weight_files
from harness.errors import BadInput, Missing
from harness.models import diffusers_format, state_dicts, zoo
from harness.models.dit import DiT
from harness.models.state_dicts import some
from harness.models.zoo import Architecture

WEIGHTS, ABOUT = "model.safetensors", "model.json"
OF_ARTIFACT = "ema.safetensors"  # of a train stage, beside its manifest
FORMAT = "scaling-study-harness DiT"
WITHOUT_NULL = (1000,)  # rows of a label table: ImageNet's classes, and no null label after them
OURS = {field.name for field in fields(Architecture)} - {"out_channels"}  # in our own JSON
State = Mapping[str, Tensor]


def architecture_of(model: DiT) -> Architecture:
    """The architecture of a built model."""
    return Architecture(
        **{field.name: getattr(model, field.name) for field in fields(Architecture)}
    )


def save_checkpoint(model: DiT, folder: str | Path) -> Path:
    """Write `model.safetensors` and `model.json` into folder (made if needed); returns folder.

    The files are not synced or renamed into place: whoever commits an artifact does that.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    state = {name: tensor.detach().contiguous() for name, tensor in model.state_dict().items()}
    save_file(state, folder / WEIGHTS)
    about = {"format": FORMAT, "version": 1, "architecture": asdict(architecture_of(model))}
    (folder / ABOUT).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    return folder


def load_checkpoint(
    path_or_state_dict: str | Path | Mapping[str, Any], heads: int | None = None
) -> DiT:
    """A DiT in eval mode, float32, on the CPU, from any of these:

    - a file of the official implementation (.pt): a bare state dict, or a training checkpoint,
      of which `ema` is taken, else `model`; the same as a state dict in memory
    - our own folder (save_checkpoint), or its model.safetensors
    - a train stage's artifact, results/artifacts/train/KEY, of which the EMA weights are taken
    - diffusers' DiTTransformer2DModel: its folder (or a pipeline's, with `transformer/`), or its
      weights file. Our DiT's timestep frequencies are the official ones; see diffusers_format.

    The JSON of our own folders says everything. Of others all but the number of heads is inferred
    from the shapes: heads come from the JSON of diffusers' folders, else from `heads`, else from
    the zoo by depth and width.

    Raises Missing for a path that is not there, BadInput for anything that is not such a
    checkpoint; missing, extra and misshapen tensors are named.
    """
    return read_checkpoint(path_or_state_dict, heads).model


@dataclass(frozen=True)
class Loaded:
    """A model, and what a person should know of how it was read."""

    model: DiT
    weights: str
    """Which weights were taken, and how many tensors."""
    notes: tuple[str, ...] = ()


def read_checkpoint(
    path_or_state_dict: str | Path | Mapping[str, Any], heads: int | None = None
) -> Loaded:
    """Like `load_checkpoint`; it also says what was taken from where."""
    if isinstance(path_or_state_dict, Mapping):
        found = state_dicts.found_in(path_or_state_dict, "the state dict")
        copied = {name: t.detach().clone() for name, t in found.state.items()}
        return Loaded(_assemble(copied, heads, found.where.rstrip(",")), found.said)
    path = Path(path_or_state_dict)
    if not path.exists():
        raise Missing(f"no checkpoint at {path}")
    notes: tuple[str, ...] = ()
    if path.is_dir():
        path, variant = _weights_in(path)
        notes = (variant,) if variant else ()
    recorded = _recorded(path)
    if heads is not None and recorded.get("heads", heads) != heads:
        raise BadInput(f"{path.parent} says {recorded['heads']} heads, heads={heads} was given")
    found = read_weights(path)
    config = path.parent / diffusers_format.CONFIG
    configured = path.name.startswith(weight_files.DIFFUSERS) and config.is_file()
    if configured:
        notes += diffusers_format.ignored(_json(config), str(config))
    model = _assemble(found.state, recorded.get("heads", heads), found.where.rstrip(","), recorded)
    if configured:
        shape = asdict(architecture_of(model))
        diffusers_format.check_shape(_json(config), shape, str(config))
    return Loaded(model, found.said, notes)


def infer(state: State, heads: int | None, source: str) -> Architecture:
    """The architecture whose official state dict this is. Raises BadInput."""
    needed = {  # tensor -> axes
        "x_embedder.proj.weight": 4,
        "pos_embed": 3,
        "y_embedder.embedding_table.weight": 2,
        "final_layer.linear.weight": 2,
        "blocks.0.attn.qkv.weight": 2,
    }
    missing = [name for name in needed if name not in state]
    if missing:
        raise BadInput(
            f"{source} is not a DiT's: missing {', '.join(missing)}; it has {some(state)}"
        )
    for name, axes in needed.items():
        if state[name].dim() != axes:
            raise BadInput(
                f"{source} is not a DiT's: {name} is {tuple(state[name].shape)}, not {axes} axes"
            )
    width, channels, patch_size, _ = state["x_embedder.proj.weight"].shape
    depth = 1 + max(int(m[1]) for m in (re.match(r"blocks\.(\d+)\.", name) for name in state) if m)
    outputs = state["final_layer.linear.weight"].shape[0]
    if outputs == patch_size**2 * channels:
        raise BadInput(
            f"{source} predicts noise without a variance (learn_sigma=False); DiTs here predict "
            "both (section 3.1)"
        )
    heads = zoo.heads_of(depth, width) if heads is None else heads
    if heads is None:
        raise BadInput(
            f"{source} has depth {depth} and width {width}, which no model of the zoo has, and "
            "shapes do not tell the number of heads: give it (--heads 16; in Python, heads=16)"
        )
    rows = state["y_embedder.embedding_table.weight"].shape[0]
    if rows in WITHOUT_NULL or rows < 2:
        raise BadInput(
            f"{source}: y_embedder.embedding_table has {rows:,} rows, and no null label after its "
            "classes (it was trained with class_dropout_prob 0): DiTs here have one"
        )
    try:
        side = zoo.side_of(state["pos_embed"].shape[1], patch_size)
    except BadInput as error:
        raise BadInput(f"{source}: {error}") from None
    return zoo.architecture(
        depth=depth,
        width=width,
        heads=heads,
        patch_size=patch_size,
        input_size=side,
        channels=channels,
        num_classes=rows - 1,
        block=_block_of(state, width),
    )


def _block_of(state: State, width: int) -> str:
    if "blocks.0.cross_attn.q.weight" in state:
        return "cross-attention"
    if "blocks.0.adaLN_modulation.1.weight" not in state:
        return "in-context"
    outputs = state["blocks.0.adaLN_modulation.1.weight"].shape[:1]
    return "adaln" if outputs == (4 * width,) else "adaln-zero"


def _assemble(
    state: State, heads: int | None, source: str, recorded: Mapping[str, Any] | None = None
) -> DiT:
    recorded = recorded or {}
    if diffusers_format.recognises(state):
        state = diffusers_format.to_official(state, recorded.get("input_size"), source)
    if "architecture" in recorded:  # shapes do not tell all: of one null label, or of no variance
        shape = zoo.architecture(**recorded["architecture"])
    else:
        shape = infer(state, heads, source)
    with torch.device("meta"):
        model = DiT(**asdict(shape))
    expected = model.state_dict()
    state_dicts.check_fits(
        state,
        expected,
        f"{source} does not fit a DiT of depth {shape.depth}, width {shape.width}, patch "
        f"{shape.patch_size}, {shape.block}",
    )
    single = {name: t.float() for name, t in state.items()}
    state_dicts.check_finite(single, source)
    model.load_state_dict(single, assign=True)
    return model.eval().requires_grad_(True)


def read(path: Path) -> dict[str, Tensor]:
    """The state dict in a file, without running anything in it."""
    return read_weights(path).state


def read_weights(path: Path) -> state_dicts.Weights:
    """The weights in a file, and which they are, without running anything in it."""
    with contextlib.suppress(OSError):
        if path.stat().st_size == 0:
            raise BadInput(f"{path} is empty (0 bytes): an interrupted copy or download")
    if weight_files.INDEX.search(path.name):
        return _of_parts(path)
    if part := weight_files.PART.search(path.name):
        raise BadInput(
            f"{path} is part {int(part[1])} of {int(part[2])} of a checkpoint: give the folder, or "
            "the index.json beside it"
        )
    return state_dicts.found_in(_content(path), str(path))


def _of_parts(index: Path) -> state_dicts.Weights:
    """The weights in the files that an index names."""
    whole: dict[str, Any] = {}
    files = tuple(weight_files.parts(index))
    for file in files:
        held = _content(file)
        if not isinstance(held, Mapping):
            raise BadInput(f"{file} holds no state dict but a {type(held).__name__}")
        if twice := whole.keys() & held.keys():
            raise BadInput(f"{file} holds tensors that another part of {index} has: {some(twice)}")
        whole |= held
    found = state_dicts.found_in(whole, str(index))
    return replace(
        found, said=f"{found.said} in {len(files)} {'file' if len(files) == 1 else 'files'}"
    )


def _content(path: Path) -> Any:
    """The content of a weights file, read without running anything in it. Raises BadInput."""
    head = b""
    try:
        with path.open("rb") as file:
            head = file.read(content.HEAD)
    except PermissionError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}") from error
    except OSError:
        pass  # what reads it says more
    if (what := content.guess(head)) is not None and path.is_file():
        raise BadInput(f"{path} is {what}")
    named = path.suffix == ".safetensors"
    # A safetensors file begins with the length of its header, which is JSON; torch's with PK.
    if head[8:9] == b"{" if not named else head[:4] != b"PK\x03\x04":
        try:
            return load_file(path)
        except safetensors.SafetensorError as error:
            raise BadInput(f"{path} is not a safetensors file or is damaged: {error}") from error
    try:
        with (
            path.open("rb") as file,
            torch.serialization.safe_globals(_plain_types()),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")  # of sparse tensors, and of old pickles
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        wanted = re.search(r"GLOBAL ([\w.]+)", str(error))
        what = f"it asks for {wanted[1]}" if wanted else "it is damaged or holds more than tensors"
        raise BadInput(
            f"{path} was refused: {what}. A checkpoint may hold tensors and plain values only; "
            "nothing in it was executed"
        ) from error
    except Exception as error:  # a file of another kind can trip the unpickler anywhere
        why = "it is not a file of torch.save, or is damaged"
        if "TorchScript" in str(error):  # where PyTorch advises to run it
            why = "it is a TorchScript archive, which holds code: save the module's state_dict()"
        raise BadInput(f"{path} cannot be read as a checkpoint: {why}") from error


def _plain_types() -> list[Any]:
    """Classes that a checkpoint may hold beside tensors; none of them runs code.

    Official ones hold the Namespace of a command line, others NumPy's numbers and arrays (a best
    metric, a random state)."""
    rebuild, number = np._core.multiarray._reconstruct, np._core.multiarray.scalar  # type: ignore
    named = [
        (each, f"{module}.multiarray.{each.__name__}")
        for each in (rebuild, number)
        for module in ("numpy.core", "numpy._core")
    ]
    dtypes = {type(np.dtype(kind)) for kind in "?bhilqBHILQefd"}
    return [argparse.Namespace, np.ndarray, np.dtype, *dtypes, *named]


def _weights_in(folder: Path) -> tuple[Path, str | None]:
    """The weights file in a folder of ours, of diffusers', or of a train stage, or the index of its
    parts; and what is to be said of it."""
    for place in (folder, folder / "transformer"):
        for name in (WEIGHTS, OF_ARTIFACT):
            if (place / name).is_file():
                return place / name, None
        for stem in (weight_files.DIFFUSERS, Path(WEIGHTS).stem, "pytorch_model"):
            if (found := weight_files.find(place, stem)) is not None:
                return found.path, found.note
    held = sorted(path.name for path in folder.iterdir())
    if "manifest.json" in held:  # harness.store commits every stage with one
        raise BadInput(
            f"no weights in {folder}: it is a stage's artifact, of a stage that trains nothing or "
            "whose weights were removed (`prune` does that)"
        )
    raise BadInput(
        f"no checkpoint in {folder}: looked for {WEIGHTS} and {weight_files.DIFFUSERS}.safetensors"
        f" (it holds {some(held) if held else 'nothing'})"
    )


def _recorded(weights: Path) -> dict[str, Any]:
    """Heads and input_size, which shapes do not tell, from the JSON beside a weights file.

    And `architecture`, all of it, where the file is ours and of a DiT.
    """
    own = {"heads": "heads", "input_size": "input_size"}
    theirs = {"heads": "num_attention_heads", "input_size": "sample_size"}
    for begins, json_name, names in (
        (WEIGHTS, ABOUT, own),
        (OF_ARTIFACT, "manifest.json", own),
        (weight_files.DIFFUSERS, diffusers_format.CONFIG, theirs),
    ):
        beside = weights.parent / json_name
        if weights.name.startswith(begins) and beside.is_file():
            try:
                found = _json(beside)
                found = found.get("facts", found)  # an artifact's manifest
                found = found.get("architecture", found)
                told: dict[str, Any] = {ours: int(found[n]) for ours, n in names.items()}
                if set(found) >= OURS and "family" not in found:
                    numbers = {name: int(found[name]) for name in OURS - {"block"}}
                    if found.get("out_channels") is not None:
                        numbers["out_channels"] = int(found["out_channels"])
                    told["architecture"] = {**numbers, "block": found["block"]}
                return told
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise BadInput(
                    f"{beside} does not give {' and '.join(names.values())}: {error!r}"
                ) from error
    return {}


def _json(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))
