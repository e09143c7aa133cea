"""Published checkpoints are recognised by their names and shapes, and load."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from harness.components.family import Input
from harness.errors import BadInput
from harness.models import foreign
from harness.models.families import DiTFamily
from harness.models.modern import DiTModern
from harness.models.uvit import UViTFamily

DATA = Path(__file__).parents[1] / "data"
PLAIN = {"norm": "layer", "mlp": "gelu", "rotary": False, "qk_norm": False}
SHAPE = {"depth": 2, "width": 32, "heads": 2, "patch_size": 2}
SMALL = Input(side=8, channels=4, num_classes=10, out_channels=4)
FILES = {
    "uvit": UViTFamily(**{**SHAPE, "depth": 5}),
    "lightningdit_plain": DiTModern(**SHAPE, **PLAIN),
    "lightningdit_full": DiTModern(**SHAPE),
    "lightningdit_noshift": DiTModern(**SHAPE, qk_norm=False, shift=False),
}


@pytest.mark.parametrize("name", FILES)
def test_a_published_file_is_recognised_and_gives_its_outputs(name) -> None:
    family, given, state = foreign.read(DATA / "tenants" / f"{name}.pt", heads=2)
    assert (family, given) == (FILES[name], SMALL)
    model = family.build(given).eval()
    model.load_state_dict(state)
    outputs = "uvit_forward" if name == "uvit" else name
    golden = np.load(DATA / "tenants" / f"{outputs}.npz")
    x, t, y = (torch.from_numpy(golden[each]) for each in "xty")
    with torch.no_grad():
        np.testing.assert_allclose(model(x, t, y), golden["out"], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["tenants/sit", "models/small_dit"])
def test_a_sit_and_a_dit_are_dits(name) -> None:
    heads = 2 if "sit" in name else 4
    path = DATA / f"{name}.pt"
    if "sit" in name:
        family, given, _ = foreign.read(path, heads=heads)
        assert isinstance(family, DiTFamily)
        assert given.out_channels == 8
    else:
        stored = torch.load(path, weights_only=True)["state_dict"]
        assert foreign.recognised(stored, heads) is None


def test_heads_that_no_size_tells_must_be_given() -> None:
    with pytest.raises(BadInput, match="--heads"):
        foreign.read(DATA / "tenants" / "uvit.pt")
    state = {k: torch.empty(v.shape, device="meta") for k, v in _meta_state("S").items()}
    found = foreign.recognised(state)
    assert found is not None
    assert found[0].architecture(SMALL) == UViTFamily(size="S", patch_size=2).architecture(SMALL)


def _meta_state(size: str) -> dict[str, torch.Tensor]:
    with torch.device("meta"):
        return UViTFamily(size=size, patch_size=2).build(SMALL).state_dict()


def test_a_checkpoint_with_a_missing_tensor_is_refused(tmp_path) -> None:
    state = torch.load(DATA / "tenants" / "uvit.pt", weights_only=True)
    del state["norm.bias"]
    torch.save(state, tmp_path / "damaged.pt")
    with pytest.raises(BadInput, match=r"(?s)does not fit U-ViT.*missing: norm\.bias"):
        foreign.read(tmp_path / "damaged.pt", heads=2)


@cache
def published(name: str) -> dict[str, torch.Tensor]:
    return torch.load(DATA / "tenants" / f"{name}.pt", weights_only=True)


def before(front: str, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {front + name: value for name, value in state.items()}


def wrapped(how: str, state: dict[str, torch.Tensor]) -> Any:
    """A file as training scripts write it, with weights of nothing in the other place."""
    other = {name: torch.zeros_like(value) for name, value in state.items()}
    return {
        "SiT, DiT": {"model": other, "ema": state, "opt": {"state": {}}, "args": None},
        "LightningDiT": {
            "model": before("module.", other), "ema": before("module.", state), "opt": {}
        },
        "U-ViT": before("module.", state),
        "U-ViT, both": {"step": torch.tensor(7), "nnet": other, "nnet_ema": state},
        "Lightning": {"state_dict": {**before("model.", other), **before("ema.", state)}},
        "compiled": {"ema": before("_orig_mod.", state), "model": before("_orig_mod.", other)},
        "compiled, parallel": {"state_dict": before("module._orig_mod.", state)},
        "sharded": {"model": before("_fsdp_wrapped_module.", state), "epoch": 3},
        "with a decay": {"ema": {"decay": 0.9999, "updates": torch.tensor(5), **state}},
    }[how]  # fmt: skip


WRAPPINGS = (
    *("SiT, DiT", "LightningDiT", "U-ViT", "U-ViT, both", "Lightning", "compiled"),
    *("compiled, parallel", "sharded", "with a decay"),
)


@pytest.mark.slow
@pytest.mark.parametrize("how", WRAPPINGS)
@pytest.mark.parametrize("name", ["sit", "uvit", "lightningdit_full"])
def test_published_weights_are_found_in_what_scripts_wrap_them_in(
    name: str, how: str, tmp_path: Path
) -> None:
    """The averaged ones where there are two, and they are those of the bare state dict."""
    torch.save(wrapped(how, published(name)), tmp_path / "theirs.pt")
    found = foreign.find(tmp_path / "theirs.pt", heads=2)
    bare = foreign.find(DATA / "tenants" / f"{name}.pt", heads=2)
    assert (found.family, found.input) == (bare.family, bare.input)
    assert found.state.keys() == bare.state.keys()
    assert all(torch.equal(found.state[key], bare.state[key]) for key in bare.state)
    assert any(bool(value.any()) for value in found.state.values())


@pytest.mark.parametrize(
    ("name", "lacks", "said"),
    [
        ("uvit", "pos_embed", "named as those of a U-ViT, and it lacks pos_embed"),
        ("uvit", "label_emb.weight", "only class-conditional ones are read"),
        ("uvit", "out_blocks.1.skip_linear.weight", "missing: out_blocks.1.skip_linear.weight"),
        ("lightningdit_full", "blocks.0.mlp.w3.bias", "missing: blocks.0.mlp.w3.bias"),
        ("lightningdit_full", "blocks.0.attn.q_norm.weight", "extra: blocks.0.attn.k_norm.weight"),
        ("lightningdit_full", "pos_embed", "missing pos_embed"),
        ("sit", "blocks.1.attn.proj.weight", "missing: blocks.1.attn.proj.weight"),
        ("sit", "y_embedder.embedding_table.weight", "missing y_embedder.embedding_table.weight"),
    ],
)
def test_what_a_published_checkpoint_lacks_is_named(
    name: str, lacks: str, said: str, tmp_path: Path
) -> None:
    state = {key: value for key, value in published(name).items() if key != lacks}
    torch.save({"ema": state}, tmp_path / "theirs.pt")
    with pytest.raises(BadInput) as caught:
        foreign.find(tmp_path / "theirs.pt", heads=2)
    assert said in str(caught.value)
    assert "theirs.pt" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        (
            "x_embedder.proj.weight",
            torch.zeros(()),
            r"\(x_embedder\S+ is a single number\)",
        ),
        ("x_embedder.proj.weight", torch.zeros(0, 4, 2, 2), r"shape is \(0, 4, 2, 2\)"),
        ("pos_embed", torch.zeros(1, 0, 32), r"pos_embed holds nothing: .* is \(1, 0, 32\)"),
    ],
)
def test_a_tensor_that_no_weights_are_is_named_with_the_file(
    name: str, value: torch.Tensor, said: str, tmp_path: Path
) -> None:
    state = torch.load(DATA / "models" / "small_dit.pt", weights_only=True)["state_dict"]
    torch.save({**state, name: value}, tmp_path / "odd.pt")
    with pytest.raises(BadInput, match=rf"odd\.pt: .*{said}"):
        foreign.find(tmp_path / "odd.pt", 4)
