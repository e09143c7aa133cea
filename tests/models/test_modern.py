"""DiT-modern agrees with LightningDiT's published code, part by part."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

import harness.testing
from harness import components
from harness.components.family import Input
from harness.models import build
from harness.models.modern import DiTModern, DiTModernMicro

DATA = Path(__file__).parents[1] / "data" / "tenants"
SMALL = Input(side=8, channels=4, num_classes=10, out_channels=4)
SHAPE = {"depth": 2, "width": 32, "heads": 2, "patch_size": 2}
PLAIN = {"norm": "layer", "mlp": "gelu", "rotary": False, "qk_norm": False}
PUBLISHED = {"plain": PLAIN, "full": {}, "noshift": {"qk_norm": False, "shift": False}}


def published_state(name: str) -> dict[str, torch.Tensor]:
    return torch.load(DATA / f"lightningdit_{name}.pt", weights_only=True)


@pytest.mark.parametrize("name", PUBLISHED)
def test_outputs_are_the_published_codes(name) -> None:
    family = DiTModern(**SHAPE, **PUBLISHED[name])
    model = family.build(SMALL).eval()
    state = family.import_state(published_state(name))
    assert state is not None
    model.load_state_dict(state)
    golden = np.load(DATA / f"lightningdit_{name}.npz")
    x, t, y = (torch.from_numpy(golden[each]) for each in "xty")
    with torch.no_grad():
        np.testing.assert_allclose(model(x, t, y), golden["out"], rtol=1e-5, atol=1e-5)


def test_the_published_tables_are_those_worked_out() -> None:
    state = published_state("full")
    model = DiTModern(**SHAPE).build(SMALL)
    torch.testing.assert_close(model.pos_embed, state["pos_embed"], atol=1e-6, rtol=0)
    torch.testing.assert_close(model.cosine, state["feat_rope.freqs_cos"], atol=1e-6, rtol=0)
    torch.testing.assert_close(model.sine, state["feat_rope.freqs_sin"], atol=1e-6, rtol=0)


def test_without_its_parts_it_is_dit() -> None:
    plain = DiTModern(**SHAPE, **PLAIN).build(SMALL).eval()
    dit = build(
        depth=2, width=32, heads=2, patch_size=2, input_size=8, channels=4, num_classes=10,
        out_channels=4,
    ).eval()  # fmt: skip
    with torch.no_grad():
        for parameter in dit.parameters():
            parameter.normal_(std=0.1)
        plain.load_state_dict({k: v for k, v in dit.state_dict().items() if k != "pos_embed"})
        x, t, y = torch.randn(2, 4, 8, 8), torch.tensor([3.0, 700.0]), torch.tensor([1, 10])
        torch.testing.assert_close(plain(x, t, y), dit(x, t, y))


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings", [{}, {"shift": False}, {"mlp": "gelu"}, {"rotary": False}, {"norm": "layer"}, PLAIN]
)
def test_every_combination_keeps_the_laws(settings) -> None:
    harness.testing.check("family", "DiT-modern", **SHAPE, **settings)


@pytest.mark.slow
@pytest.mark.parametrize("size", DiTModernMicro.sizes)
def test_the_laptops_sizes_keep_the_laws(size) -> None:
    harness.testing.check("family", "DiT-modern-micro", size=size, patch_size=4)


def test_rotation_makes_scores_a_function_of_distance() -> None:
    from harness.models.modern_network import rotary_table, rotate

    cosine, sine = rotary_table(4, 8)
    q, k = torch.randn(8), torch.randn(8)
    every = rotate(q.expand(1, 1, 16, 8), cosine, sine), rotate(k.expand(1, 1, 16, 8), cosine, sine)
    scores = (every[0] @ every[1].transpose(-1, -2))[0, 0].view(4, 4, 4, 4)
    torch.testing.assert_close(scores[0, 0, 1, 2], scores[2, 1, 3, 3])
    assert not torch.isclose(scores[0, 0, 1, 2], scores[0, 0, 2, 1])


def test_names_and_keys() -> None:
    assert components.get("family", "DiT-modern") is DiTModern
    assert DiTModern.short("DiT-modern-XL/2") == {"size": "XL", "patch_size": 2}
    assert DiTModern.short("DiT-XL/2") is None
    assert DiTModernMicro.short("DiT-modern-micro-S/4") == {"size": "S", "patch_size": 4}
    assert DiTModern.short("DiT-modern-micro-S/4") is None
    family = DiTModern(size="S", patch_size=2, shift=False)
    written = family.architecture(SMALL)
    assert written["shift"] is False
    assert written["width"] == 384
    assert DiTModern.from_architecture(written)[0].architecture(SMALL) == written


@pytest.mark.slow
def test_importing_the_light_half_does_not_import_torch() -> None:
    code = "import sys, harness.models.modern; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_heads_that_rotary_positions_do_not_fit_are_refused() -> None:
    with pytest.raises(ValidationError, match="heads may be 1, 2, 11, 22"):
        DiTModern(depth=2, width=88, heads=4, patch_size=2)
    DiTModern(depth=2, width=88, heads=4, patch_size=2, rotary=False)


def test_bf16_autocast_keeps_the_residual_in_float32() -> None:
    model = DiTModern(**SHAPE).build(SMALL).eval()
    seen: list[torch.dtype] = []
    model.blocks[1].register_forward_hook(lambda module, inputs, out: seen.append(out.dtype))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        model(torch.randn(2, 4, 8, 8), torch.tensor([0.1, 0.2]), torch.tensor([1, 2]))
    assert seen == [torch.float32]
