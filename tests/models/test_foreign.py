"""Published checkpoints are recognised by their names and shapes, and load."""

from __future__ import annotations

from pathlib import Path

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
    with pytest.raises(BadInput, match=r"(?s)does not fit U-ViT.*norm\.bias"):
        foreign.read(tmp_path / "damaged.pt", heads=2)
