"""The weights in what a checkpoint holds: which of them, under which names, and if they can be.

Training scripts wrap a state dict in many ways. Here the averaged weights (EMA) are preferred, the
names that wrappers put in front or in between are taken off, and what cannot be a model's weights
is refused in one sentence that names what was found.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harness.errors import BadInput

# What entries are called that hold a state dict, best first: averaged weights, then plain ones.
AVERAGED = (
    *("ema", "ema_state_dict", "model_ema", "ema_model", "state_dict_ema", "nnet_ema"),
    *("params_ema", "ema_params", "averaged", "averaged_model", "shadow"),
)
PLAIN = (
    *("model", "state_dict", "model_state_dict", "module", "net", "nnet", "weights", "params"),
    *("checkpoint", "state"),
)
# What wrappers write between the names of modules: torch.compile, activation checkpointing, FSDP.
BETWEEN = re.compile(
    r"(?:^|(?<=\.))(?:_orig_mod|_checkpoint_wrapped_module|_fsdp_wrapped_module)\."
)
DEEPEST = 8  # entries in entries until a state dict
# A tensor that every DiT has, in the official names and in diffusers'; and every U-ViT.
LANDMARKS = (
    "x_embedder.proj.weight",
    "transformer_blocks.0.norm1.linear.weight",
    "patch_embed.proj.weight",
)


@dataclass(frozen=True)
class Weights:
    """A state dict, and how it was found."""

    state: dict[str, Tensor]
    said: str
    """Which weights were taken: "38 tensors of `ema` (averaged weights)"."""
    where: str
    """Where in the file they stand, for errors: "x.pt, entry ema,"."""


def found_in(content: Any, source: str) -> Weights:
    """The state dict in what a file holds: EMA's before the model's, wrappers' names off.

    Raises BadInput, naming what was found, where there is none.
    """
    within: list[str] = []
    empty: list[str] = []
    other: list[str] = []  # averages that are there, and no state dict
    unknown = False  # does the innermost entry's name say nothing about an average?
    while isinstance(content, Mapping) and not any(_is_weight(k, v) for k, v in content.items()):
        named = [name for name in (*AVERAGED, *PLAIN) if isinstance(content.get(name), Mapping)]
        empty += [name for name in named if not content[name]]
        name = next((name for name in named if content[name]), None)
        if name is None:  # a name that nobody knows, where only one holds such weights
            name = _only_one(content, source)
        if name is None:
            break
        unknown = name not in named
        other += [
            f"{averaged!r} is {_kind(content[averaged])} and was not taken"
            for averaged in AVERAGED
            if averaged in content and averaged not in named and content[averaged] is not None
        ]
        other += [
            f"{beside!r} holds such weights too and was not taken"
            for beside, held in content.items()
            if beside not in (*named, name) and isinstance(held, Mapping) and _has_landmark(held)
        ]
        within.append(str(name))
        content = content[name]
        if len(within) > DEEPEST:  # also what holds itself
            raise BadInput(f"{source} holds no state dict within {DEEPEST} entries of one another")
    where = source if not within else f"{source}, entry {'.'.join(within)},"
    if isinstance(content, Mapping) and not content:
        raise BadInput(f"{where} holds no state dict: it is empty")
    if not isinstance(content, Mapping):
        raise BadInput(f"{where} holds no state dict but {_kind(content)}: {WANTED}")
    if empty and not within:
        raise BadInput(f"{source} holds no weights: its entry {empty[0]!r} is empty")
    held = {str(name): _as_tensor(value) for name, value in content.items()}
    rest = {name for name, value in held.items() if _counts(name, value)}
    tensors = {n: t for n, t in held.items() if isinstance(t, Tensor) and n not in rest}
    odd = [name for name in held if name not in tensors and name not in rest]
    if odd or not tensors:
        raise BadInput(
            f"{where} is not a state dict of a network that is read here: it holds "
            f"{_entries(content, odd or held)}; {WANTED}"
        )
    state, prefix = _unwrapped(tensors, source)
    state, from_model = _lit_ema(tensors, state, prefix)
    _check(state, source)
    averaged = from_model is not None or any(
        part.strip(".") in AVERAGED for part in (*within, *prefix.split("."))
    )
    said = f"{len(state)} tensors"
    if within or prefix:
        inner = LIT_EMA.strip(".") if from_model is not None else prefix.strip(".")
        said += f" of {'.'.join([*within, *([inner] if inner else [])])!r}"
    if averaged:
        said += " (averaged weights)"
    elif within:
        said += " (averaged or not: no name says)" if unknown else " (the model's own weights)"
    if left := len(content) - len(state):
        said += f"; {left} other{' was' if left == 1 else 's were'} not taken"
    if from_model:
        said += f"; {some(from_model)} of the model, as it is not averaged"
    for sentence in other:
        said += f"; {sentence}"
    if empty:
        said += f"; {empty[0]!r} is empty"
    return Weights(state, said, where)


WANTED = "save the network's state_dict(), alone or as the entry 'ema' or 'model'"


def _entries(content: Mapping[Any, Any], names: Iterable[str]) -> str:
    """What entries are: "generator (2 tensors: layer.weight, layer.bias), step (a number)"."""
    by_name = {str(name): value for name, value in content.items()}
    return some([f"{name} ({_inside(by_name[name])})" for name in names])


def _inside(value: Any) -> str:
    """What an entry is, with the first names in it."""
    if isinstance(value, (list, tuple)):
        return "a list, in which tensors have no names"
    if not isinstance(value, Mapping) or not value:
        return "an empty mapping" if isinstance(value, Mapping) else _kind(value)
    tensors = [str(name) for name, held in value.items() if isinstance(held, Tensor)]
    what = f"{len(tensors)} tensor{'' if len(tensors) == 1 else 's'}" if tensors else "a mapping"
    return f"{what}: {some(tensors or map(str, value), 2)}"


def _only_one(content: Mapping[Any, Any], source: str) -> Any:
    """The entry in which, at any depth, the weights of a network of the kinds read here lie.

    None where none does. Raises BadInput where several do: which is meant cannot be known.
    """
    holding = [name for name, held in content.items() if _leads_to_landmark(held)]
    if len(holding) > 1:
        listed = ", ".join(repr(name) for name in holding)
        raise BadInput(
            f"{source} holds the weights of {len(holding)} networks ({listed}): save one"
        )
    return holding[0] if holding else None


def _leads_to_landmark(held: Any, deep: int = DEEPEST) -> bool:
    """Does a mapping, or one within it, hold the tensors of such a network?"""
    if not isinstance(held, Mapping) or not deep:
        return False
    return _has_landmark(held) or any(_leads_to_landmark(v, deep - 1) for v in held.values())


def _has_landmark(held: Mapping[Any, Any]) -> bool:
    """Does a mapping hold the tensors of a network of the kinds that are read here?"""
    return any(
        BETWEEN.sub("", str(name)).endswith(LANDMARKS) and _is_weight(name, value)
        for name, value in held.items()
    )


def _is_weight(name: Any, value: Any) -> bool:
    """Is it a tensor, and no step or update count?"""
    return isinstance(_as_tensor(value), Tensor) and not _counts(str(name), _as_tensor(value))


def _as_tensor(value: Any) -> Any:
    """An array of NumPy's as a tensor; anything else as it is."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
        return torch.from_numpy(np.array(value))
    return value


