"""Building a DiT from a name or from numbers."""

from __future__ import annotations

from dataclasses import asdict

from harness.models.dit import DiT
from harness.models.zoo import architecture


def build(
    name: str | None = None,
    *,
    image_size: int | None = None,
    block: str = "adaln-zero",
    num_classes: int = 1000,
    depth: int | None = None,
    width: int | None = None,
    heads: int | None = None,
    patch_size: int | None = None,
    input_size: int | None = None,
    channels: int | None = None,
    out_channels: int | None = None,
    checkpointing: bool = False,
) -> DiT:
    """A freshly initialised DiT, by name or, without one, from depth, width, heads and patch_size.

    image_size: in pixels; the model's input is this divided by the family's latent factor (8 for
        DiT and custom models, 1 for DiT-micro). Default: the family's, 256 for DiT.
    input_size: the model's input in its own space, instead of image_size.
    block: one of harness.models.zoo.BLOCKS.
    num_classes: the label table has one row more, the null label.
    channels: of the input; default the family's (4 latent channels, 3 for DiT-micro).
    out_channels: of the output; default twice the input's (noise and variance).
    checkpointing: recompute blocks in the backward pass to save memory.

    Under `torch.device("meta")` nothing is allocated. Raises BadInput, saying what is allowed.
    """
    shape = architecture(
        name,
        image_size=image_size,
        block=block,
        num_classes=num_classes,
        depth=depth,
        width=width,
        heads=heads,
        patch_size=patch_size,
        input_size=input_size,
        channels=channels,
        out_channels=out_channels,
    )
    return DiT(**asdict(shape), checkpointing=checkpointing)
