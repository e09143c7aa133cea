from __future__ import annotations

import argparse
import dataclasses
import errno
import json
import os
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from harness.errors import BadInput, Missing
from harness.models import build, load_checkpoint, save_checkpoint
from harness.models.checkpoint import architecture_of
from harness.models.zoo import BLOCKS

SMALL = {"depth": 2, "width": 24, "heads": 4, "patch_size": 2, "input_size": 6, "num_classes": 7}


def same(first, second) -> bool:
    ours, theirs = first.state_dict(), second.state_dict()
    return set(ours) == set(theirs) and all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.fixture
def model(randomised):
    return randomised(build(**SMALL))


def test_the_reference_implementations_file_loads_and_computes_the_same(
    golden_state, golden_io, tmp_path
):
    torch.save(golden_state, tmp_path / "small.pt")
    model = load_checkpoint(tmp_path / "small.pt", heads=4)
    assert (model.depth, model.width, model.patch_size, model.input_size) == (3, 48, 2, 8)
    assert (model.channels, model.num_classes, model.block) == (4, 10, "adaln-zero")
    assert not model.training
    with torch.no_grad():
        out = model(golden_io["x"], golden_io["t"], golden_io["y"])
    assert (out - golden_io["out"]).norm() < 1e-5 * golden_io["out"].norm()


def test_a_training_checkpoint_gives_its_ema_and_else_its_model(model, randomised, tmp_path):
    ema = randomised(build(**SMALL), std=0.3)
    whole = {
        "model": model.state_dict(),
        "ema": ema.state_dict(),
        "opt": torch.optim.AdamW(model.parameters()).state_dict(),
        "args": argparse.Namespace(model="DiT-XL/2", global_seed=0),  # as the official script does
    }
    torch.save(whole, tmp_path / "0050000.pt")
    assert same(load_checkpoint(tmp_path / "0050000.pt", heads=4), ema)
    del whole["ema"]
    torch.save(whole, tmp_path / "0050000.pt")
    assert same(load_checkpoint(tmp_path / "0050000.pt", heads=4), model)


def test_names_from_distributed_and_compiled_wrappers_are_understood(model):
    wrapped = {f"module._orig_mod.{name}": t for name, t in model.state_dict().items()}
    assert same(load_checkpoint(wrapped, heads=4), model)


def test_a_state_dict_in_memory_is_copied(model):
    state = model.state_dict()
    loaded = load_checkpoint(state, heads=4)
    with torch.no_grad():
        loaded.x_embedder.proj.bias.add_(1)
    assert not same(loaded, model)


def test_half_precision_weights_become_float32(model):
    loaded = load_checkpoint({n: t.half() for n, t in model.state_dict().items()}, heads=4)
    assert {p.dtype for p in loaded.parameters()} == {torch.float32}
    assert all(p.requires_grad for p in loaded.parameters())


@pytest.mark.parametrize("block", BLOCKS)
def test_our_own_checkpoints_bring_back_every_design(block, randomised, tmp_path):
    model = randomised(build(**SMALL, block=block))
    folder = save_checkpoint(model, tmp_path / "own")
    for source in (folder, str(folder / "model.safetensors")):
        loaded = load_checkpoint(source)
        assert same(loaded, model)
        assert architecture_of(loaded) == architecture_of(model)
    assert json.loads((folder / "model.json").read_text())["architecture"]["block"] == block


@pytest.mark.parametrize("block", BLOCKS)
def test_the_design_is_told_from_the_tensors(block):
    assert load_checkpoint(build(**SMALL, block=block).state_dict(), heads=4).block == block


def test_heads_come_from_the_zoo_or_have_to_be_given(model):
    zoo_model = build("DiT-micro-S/4", num_classes=3)
    assert load_checkpoint(zoo_model.state_dict()).heads == 2
    with pytest.raises(BadInput, match=r"depth 2 and width 24.*heads=16"):
        load_checkpoint(model.state_dict())
    with pytest.raises(BadInput, match="not divisible by 5 heads"):
        load_checkpoint(model.state_dict(), heads=5)