def _counts(name: str, value: Any) -> bool:
    """Is it a number beside the weights: steps, a decay, an update count? No weight is one."""
    if isinstance(value, Tensor):
        if value.dim() or value.layout != torch.strided:
            return False
        return not value.is_floating_point() or name.rpartition(".")[2] == "decay"
    return value is None or isinstance(value, (bool, int, float, np.generic))


def _kind(value: Any) -> str:
    """A description of the value in plain words."""
    for kinds, words in (
        ((str, bytes), "a text"),
        ((bool, int, float, np.generic), "a number"),
        ((type(None),), "nothing"),
        ((Tensor, np.ndarray), "one array"),
    ):
        if isinstance(value, kinds):
            return words
    return f"a {type(value).__name__}"


# Latent diffusion's averages stand beside the model under its names without their dots; what is not
# trained has none.
LIT_EMA = "model_ema."
NOT_TRAINED = ("pos_embed",)


def _lit_ema(
    tensors: Mapping[str, Tensor], state: dict[str, Tensor], prefix: str
) -> tuple[dict[str, Tensor], list[str] | None]:
    """The averaged weights of a file of latent diffusion, and which were taken from the model.

    (`state`, None) where there are none, or not all.
    """
    outer = prefix.split(".")
    for i in range(len(outer)):
        front = "".join(outer[i:])  # the averaged module may be one within the model
        found = {
            name: average
            for name in state
            if (average := tensors.get(f"{LIT_EMA}{front}{name.replace('.', '')}")) is not None
        }
        lacking = [name for name in state if name not in found]
        if found and set(lacking) <= set(NOT_TRAINED):
            return {name: found.get(name, t) for name, t in state.items()}, lacking
    return state, None


