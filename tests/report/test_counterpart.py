"""Which of the paper's models a micro model stands beside, and what is said of their tokens."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from harness.report.counterpart import caption, counterpart, is_the_papers, ratio


def row(
    family: str, patch_size: float | None, tokens: float | None, size: str | None = "XL"
) -> dict[str, Any]:
    return {"family": family, "size": size, "patch_size": patch_size, "tokens": tokens}


@pytest.mark.parametrize(
    ("side", "patch_size", "times"),
    [
        *((8, 8, 16), (8, 4, 16), (8, 2, 16)),
        *((16, 8, 4), (16, 4, 4), (16, 2, 4), (32, 2, 1)),
        *((16, 16, None), (16, 1, None), (12, 4, None), (64, 2, None)),  # the paper has none such
    ],
)
def test_a_micro_model_stands_for_the_papers_of_its_patch_size_and_says_its_tokens(
    side: int, patch_size: int, times: int | None
) -> None:
    micro = row("DiT-micro", patch_size, (side // patch_size) ** 2)
    assert ratio(micro) == times
    assert counterpart(micro) == (None if times is None else f"DiT-XL/{patch_size}")
    assert caption([micro]) == "" if times is None else f"has {times} times its" in caption([micro])


def test_the_papers_own_are_themselves_at_any_image_size_and_others_are_none() -> None:
    assert counterpart(row("DiT", 2, 256)) == counterpart(row("DiT", 2, 1024)) == "DiT-XL/2"
    assert counterpart(row("U-ViT", 2, 256)) is None
    assert counterpart(row("DiT", None, 256)) is None
    assert counterpart(row("DiT-micro", 2, None)) is None
    assert counterpart(row("DiT-micro", 2, 16, None)) is None


def test_a_caption_names_every_ratio_and_is_empty_without_a_micro_model() -> None:
    both = [row("DiT-micro", 2, 16), row("DiT-micro", 2, 64), row("DiT", 2, 256)]
    assert "4 or 16 times" in caption(both)
    assert caption(both[2:]) == ""


@pytest.mark.parametrize(
    ("of_network", "own"),
    [
        ({"family": "DiT", "image_size": 256, "patch_size": 2, "tokens": 256}, True),
        ({"family": "DiT", "image_size": 512, "patch_size": 2, "tokens": 1024}, True),
        ({"family": "DiT", "image_size": 32, "patch_size": 2, "tokens": 256}, False),  # pixels
        ({"family": "DiT-micro", "image_size": 256, "patch_size": 2, "tokens": 256}, False),
        ({"family": "DiT", "image_size": pd.NA, "patch_size": 2, "tokens": 256}, False),
    ],
)
def test_the_papers_network_itself_is_told_from_its_counterpart(of_network, own) -> None:
    assert is_the_papers(of_network) is own
