"""Checkpoints as training scripts save them: read, saying which weights, or refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from harness.errors import BadInput
from harness.models import build, diffusers_format
from harness.models.checkpoint import read_checkpoint
from harness.models.state_dicts import found_in

SMALL = {"depth": 2, "width": 24, "heads": 4, "patch_size": 2, "input_size": 6, "num_classes": 7}


@pytest.fixture
def state(randomised) -> dict[str, torch.Tensor]:
    return randomised(build(**SMALL)).state_dict()


@pytest.fixture
def ema(randomised) -> dict[str, torch.Tensor]:
    return randomised(build(**SMALL), std=0.3).state_dict()


def put(state: dict[str, Any], front: str = "", inside: str = "") -> dict[str, Any]:
    """Names as wrappers leave them: something in front, and something in each block."""
    out = {}
    for name, t in state.items():
        head, block, rest = name.partition("blocks.0.")
        out[front + (f"{head}{block}{inside}{rest}" if block else name)] = t
    return out


def taken(content: Any) -> tuple[dict[str, torch.Tensor], str]:
    found = read_checkpoint(content, heads=4)
    return found.model.state_dict(), found.weights


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return set(one) == set(other) and all(torch.equal(one[n], other[n]) for n in one)


@pytest.mark.parametrize(
    ("front", "inside"),
    [
        *(
            ("module.", ""),
            ("_orig_mod.", ""),
            ("module._orig_mod.", ""),
            ("_orig_mod.module.", ""),
        ),
        *(("", "_orig_mod."), ("", "_checkpoint_wrapped_module."), ("model.", "")),
        *(("_fsdp_wrapped_module.", "_fsdp_wrapped_module._checkpoint_wrapped_module."),),
        ("net.module.", "_orig_mod."),
    ],
)
def test_names_that_wrappers_write_are_taken_off(
    front: str, inside: str, state: dict[str, torch.Tensor]
) -> None:
    found, said = taken(put(state, front, inside))
    assert same(found, state)
    assert said.startswith(f"{len(state)} tensors")


@pytest.mark.parametrize("name", ["model", "state_dict", "model_state_dict", "module"])
def test_a_wrapped_state_dict_is_found_and_named(name: str, state: dict[str, torch.Tensor]) -> None:
    found, said = taken({name: state, "epoch": 3, "opt": {"lr": 0.1}})
    assert same(found, state)
    assert said == f"{len(state)} tensors of {name!r} (the model's own weights)"


def test_averaged_weights_are_preferred_wherever_they_are(
    state: dict[str, torch.Tensor], ema: dict[str, torch.Tensor]
) -> None:
    for content in (
        {"model": state, "ema": ema},
        {"model_state_dict": state, "ema_state_dict": ema},
        {"state_dict": {**put(state, "model."), **put(ema, "ema.")}},  # Lightning's
        {"params": state, "params_ema": ema},  # BasicSR's
        {  # torch's AveragedModel beside the model
            "model_state_dict": state,
            "averaged": {**put(ema, "module."), "n_averaged": torch.tensor(5)},
        },
        {**put(state, "online_model."), **put(ema, "ema_model."), "step": torch.tensor(5)},
    ):
        found, said = taken(content)
        assert same(found, ema) and "averaged weights" in said


@pytest.mark.parametrize(
    ("way", "said"),
    [
        (("ema", "shadow"), "of 'ema.shadow' (averaged weights)"),
        (("shadow",), "of 'shadow' (averaged weights)"),
        (("checkpoint", "state"), "of 'checkpoint.state' (the model's own weights)"),
        (("checkpoint", "ema", "shadow"), "(averaged weights)"),
        (("trainer", "denoiser"), "of 'trainer.denoiser' (averaged or not: no name says)"),
        (("trainer", "ema"), "of 'trainer.ema' (averaged weights)"),
        (("trainer", "model"), "of 'trainer.model' (the model's own weights)"),
    ],
)
def test_weights_are_found_however_deep_and_under_names_that_nobody_knows(
    way: tuple[str, ...], said: str, state: dict[str, torch.Tensor]
) -> None:
    content: dict[Any, Any] = dict(state)
    for name in reversed(way):
        content = {name: content, "decay": 0.999, "step": torch.tensor(7)}
    content["optimizer"] = {"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": []}
    read, found = taken(content)
    assert same(read, state)
    assert said in found


def test_two_networks_under_names_that_nobody_knows_are_refused_by_name(
    state: dict[str, torch.Tensor], ema: dict[str, torch.Tensor]
) -> None:
    with pytest.raises(BadInput, match=r"2 networks \('student', 'teacher'\): save one"):
        found_in({"student": state, "teacher": {"net": ema}}, "x.pt")


def test_other_networks_beside_it_are_left_and_counted(state: dict[str, torch.Tensor]) -> None:
    content = {"state_dict": {**put(state, "model."), "vae.conv.weight": torch.zeros(3)}}
    found, said = taken(content)
    assert same(found, state)
    assert said.endswith("; 1 other was not taken") and "'state_dict.model'" in said


def test_weights_under_a_name_that_nobody_knows_are_said_to_be_left(
    state: dict[str, torch.Tensor], ema: dict[str, torch.Tensor]
) -> None:
    found, said = taken({"model": state, "smoothed": put(ema, "module."), "optimizer": {0: 1}})
    assert same(found, state)
    assert said.endswith(
        "(the model's own weights); 'smoothed' holds such weights too and was not taken"
    )


def test_an_average_that_is_no_state_dict_is_said_to_be_left(
    state: dict[str, torch.Tensor],
) -> None:
    for average, called in ((list(state.values()), "a list"), ("best.pt", "a text")):
        found, said = taken({"model": state, "model_ema": average})
        assert same(found, state)
        assert said.endswith(f"'model_ema' is {called} and was not taken")


def test_an_empty_ema_is_said(state: dict[str, torch.Tensor]) -> None:
    found, said = taken({"ema": {}, "model": state})
    assert same(found, state) and said.endswith("(the model's own weights); 'ema' is empty")


@pytest.mark.parametrize(
    ("beside", "left"),
    [
        ({"decay": torch.tensor(0.9), "num_updates": torch.tensor(3)}, "2 others were"),  # LitEma's
        ({"decay": 0.999}, "1 other was"),
        ({"n_averaged": torch.tensor(7)}, "1 other was"),  # torch's AveragedModel's
        ({"epoch": 3, "loss": None, "best": np.float64(3.5)}, "3 others were"),
    ],
)
def test_numbers_beside_the_weights_are_no_weights(
    beside: dict[str, Any], left: str, state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    torch.save({"ema": {**state, **beside}}, tmp_path / "x.pt")
    loaded = read_checkpoint(tmp_path / "x.pt", heads=4)
    assert same(loaded.model.state_dict(), state)
    assert loaded.weights.endswith(f"'ema' (averaged weights); {left} not taken")


@pytest.mark.parametrize("inner", ["", "diffusion_model."])
def test_the_averages_of_latent_diffusion_are_found_by_their_names_without_dots(
    inner: str, state: dict[str, torch.Tensor], ema: dict[str, torch.Tensor]
) -> None:
    """Taken for strangers, the model's own weights would be sampled and called the checkpoint."""
    trained = {n: t for n, t in ema.items() if n != "pos_embed"}
    averages = {f"model_ema.{(inner + n).replace('.', '')}": t for n, t in trained.items()}
    found, said = taken({"state_dict": {**put(state, f"model.{inner}"), **averages}})
    assert same(found, {**trained, "pos_embed": state["pos_embed"]})
    assert "of 'state_dict.model_ema' (averaged weights)" in said
    assert said.endswith("; pos_embed of the model, as it is not averaged")
    lacking = dict(list(averages.items())[1:])  # not all of them: not taken for averages
    found, said = taken({"state_dict": {**put(state, f"model.{inner}"), **lacking}})
    assert same(found, state) and "the model's own weights" in said