def test_heads_that_contradict_the_file_are_refused(model, tmp_path):
    folder = save_checkpoint(model, tmp_path)
    with pytest.raises(BadInput, match="says 4 heads, heads=6 was given"):
        load_checkpoint(folder, heads=6)


def test_missing_extra_and_misshapen_tensors_are_named(model):
    state = dict(model.state_dict())
    del state["blocks.1.mlp.fc2.bias"]
    state["blocks.1.mlp.fc3.bias"] = torch.zeros(24)
    state["blocks.0.attn.proj.weight"] = torch.zeros(24, 25)
    with pytest.raises(BadInput) as caught:
        load_checkpoint(state, heads=4)
    assert "missing: blocks.1.mlp.fc2.bias" in str(caught.value)
    assert "extra: blocks.1.mlp.fc3.bias" in str(caught.value)
    assert "misshapen: blocks.0.attn.proj.weight is (24, 25), should be (24, 24)" in str(
        caught.value
    )


def test_a_long_list_of_problems_is_cut_short(model):
    state = dict(model.state_dict()) | {f"extra.{i}": torch.zeros(1) for i in range(50)}
    with pytest.raises(BadInput, match="and 38 more"):
        load_checkpoint(state, heads=4)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: {"conv1.weight": torch.zeros(3, 3)}, "it has conv1.weight"),
        (lambda s: {}, "holds no state dict"),
        (lambda s: {**s, "args": ["x"]}, "it holds args (a list"),
        (lambda s: {**s, "pos_embed": torch.zeros(9, 24)}, "not 3 axes"),
        (lambda s: {k: v for k, v in s.items() if k != "pos_embed"}, "missing pos_embed"),
        (lambda s: {**s, "final_layer.linear.weight": torch.zeros(16, 24)}, "learn_sigma=False"),
        (
            lambda s: {**s, "pos_embed": torch.zeros(1, 8, 24)},
            "pos_embed has 8 rows, not one for each",
        ),
    ],
)
def test_a_checkpoint_of_another_architecture_is_refused(model, change, said):
    with pytest.raises(BadInput) as caught:
        load_checkpoint(change(model.state_dict()), heads=4)
    assert said in str(caught.value)


class RunsCode:
    def __init__(self, target):
        self.target = str(target)

    def __reduce__(self):
        return os.mkdir, (self.target,)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("save", ["torch", "pickle", "new pickle", "namespace"])
def test_a_pickle_that_wants_to_run_code_is_refused_and_nothing_runs(model, save, tmp_path):
    target, path = tmp_path / "executed", tmp_path / "evil.pt"
    content = {**model.state_dict(), "x": RunsCode(target)}
    if save == "namespace":
        content = {"ema": model.state_dict(), "args": argparse.Namespace(x=RunsCode(target))}
    if "pickle" in save:
        protocol = 4 if save == "new pickle" else 2
        path.write_bytes(pickle.dumps({"x": RunsCode(target)}, protocol=protocol))
    else:
        torch.save(content, path)
    with pytest.raises(BadInput, match=r"refused.*nothing in it was executed") as caught:
        load_checkpoint(path, heads=4)
    assert "asks for posix.mkdir" in str(caught.value) or save == "new pickle"
    assert not target.exists()
    # The file does what the test fears when read without care.
    if "pickle" in save:
        pickle.loads(path.read_bytes())
    else:
        torch.load(path, weights_only=False)
    assert target.exists()