def _unwrapped(state: Mapping[str, Tensor], source: str) -> tuple[dict[str, Tensor], str]:
    """The DiT's tensors by their own names, and what stood before them in the file."""
    plain = {BETWEEN.sub("", name): t for name, t in state.items()}
    prefixes = [
        name.removesuffix(landmark)
        for name in plain
        for landmark in LANDMARKS
        if name == landmark or name.endswith(f".{landmark}")
    ]
    if not prefixes:
        stripped = {re.sub(r"^(module\.)+", "", name): t for name, t in plain.items()}
        return stripped, ""  # of something else: the caller names what is missing
    averaged = [p for p in prefixes if any(part in AVERAGED for part in p.split("."))]
    chosen = averaged or prefixes
    if len(chosen) > 1:
        listed = ", ".join(repr(p.strip(".") or "the top") for p in chosen)
        raise BadInput(f"{source} holds the weights of {len(chosen)} networks ({listed}): save one")
    prefix = chosen[0]
    if not prefix:
        return plain, ""
    own = {n.removeprefix(prefix): t for n, t in plain.items() if n.startswith(prefix)}
    wrapper = re.fullmatch(r"(module\.)+", prefix) is not None
    return own, "" if wrapper else prefix


def _check(state: Mapping[str, Tensor], source: str) -> None:
    """Raises BadInput for tensors that hold no numbers a model could compute with."""
    for name, t in state.items():
        kind = None
        if t.is_meta:
            kind = "has no values (it was saved from the meta device)"
        elif not t.numel():
            kind = f"holds nothing: its shape is {tuple(t.shape)}"
        elif t.layout != torch.strided:
            kind = f"is sparse ({str(t.layout).removeprefix('torch.')}): save it dense"
        elif t.is_quantized or not t.is_floating_point():
            kind = f"holds {str(t.dtype).removeprefix('torch.')}, no floating numbers"
            if t.is_quantized or t.dtype in (torch.int8, torch.uint8):
                kind += ": save a quantized model with its own weights"
        if kind is not None:
            raise BadInput(f"{source}: {name} {kind}")


def check_fits(state: Mapping[str, Tensor], expected: Mapping[str, Tensor], what: str) -> None:
    """Raises BadInput, beginning with `what`, that lists every tensor in which the two differ."""
    problems = [
        *(f"missing: {name}" for name in expected if name not in state),
        *(f"extra: {name}" for name in state if name not in expected),
        *(
            f"misshapen: {name} is {tuple(state[name].shape)}, "
            f"should be {tuple(expected[name].shape)}"
            for name in expected
            if name in state and state[name].shape != expected[name].shape
        ),
    ]
    if problems:
        more = f"\n  and {len(problems) - 12} more" if len(problems) > 12 else ""
        listed = "\n  ".join(problems[:12])
        raise BadInput(f"{what}:\n  {listed}{more}")


def check_finite(state: Mapping[str, Tensor], source: str) -> None:
    """Raises BadInput for weights that are NaN or infinite, naming the first and how many."""
    bad = [(name, n) for name, t in state.items() if (n := int((~torch.isfinite(t)).sum()))]
    if bad:
        name, count = bad[0]
        raise BadInput(
            f"{source}: {name} holds {count:,} "
            + ("weight that is" if count == 1 else "weights that are")
            + " NaN or infinite"
            + (f", and {len(bad) - 1} more tensors do" if len(bad) > 1 else "")
            + ": the training behind it diverged, or the file is damaged"
        )


def some(names: Iterable[str], limit: int = 6) -> str:
    """The first few names of a list, and how many more there are."""
    listed = list(names)
    more = f" and {len(listed) - limit} more" if len(listed) > limit else ""
    return ", ".join(map(str, listed[:limit])) + more