@pytest.mark.parametrize("wrap", [lambda s: s, lambda s: {"model": s, "step": np.int64(3)}])
def test_arrays_of_numpy_are_read(wrap: Any, state: dict[str, torch.Tensor], tmp_path) -> None:
    torch.save(wrap({n: t.numpy() for n, t in state.items()}), tmp_path / "x.pt")
    assert same(read_checkpoint(tmp_path / "x.pt", heads=4).model.state_dict(), state)


def test_a_file_is_read_by_its_content_whatever_its_name(state, tmp_path) -> None:
    whole = {n: t.contiguous() for n, t in state.items()}
    for name in ("x.pt", "x", "x.bin"):
        save_file(whole, tmp_path / name)
        assert same(read_checkpoint(tmp_path / name, heads=4).model.state_dict(), state)
    torch.save(state, tmp_path / "y.safetensors")
    assert same(read_checkpoint(tmp_path / "y.safetensors", heads=4).model.state_dict(), state)


@pytest.mark.parametrize("name", ["x.pt", "x.safetensors"])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:a\n", "run `git lfs pull`"),
        (b"<!DOCTYPE html><title>404</title>", "a web page: the download went wrong"),
        (b"\x1f\x8b\x08rest", "compressed by gzip: unpack it first"),
        (bytes(300), "nothing but zeros"),
    ],
)
def test_what_is_no_checkpoint_at_all_is_called_what_it_is(
    content: bytes, said: str, name: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput, match=rf"{name} is .*{said}"):
        read_checkpoint(tmp_path / name)


