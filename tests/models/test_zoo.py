from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import BadInput
from harness.models import zoo


def test_the_zoo_holds_table_1_of_the_paper():
    from harness.paper import table

    for row in table("table1_configs"):
        shape = zoo.resolve(f"{row['model']}/2")
        assert (shape.depth, shape.width, shape.heads) == (
            row["layers"],
            row["hidden_size"],
            row["heads"],
        )


def test_every_name_resolves_to_a_whole_number_of_channels_per_head():
    for name in zoo.names():
        shape = zoo.resolve(name)
        assert shape.width % shape.heads == 0, name
        assert zoo.architecture(name).tokens >= 1


def test_reading_the_zoo_imports_no_torch():
    code = (
        "import sys, harness.models, harness.models.zoo as z; z.architecture('DiT-XL/2');"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("wrong", "nearest"),
    [
        ("DiT-XLL/2", "DiT-XL/2"),
        ("dit-xl/2", "DiT-XL/2"),
        ("ADM256", "ADM-256"),
        ("B/4", "DiT-B/4"),
    ],
)
def test_an_unknown_name_lists_the_nearest(wrong, nearest):
    with pytest.raises(zoo.UnknownModel, match="nearest") as caught:
        zoo.architecture(wrong)
    assert nearest in str(caught.value)
    assert wrong in str(caught.value)


CUSTOM = {"depth": 2, "width": 48, "heads": 4, "patch_size": 2, "input_size": 8}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"heads": 5}, "heads may be 1, 2, 3, 4, 6, 8, 12"),
        ({"patch_size": 3}, "nearest image size: 6 or 9"),
        ({"input_size": None, "image_size": 100}, "nearest: 96 or 104"),
        ({"input_size": None, "image_size": 24, "patch_size": 2}, "nearest image size: 16 or 32"),
        ({"block": "adaln0"}, "adaln-zero, adaln, cross-attention, in-context"),
        ({"depth": 0}, "depth must be at least 1"),
        ({"num_classes": -1}, "num_classes must be at least 0"),
        ({"heads": None}, "also needs heads"),
        ({"name": "DiT-S/2"}, "fixes depth, width, heads, patch_size"),
    ],
)
def test_a_bad_shape_is_refused_with_what_would_be_allowed(change, said):
    with pytest.raises(BadInput) as caught:
        zoo.architecture(**{**CUSTOM, **change})
    assert said in str(caught.value)


def test_an_input_of_a_named_model_is_its_image_over_the_latent_factor():
    assert zoo.architecture("DiT-XL/2").input_size == 32
    assert zoo.architecture("DiT-XL/2", image_size=512).input_size == 64
    assert zoo.architecture("DiT-micro-S/2", image_size=16).input_size == 16
    assert zoo.architecture("DiT-micro-S/2", input_size=12, channels=1).channels == 1


@settings(max_examples=50, deadline=None)
@given(
    depth=st.integers(-1, 4),
    width=st.integers(0, 70),
    heads=st.integers(0, 9),
    patch_size=st.integers(0, 5),
    input_size=st.integers(0, 20),
)
def test_numbers_either_fit_together_or_are_refused(**numbers):
    try:
        result = zoo.architecture(**numbers)
    except BadInput:
        assert (
            min(numbers.values()) < 1
            or numbers["width"] % numbers["heads"]
            or numbers["input_size"] % numbers["patch_size"]
        )
    else:
        assert result.tokens * result.patch_size**2 == result.input_size**2
        assert result.width % result.heads == 0


def test_heads_are_known_for_the_zoos_depths_and_widths_only():
    assert zoo.heads_of(28, 1152) == 16
    assert zoo.heads_of(12, 384) == 6
    assert zoo.heads_of(3, 48) is None


@pytest.mark.parametrize(("rows", "besides", "side"), [(1, 0, 2), (256, 0, 32), (258, 2, 32)])
def test_a_table_of_positions_tells_the_side_of_a_square_input(
    rows: int, besides: int, side: int
) -> None:
    assert zoo.side_of(rows, 2, besides) == side


@pytest.mark.parametrize(
    ("rows", "besides", "said"),
    [(257, 0, "256 or 289"), (0, 0, "1 or 1"), (1, 2, "3 or 3"), (256, 2, "227 or 258")],
)
def test_a_table_of_positions_of_no_square_is_refused(rows: int, besides: int, said: str) -> None:
    """A class token, registers, or an input that is not square: nothing else of it would fit."""
    with pytest.raises(BadInput, match=f"{rows} rows, not one for each of.*{said}"):
        zoo.side_of(rows, 2, besides)
