from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.diffusion import Diffusion, guided
from harness.errors import BadInput


class Counting(torch.nn.Module):
    """Returns the label in every channel, and remembers the batches it was called with."""

    null_label = 10

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []

    def forward(self, x, t, y):
        self.batches.append(len(x))
        return y.float()[:, None, None, None].expand(len(x), 2 * x.shape[1], *x.shape[2:])


def inputs(n: int = 2):
    return torch.zeros(n, 4, 2, 2), torch.full((n,), 500), torch.arange(n)


def test_guidance_is_the_references(golden_io, small_dit) -> None:
    x, t, y = (torch.from_numpy(golden_io[f"cfg_{name}"])[:3] for name in "xty")
    with torch.no_grad():
        out = guided(small_dit, float(golden_io["cfg_scale"]), channels=3)(x, t, y)
    np.testing.assert_allclose(out, golden_io["cfg_out"][:3], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("channels, count", [(3, 3), (1, 1), (4, 4), (None, 4)])
@pytest.mark.parametrize("scale", [0.0, 1.5, 4.0])
def test_the_guided_channels_move_away_from_null_and_the_rest_stay(channels, count, scale) -> None:
    model = Counting()
    out = guided(model, scale, channels)(*inputs())
    y = inputs()[2].float()[:, None, None, None]
    assert model.batches == [4]
    torch.testing.assert_close(out[:, :count], (10 + scale * (y - 10)).expand(2, count, 2, 2))
    torch.testing.assert_close(out[:, count:], y.expand(2, 8 - count, 2, 2))


def test_scale_one_costs_one_forward() -> None:
    model = Counting()
    out = guided(model, 1.0)(*inputs())
    assert model.batches == [2]
    assert (out[1] == 1).all()


def test_scale_one_needs_no_null_label() -> None:
    guided(lambda x, t, y: x, 1.0)(*inputs())
    with pytest.raises(BadInput, match="label dropout"):
        guided(lambda x, t, y: x, 1.5)


def test_outside_its_interval_guidance_costs_one_forward() -> None:
    model = Counting()
    diffusion = Diffusion(sampling="4")  # 0, 333, 666, 999
    diffusion.sample(guided(model, 2.0, interval=(300, 700)), inputs()[0], y=inputs()[2])
    assert model.batches == [2, 4, 4, 2]


def test_impossible_guidance_is_refused() -> None:
    with pytest.raises(BadInput, match="at least 1"):
        guided(Counting(), 2.0, channels=0)
    with pytest.raises(BadInput, match="5 channels, but samples have 4"):
        guided(Counting(), 2.0, channels=5)(*inputs())
    with pytest.raises(BadInput, match="interval"):
        guided(Counting(), 2.0, interval=(5, 4))