def test_half_of_an_average_is_named_as_the_entry_that_lacks(
    state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    half = dict(list(state.items())[::2])
    torch.save({"ema": half, "model": state}, tmp_path / "x.pt")
    with pytest.raises(BadInput, match=r"x\.pt, entry ema is not a DiT's: missing "):
        read_checkpoint(tmp_path / "x.pt", heads=4)


@pytest.mark.parametrize(
    ("value", "said"), [("hi", "a text"), (5, "a number"), (None, "nothing"), ([1], "a list")]
)
def test_what_is_no_mapping_is_told_in_plain_words(value: Any, said: str, tmp_path: Path) -> None:
    torch.save(value, tmp_path / "x.pt")
    with pytest.raises(BadInput, match=rf"x\.pt holds no state dict but {said}.*: save "):
        read_checkpoint(tmp_path / "x.pt")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda s: {"ema": {}}, "holds no weights: its entry 'ema' is empty"),
        (lambda s: {}, "it is empty"),
        (lambda s: {"state_dict": {"model": 3}}, "entry state_dict, is not a state dict of a"),
        (lambda s: {**put(s, "a."), **put(s, "b.")}, "weights of 2 networks ('a', 'b')"),
        (lambda s: {**s, "pos_embed": s["pos_embed"].to("meta")}, "pos_embed has no values"),
        (
            lambda s: {
                **s,
                "final_layer.linear.weight": s["final_layer.linear.weight"].to_sparse(),
            },
            "final_layer.linear.weight is sparse",
        ),
        (lambda s: {n: t.to(torch.int8) for n, t in s.items()}, "holds int8, no floating numbers"),
        (
            lambda s: {**s, "pos_embed": torch.full_like(s["pos_embed"], float("nan"))},
            "pos_embed holds 216 weights that are NaN or infinite",
        ),
        (
            lambda s: {
                **s,
                "final_layer.linear.bias": s["final_layer.linear.bias"].double() + 1e300,
            },
            "final_layer.linear.bias holds 32 weights that are NaN or infinite",
        ),
        (
            lambda s: {**s, "y_embedder.embedding_table.weight": torch.zeros(1000, 24)},
            "y_embedder.embedding_table has 1,000 rows, and no null label",
        ),
    ],
)
def test_what_cannot_be_a_models_weights_is_refused_in_a_sentence(
    make: Any, said: str, state: dict[str, torch.Tensor]
) -> None:
    with pytest.raises(BadInput) as caught:
        read_checkpoint(make(state), heads=4)
    assert said in str(caught.value) and "\n" not in str(caught.value)


OF_ANOTHER = {"layer.weight": torch.zeros(2, 2), "layer.bias": torch.zeros(2)}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"generator": OF_ANOTHER}, "generator (2 tensors: layer.weight, layer.bias)"),
        ({"G": OF_ANOTHER, "D": OF_ANOTHER}, "layer.bias), D (2 tensors"),
        ({"optimizer": {"state": {}, "param_groups": [1]}}, "optimizer (a mapping: state, param_"),
        ({"epoch": 3, "lr": 0.1}, "epoch (a number), lr (a number)"),
        ({"generator": {}}, "generator (an empty mapping)"),
        ({"params": [torch.zeros(2)]}, "params (a list, in which tensors have no names)"),
        ({"ema": {"decay": 0.9, "shadow_params": [torch.zeros(2)]}}, "shadow_params (a list"),
    ],
)
def test_wrapped_content_of_another_kind_is_told_as_what_it_is_with_the_remedy(
    content: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadInput) as caught:
        found_in(content, "f")
    assert said in str(caught.value)
    assert "save the network's state_dict(), alone or as the entry 'ema'" in str(caught.value)


