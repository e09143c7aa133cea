"""A DiT from a name or from numbers: what is given, what is completed, and nothing allocated."""

from __future__ import annotations

import pytest
import torch

from harness.errors import BadInput
from harness.models import build
from harness.models.zoo import BLOCKS, names

SMALL = {"depth": 2, "width": 24, "heads": 4, "patch_size": 2, "input_size": 6, "num_classes": 7}


def parameters(model: torch.nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def test_xl_2_has_the_papers_parameters_and_nothing_is_allocated() -> None:
    with torch.device("meta"):
        model = build("DiT-XL/2")
    assert all(p.is_meta for p in model.parameters())
    assert parameters(model) == pytest.approx(675.1e6, rel=1e-3)  # 675M in the paper's Table 4
    assert (model.depth, model.width, model.heads) == (28, 1152, 16)
    assert (model.input_size, model.channels, model.out_channels) == (32, 4, 8)


@pytest.mark.parametrize("name", ["DiT-S/8", "DiT-micro-S/4", "DiT-XL/2"])
def test_a_name_and_its_numbers_are_one_network(name: str) -> None:
    assert name in names()
    with torch.device("meta"):
        named = build(name)
        numbers = build(
            depth=named.depth,
            width=named.width,
            heads=named.heads,
            patch_size=named.patch_size,
            input_size=named.input_size,
            channels=named.channels,
        )
    ours, theirs = ({n: t.shape for n, t in m.state_dict().items()} for m in (named, numbers))
    assert ours == theirs


@pytest.mark.parametrize("block", BLOCKS)
def test_every_design_maps_images_to_noise_and_variance(block: str) -> None:
    model = build(**SMALL, block=block)
    x, t, y = torch.zeros(2, 4, 6, 6), torch.tensor([0, 999]), torch.tensor([0, 7])
    assert model(x, t, y).shape == (2, 8, 6, 6)


def test_sizes_are_in_pixels_or_in_the_models_own_space() -> None:
    with torch.device("meta"):
        assert build("DiT-S/2", image_size=512).input_size == 64
        assert build("DiT-S/2", input_size=40).input_size == 40
        assert build("DiT-micro-S/4", image_size=32).input_size == 32  # on pixels
        assert build("DiT-S/2", out_channels=4).out_channels == 4
        assert build("DiT-S/2", channels=16).out_channels == 32


def test_the_label_table_has_a_row_for_no_class() -> None:
    assert build(**SMALL).y_embedder.embedding_table.num_embeddings == 8
    unconditional = build(**{**SMALL, "num_classes": 0})
    assert unconditional.y_embedder.embedding_table.num_embeddings == 1


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"name": "DiT-XL/2", "depth": 3}, "fixes depth"),
        ({"name": "DiT-Q/2"}, "unknown model"),
        ({"depth": 2}, r"also needs width, heads, patch_size"),
        ({**SMALL, "heads": 5}, "not divisible by 5 heads"),
        ({**SMALL, "block": "mlp"}, "unknown block 'mlp'"),
        ({"name": "DiT-S/2", "image_size": 250}, "not a multiple of 8"),
        ({**SMALL, "input_size": 7}, "patch"),
    ],
)
def test_what_makes_no_network_is_refused(wrong: dict, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        build(**wrong)


def test_it_starts_as_the_identity_of_nothing() -> None:
    """adaLN-Zero: every block and the last layer start at zero, so the output is zero."""
    x, t, y = torch.randn(1, 4, 6, 6), torch.tensor([5]), torch.tensor([1])
    assert not build(**SMALL)(x, t, y).any()
