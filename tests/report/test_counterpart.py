"""Which of the paper's models a micro model stands beside: by tokens, never by patch size alone."""

from __future__ import annotations

import pytest

from harness.report.counterpart import caption, counterpart


def row(family: str, patch_size: float | None, tokens: float | None, size: str | None = "XL"):
    return {"family": family, "size": size, "patch_size": patch_size, "tokens": tokens}


@pytest.mark.parametrize(
    ("side", "patch_size", "name"),
    [
        *((8, 8, "DiT-XL/8"), (8, 4, "DiT-XL/4"), (8, 2, "DiT-XL/2")),
        *((16, 16, "DiT-XL/8"), (16, 8, "DiT-XL/4"), (16, 4, "DiT-XL/2")),
        *(
            (16, 2, None),
            (8, 1, None),
            (12, 4, None),
        ),  # none of 1,024 or 144 tokens
    ],
)
def test_a_micro_model_stands_for_the_papers_of_sixteen_times_its_tokens(
    side: int, patch_size: int, name: str | None
) -> None:
    tokens = (side // patch_size) ** 2
    assert counterpart(row("DiT-micro", patch_size, tokens)) == name
    if name is not None:
        assert (32 // int(name[-1])) ** 2 == 16 * tokens


def test_the_papers_own_are_themselves_at_any_image_size_and_others_are_none() -> None:
    assert counterpart(row("DiT", 2, 256)) == counterpart(row("DiT", 2, 1024)) == "DiT-XL/2"
    assert counterpart(row("U-ViT", 2, 256)) is None
    assert counterpart(row("DiT", None, 256)) is None
    assert counterpart(row("DiT-micro", 2, None)) is None
    assert counterpart(row("DiT-micro", 2, 16, None)) is None


def test_a_caption_says_so_only_where_a_micro_model_stands() -> None:
    assert "16 times its tokens" in caption({"DiT", "DiT-micro"})
    assert caption({"DiT"}) == ""