def test_the_entry_that_is_taken_is_not_told_as_left(state: dict[str, torch.Tensor]) -> None:
    for content in ({"generator": state}, {"a": {"b": state}}, {"G": state, "D": OF_ANOTHER}):
        assert "was not taken" not in found_in(content, "f").said


def test_a_list_is_named_as_one(state: dict[str, torch.Tensor]) -> None:
    with pytest.raises(BadInput, match="f holds no state dict but a list"):
        found_in([state], "f")


@pytest.mark.parametrize("name", ["weights.pt", "weights.safetensors"])
def test_an_empty_file_is_said_to_be_one(name: str, tmp_path) -> None:
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(BadInput, match=rf"{name} is empty \(0 bytes\)"):
        read_checkpoint(tmp_path / name)


def test_integers_in_a_safetensors_file_are_refused(state, tmp_path) -> None:
    save_file(
        {n: t.to(torch.int32).contiguous() for n, t in state.items()}, tmp_path / "w.safetensors"
    )
    with pytest.raises(BadInput, match=r"w.safetensors: .* holds int32"):
        read_checkpoint(tmp_path / "w.safetensors", heads=4)


def test_fields_of_diffusers_configuration_are_listed_or_refused() -> None:
    released = {
        **{"_class_name": "Transformer2DModel", "activation_fn": "gelu-approximate"},
        **{"attention_bias": True, "dropout": 0.0, "in_channels": 4, "out_channels": 8},
        **{"norm_type": "ada_norm_zero", "norm_elementwise_affine": False, "norm_eps": 1e-5},
    }
    notes = diffusers_format.ignored(released, "config.json")
    assert notes == (
        "config.json: ignored: dropout 0.0",
        "config.json: norm_eps is 1e-05, a DiT's 1e-06 is used",
    )
    for field, value in (
        *(("activation_fn", "geglu"), ("norm_type", "layer_norm"), ("norm_eps", 1e-2)),
        *(("cross_attention_dim", 768), ("out_channels", 4), ("attention_bias", False)),
    ):
        with pytest.raises(BadInput, match=rf"config.json: {field} is '?{value}"):
            diffusers_format.ignored({**released, field: value}, "config.json")


@pytest.mark.parametrize(
    "field, value, said",
    [
        ("num_layers", 9, "num_layers is 9, and the weights beside it have 2"),
        ("patch_size", 3, "patch_size is 3, and the weights beside it have 2"),
        ("num_embeds_ada_norm", 9, "num_embeds_ada_norm is 9, and the weights"),
        ("attention_head_dim", 9, "attention_head_dim is 36, and the weights beside it have 24"),
        ("_class_name", "PixArtTransformer2DModel", "is of PixArtTransformer2DModel, not of DiT"),
    ],
)
def test_a_diffusers_configuration_of_another_model_is_refused(
    field: str, value: Any, said: str, randomised: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "theirs"
    diffusers_format.to_diffusers(randomised(build(**SMALL))).save_pretrained(folder)
    assert read_checkpoint(folder).model.depth == 2
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, field: value}))
    with pytest.raises(BadInput, match=said):
        read_checkpoint(folder)


def test_a_dictionary_that_holds_itself_is_refused() -> None:
    content: dict[str, Any] = {}
    content["model"] = content
    with pytest.raises(BadInput, match="no state dict within 8 entries"):
        found_in(content, "odd.pt")


@pytest.mark.parametrize("content", [b"hello", b"\x80\x02", b"PK\x03\x04 cut off"])
def test_a_file_that_is_none_is_said_to_be_none(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "odd.pt").write_bytes(content)
    with pytest.raises(BadInput, match=r"odd\.pt (cannot be read as a checkpoint: \w+|was ref)"):
        read_checkpoint(tmp_path / "odd.pt")


def test_a_folder_without_a_checkpoint_says_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "unet.fp16.safetensors").touch()
    with pytest.raises(BadInput, match=r"it holds unet\.fp16\.safetensors"):
        read_checkpoint(tmp_path)
