"""U-ViT (Bao et al. 2023, 2209.12152): a transformer with long skips, time and class as tokens.

Sizes are the paper's Table 1; depth counts blocks, of which the one in the middle has no skip, so
it is odd. Where sizes and Gflops meet the published code is tested.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from harness.components.family import Input
from harness.errors import BadInput
from harness.models.transformer import Transformer
from harness.models.zoo import Size, side_of

if TYPE_CHECKING:
    from torch import nn

    from harness.models.uvit_network import UViT

EXTRA_TOKENS = 2  # the label's and the time's
CONVOLUTION = 3  # side of the last layer's kernel
PUBLISHED = {  # names that only a class-conditional U-ViT's state dict has together
    *("patch_embed.proj.weight", "pos_embed", "label_emb.weight", "mid_block.attn.qkv.weight"),
    *("decoder_pred.weight", "final_layer.weight"),
}
OWN = {"patch_embed.proj.weight", "mid_block.mlp.fc1.weight"}  # no other family's


class UViTFamily(Transformer):
    """U-ViT: long skip connections between shallow and deep blocks; time and class are tokens."""

    name = "U-ViT"
    sizes: ClassVar[Mapping[str, Size]] = {
        "S": Size(13, 512, 8),
        "S-deep": Size(17, 512, 8),
        "M": Size(17, 768, 12),
        "L": Size(21, 1024, 16),
        "H": Size(29, 1152, 16),
    }

    def check_shape(self, depth: int, width: int, heads: int) -> None:
        """Raise ValueError for an even depth, or a width that sinusoids cannot fill."""
        if depth % 2 == 0:
            raise ValueError(
                f"model.depth {depth}: a U-ViT has one block between as many in-blocks as "
                f"out-blocks, so its depth is odd: {depth - 1} or {depth + 1}"
            )
        if width % 2:
            raise ValueError(f"model.width {width} must be even: the time token is sine and cosine")

    def gflops(self, given: Input) -> float:
        """Strict Gflops of one forward pass: 12 T d^2 + 2 T^2 d per block, 2 T d^2 per skip."""
        depth, d, _ = self.shape
        tokens = self.tokens(given)
        sequence = tokens + EXTRA_TOKENS
        patch = self.patch_size**2
        total = depth * (12 * sequence * d * d + 2 * sequence * sequence * d)
        total += (depth // 2) * 2 * sequence * d * d
        total += tokens * patch * given.channels * d + sequence * d * patch * given.out_channels
        total += (CONVOLUTION * given.out_channels * given.side) ** 2
        return total / 1e9

    def parameters(self, given: Input) -> int:
        """Trainable parameters."""
        depth, d, _ = self.shape
        patch, out = self.patch_size**2, given.out_channels
        block = 12 * d * d + 10 * d  # two norms; qkv has no bias
        skip = 2 * d * d + d
        total = depth * block + (depth // 2) * skip
        total += (self.tokens(given) + EXTRA_TOKENS) * d  # positions
        total += patch * given.channels * d + d + (given.num_classes + 1) * d
        total += 2 * d + patch * out * (d + 1) + (CONVOLUTION * out) ** 2 + out
        return total

    def build(self, given: Input, *, checkpointing: bool = False) -> nn.Module:
        """The network; see harness.models.uvit_network."""
        from harness.models.uvit_network import UViT

        depth, width, heads = self.shape
        return UViT(
            input_size=given.side,
            channels=given.channels,
            out_channels=given.out_channels,
            num_classes=given.num_classes,
            patch_size=self.patch_size,
            depth=depth,
            width=width,
            heads=heads,
            checkpointing=checkpointing,
        )

    def shard_units(self, model: UViT) -> list[nn.Module]:  # type: ignore[override]
        """The blocks, in the order of the forward pass."""
        return [*model.in_blocks, model.mid_block, *model.out_blocks]

    @classmethod
    def recognise(
        cls, state: Mapping[str, Any], heads: int | None = None
    ) -> tuple[UViTFamily, Input] | None:
        """Recognise a published class-conditional U-ViT by its names and shapes.

        Raises BadInput for one that lacks what tells its numbers.
        """
        lacking = sorted(PUBLISHED - set(state))
        if lacking and not set(state) >= OWN:
            return None
        if lacking:
            unconditional = lacking == ["label_emb.weight"]
            raise BadInput(
                f"its tensors are named as those of a U-ViT, and it lacks {', '.join(lacking)}"
                + (": only class-conditional ones are read" if unconditional else "")
            )
        width, channels, patch_size, _ = state["patch_embed.proj.weight"].shape
        depth = 1 + 2 * len({k.split(".")[1] for k in state if k.startswith("in_blocks.")})
        given = Input(
            side=side_of(state["pos_embed"].shape[1], patch_size, EXTRA_TOKENS),
            channels=channels,
            num_classes=state["label_emb.weight"].shape[0] - 1,
            out_channels=state["final_layer.weight"].shape[0],
        )
        found = cls.heads_of(depth, width, heads)
        return cls(depth=depth, width=width, heads=found, patch_size=patch_size), given

    def import_state(self, state: Mapping[str, Any]) -> dict[str, Any] | None:
        """The published state dict, whose names are ours; None when it is of another network."""
        return dict(state) if set(state) >= PUBLISHED else None
