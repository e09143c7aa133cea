"""diffusers' DiTTransformer2DModel: its tensors' names, both ways, and its timestep frequencies.

Two things keep it from being the same model under other names. Each of its blocks owns a timestep
and a label embedder (749.8M parameters for XL/2): exporting copies ours into every block, and only
a checkpoint whose copies are equal can be imported. And its timestep features use frequencies
10000^(-i/127) where DiT has 10000^(-i/128): no setting of its configuration changes that, but an
attribute of the loaded model does, which `correct_frequencies` sets.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from harness.errors import BadInput
from harness.models.dit import DiT, position_table

CONFIG = "config.json"

# (official, diffusers), without ".weight" and ".bias"
OUTER = (
    ("x_embedder.proj", "pos_embed.proj"),
    ("final_layer.adaLN_modulation.1", "proj_out_1"),
    ("final_layer.linear", "proj_out_2"),
)
EMBEDDERS = (
    ("t_embedder.mlp.0", "norm1.emb.timestep_embedder.linear_1"),
    ("t_embedder.mlp.2", "norm1.emb.timestep_embedder.linear_2"),
    ("y_embedder.embedding_table", "norm1.emb.class_embedder.embedding_table"),
)
BLOCK = (
    ("adaLN_modulation.1", "norm1.linear"),
    ("attn.proj", "attn1.to_out.0"),
    ("mlp.fc1", "ff.net.0.proj"),
    ("mlp.fc2", "ff.net.2"),
)
QKV = ("attn1.to_q", "attn1.to_k", "attn1.to_v")  # rows of attn.qkv, in this order


# What configurations may say besides the shape, and the values that a DiT has. A configuration that
# says another one is of another network, whatever its tensors are called.
OF_A_DIT: dict[str, tuple[Any, ...]] = {
    "activation_fn": ("gelu-approximate",),
    "norm_type": ("ada_norm_zero",),
    "norm_elementwise_affine": (False,),
    "attention_bias": (True,),
    "cross_attention_dim": (None,),
    "double_self_attention": (False,),
    "only_cross_attention": (False,),
    "use_linear_projection": (False,),
    "num_vector_embeds": (None,),
    "norm_eps": (1e-6, 1e-5),  # DiT's, and diffusers' default, which released folders leave
}
CLASSES = ("DiTTransformer2DModel", "Transformer2DModel")  # the latter in releases of 2022
SHAPE = (
    *("num_attention_heads", "attention_head_dim", "in_channels", "out_channels", "num_layers"),
    *("sample_size", "patch_size", "num_embeds_ada_norm"),
)


def ignored(config: Mapping[str, Any], source: str) -> tuple[str, ...]:
    """Fields of a config.json that make no difference here, as notes.

    Raises BadInput for those that say the network computes something else than a DiT.
    """
    if not isinstance(config, Mapping):
        raise BadInput(f"{source} holds no configuration but a {type(config).__name__}")
    if (name := config.get("_class_name", CLASSES[0])) not in CLASSES:
        raise BadInput(f"{source} is of {name}, not of {' or '.join(CLASSES)}")
    for field, values in OF_A_DIT.items():
        if field in config and config[field] not in values:
            allowed = " or ".join(map(str, values))
            raise BadInput(
                f"{source}: {field} is {config[field]!r}, a DiT's is {allowed}: its output would "
                "not be this network's"
            )
    channels, outputs = config.get("in_channels"), config.get("out_channels")
    if isinstance(channels, int) and outputs not in (None, 2 * channels):
        raise BadInput(
            f"{source}: out_channels is {outputs}, a DiT's is {2 * channels} (noise and variance)"
        )
    rest = [
        f"{name} {value!r}"
        for name, value in config.items()
        if name not in OF_A_DIT and name not in SHAPE and not name.startswith("_")
    ]
    notes = [f"{source}: ignored: {', '.join(rest)}"] if rest else []
    if config.get("norm_eps") == 1e-5:
        notes.append(f"{source}: norm_eps is 1e-05, a DiT's 1e-06 is used")
    return tuple(notes)


def check_shape(config: Mapping[str, Any], shape: Mapping[str, int], source: str) -> None:
    """Raise BadInput where a configuration says another shape than the weights have.

    shape: depth, width, heads, patch_size, channels and num_classes, by the weights.
    """
    head = config.get("attention_head_dim")
    heads = config.get("num_attention_heads")
    both = isinstance(head, int) and isinstance(heads, int)
    said = {
        "num_layers": (config.get("num_layers"), shape["depth"]),
        "patch_size": (config.get("patch_size"), shape["patch_size"]),
        "in_channels": (config.get("in_channels"), shape["channels"]),
        "num_embeds_ada_norm": (config.get("num_embeds_ada_norm"), shape["num_classes"]),
        "num_attention_heads x attention_head_dim": (
            heads * head if both else None,  # type: ignore[operator]
            shape["width"],
        ),
    }
    for name, (theirs, ours) in said.items():
        if theirs is not None and theirs != ours:
            raise BadInput(
                f"{source}: {name} is {theirs}, and the weights beside it have {ours}: they are "
                "not of one model"
            )


def recognises(state: Mapping[str, Tensor]) -> bool:
    """Whether a state dict has the names of DiTTransformer2DModel."""
    return "transformer_blocks.0.norm1.linear.weight" in state


def to_official(
    state: Mapping[str, Tensor], input_size: int | None, source: str
) -> dict[str, Tensor]:
    """Rename a DiTTransformer2DModel's tensors to the official names, merging q, k and v.

    input_size is its configuration's sample_size: the weights alone do not tell the grid.
    Raises BadInput where the blocks' embedders differ, naming the first that does, or where a
    tensor is missing or unknown.
    """
    rest = dict(state)

    def take(name: str) -> Tensor:
        if name not in rest:
            raise BadInput(f"{source} is not a whole DiTTransformer2DModel: missing {name}")
        return rest.pop(name)

    def endings(name: str) -> tuple[str, ...]:
        return (".weight",) if name.endswith("table") else (".weight", ".bias")

    out = {ours + e: take(theirs + e) for ours, theirs in OUTER for e in endings(ours)}
    depth = 1 + max(
        int(m[1]) for m in (re.match(r"transformer_blocks\.(\d+)\.", name) for name in state) if m
    )
    for i in range(depth):
        block = f"transformer_blocks.{i}."
        for ours, theirs in EMBEDDERS:
            for e in endings(ours):
                tensor = take(block + theirs + e)
                if not torch.equal(out.setdefault(ours + e, tensor), tensor):
                    raise BadInput(
                        f"{source} cannot become a DiT, which has one timestep and label embedder: "
                        f"{block}{theirs}{e} differs from block 0's"
                    )
        for ours, theirs in BLOCK:
            for e in endings(ours):
                out[f"blocks.{i}.{ours}{e}"] = take(block + theirs + e)
        for e in (".weight", ".bias"):
            merged = torch.cat([take(block + part + e) for part in QKV])
            out[f"blocks.{i}.attn.qkv{e}"] = merged
    if rest:
        raise BadInput(f"{source} has tensors no DiT has: {', '.join(sorted(rest)[:12])}")
    if input_size is None:
        raise BadInput(
            f"{source} does not tell the size of its input: {CONFIG} must lie beside the weights"
        )
    width, _, patch_size, _ = out["x_embedder.proj.weight"].shape
    return {**out, "pos_embed": position_table(input_size // patch_size, width)}


def to_diffusers(model: DiT) -> Any:
    """A DiTTransformer2DModel with this DiT's weights (float32, eval mode).

    Raises BadInput for what it does not have: other block designs, an output without a variance,
    a model without classes.
    """
    from diffusers import DiTTransformer2DModel

    if model.block != "adaln-zero":
        raise BadInput(f"diffusers has the adaln-zero design only, this model is {model.block}")
    if model.out_channels != 2 * model.channels:
        raise BadInput(
            f"diffusers' DiT has an output of noise and variance, {2 * model.channels} channels; "
            f"this model's, trained with another objective, has {model.out_channels}"
        )
    if model.num_classes < 1:
        raise BadInput("diffusers' DiT has classes, and this model is unconditional")
    state = model.state_dict()
    out = {}
    for name in state:
        ending = "." + name.rpartition(".")[2]
        stem = name.removesuffix(ending)
        for ours, theirs in OUTER:
            if stem == ours:
                out[theirs + ending] = state[name]
        for ours, theirs in EMBEDDERS:
            if stem == ours:
                for i in range(model.depth):
                    out[f"transformer_blocks.{i}.{theirs}{ending}"] = state[name]
        if match := re.fullmatch(r"blocks\.(\d+)\.(.+)", stem):
            block = f"transformer_blocks.{match[1]}."
            for ours, theirs in BLOCK:
                if match[2] == ours:
                    out[block + theirs + ending] = state[name]
            if match[2] == "attn.qkv":
                for theirs, part in zip(QKV, state[name].chunk(3), strict=True):
                    out[block + theirs + ending] = part
    exported: Any = DiTTransformer2DModel(**config(model))  # type: ignore[no-untyped-call]
    exported.load_state_dict({name: t.detach().float().cpu() for name, t in out.items()})
    return exported.eval()


def config(model: DiT) -> dict[str, Any]:
    """The configuration of the DiTTransformer2DModel of a DiT's shape."""
    return {
        "num_attention_heads": model.heads,
        "attention_head_dim": model.width // model.heads,
        "in_channels": model.channels,
        "out_channels": 2 * model.channels,
        "num_layers": model.depth,
        "sample_size": model.input_size,
        "patch_size": model.patch_size,
        "num_embeds_ada_norm": model.num_classes,
        "norm_eps": 1e-6,  # the official value; diffusers' default is 1e-5
    }


def correct_frequencies(transformer: Any) -> None:
    """Give a loaded DiTTransformer2DModel the official timestep frequencies, in place."""
    for block in transformer.transformer_blocks:
        block.norm1.emb.time_proj.downscale_freq_shift = 0