@pytest.mark.parametrize("name", ["cut.pt", "cut.safetensors"])
def test_a_damaged_file_is_an_error_that_names_it(model, name, tmp_path):
    path = tmp_path / name
    if name.endswith(".pt"):
        torch.save(model.state_dict(), path)
    else:
        save_file(model.state_dict(), path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(BadInput, match=name):
        load_checkpoint(path, heads=4)
    path.write_bytes(b"")
    with pytest.raises(BadInput, match=name):
        load_checkpoint(path, heads=4)


@pytest.mark.parametrize("name", ["theirs.pt", "theirs.safetensors"])
def test_a_file_that_may_not_be_read_is_not_called_empty(name, tmp_path, monkeypatch):
    (tmp_path / name).write_bytes(b"x")

    def refused(path, *_, **__):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(BadInput, match=f"{name} cannot be read: Permission denied"):
        load_checkpoint(tmp_path / name, heads=4)


def test_a_path_without_a_checkpoint_is_an_error_that_says_so(tmp_path):
    with pytest.raises(Missing, match="no checkpoint at"):
        load_checkpoint(tmp_path / "absent.pt")
    with pytest.raises(BadInput, match=r"looked for model\.safetensors"):
        load_checkpoint(tmp_path)


def test_a_broken_json_beside_the_weights_is_named(model, tmp_path):
    folder = save_checkpoint(model, tmp_path)
    (folder / "model.json").write_text("{")
    with pytest.raises(BadInput, match=r"model\.json does not give heads"):
        load_checkpoint(folder)


def test_bare_safetensors_with_official_names_load(model, tmp_path):
    save_file(model.state_dict(), tmp_path / "ema.safetensors")
    assert same(load_checkpoint(tmp_path / "ema.safetensors", heads=4), model)
    assert set(load_file(tmp_path / "ema.safetensors")) == set(model.state_dict())


def test_a_train_stages_artifact_loads_without_being_told_heads(model, tmp_path):
    """Heads that no zoo has: the manifest says them."""
    save_file(model.state_dict(), tmp_path / "ema.safetensors")
    facts = {"architecture": dataclasses.asdict(architecture_of(model))}
    (tmp_path / "manifest.json").write_text(json.dumps({"kind": "train", "facts": facts}))
    assert same(load_checkpoint(tmp_path), model)
    (tmp_path / "manifest.json").unlink()
    with pytest.raises(BadInput, match="heads"):
        load_checkpoint(tmp_path)


def test_an_artifact_without_weights_is_called_one(tmp_path):
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(BadInput, match=r"a stage's artifact, .* whose weights were removed"):
        load_checkpoint(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("change", [{"num_classes": 0}, {"out_channels": 4}], ids=str)
def test_our_own_files_bring_back_what_shapes_do_not_tell(change, randomised, tmp_path):
    """Models without labels, and those of objectives whose network predicts one thing alone."""
    model = randomised(build(**{**SMALL, "channels": 4, **change}))
    saved = save_checkpoint(model, tmp_path / "own")
    assert same(load_checkpoint(saved), model)
    artifact = tmp_path / "artifact"
    artifact.mkdir()
    save_file(model.state_dict(), artifact / "ema.safetensors")
    architecture = {**dataclasses.asdict(architecture_of(model)), "base_width": 8}
    said = {"kind": "train", "facts": {"architecture": architecture}}
    (artifact / "manifest.json").write_text(json.dumps(said))
    assert same(load_checkpoint(artifact), model)
    with pytest.raises(BadInput, match=r"no null label|without a variance"):
        load_checkpoint(model.state_dict(), heads=4)  # of somebody else's file nobody can tell


def test_a_json_of_another_shape_than_the_weights_is_refused(model, tmp_path):
    folder = save_checkpoint(model, tmp_path)
    about = json.loads((folder / "model.json").read_text())
    about["architecture"]["depth"] = 3
    (folder / "model.json").write_text(json.dumps(about))
    with pytest.raises(BadInput, match=r"does not fit a DiT of depth 3(.|\n)*missing: blocks\.2\."):
        load_checkpoint(folder)
    about["architecture"]["depth"] = "three"
    (folder / "model.json").write_text(json.dumps(about))
    with pytest.raises(BadInput, match=r"model\.json does not give"):
        load_checkpoint(folder)
