"""The network of harness.models.unet: diffusers' UNet2DModel, called as our families are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from harness.components.family import Input

if TYPE_CHECKING:
    from harness.models.unet import UNetFamily


class UNet(nn.Module):
    """x (N, C, H, W), times t (N,), labels y (N,) int -> (N, out_channels, H, W)."""

    def __init__(self, family: UNetFamily, given: Input, checkpointing: bool = False) -> None:
        super().__init__()
        self.null_label = given.num_classes
        self.network = _network(family, given)
        if checkpointing:
            self.network.enable_gradient_checkpointing()

    def forward(self, x: Tensor, t: Tensor, y: Tensor) -> Tensor:
        """x (N, C, H, W), times t (N,), labels y (N,) -> (N, out_channels, H, W)."""
        return self.network(x, t, y, return_dict=False)[0]  # type: ignore[no-any-return]


def _network(family: UNetFamily, given: Input) -> Any:
    from diffusers import UNet2DModel

    attends = [given.side >> level in family.attention for level in range(len(family.levels))]
    network: Any = UNet2DModel(  # type: ignore[no-untyped-call]
        sample_size=given.side,
        in_channels=given.channels,
        out_channels=given.out_channels,
        block_out_channels=family.levels,
        down_block_types=tuple(
            "AttnDownBlock2D" if attention else "ResnetDownsampleBlock2D" for attention in attends
        ),
        up_block_types=tuple(
            "AttnUpBlock2D" if attention else "ResnetUpsampleBlock2D"
            for attention in reversed(attends)
        ),
        layers_per_block=family.layers,
        resnet_time_scale_shift="scale_shift",
        downsample_type="resnet",
        upsample_type="resnet",
        time_embedding_dim=4 * family.base,
        attention_head_dim=family.head,
        norm_num_groups=family.groups,
        attn_norm_num_groups=family.groups,
        num_class_embeds=given.num_classes + 1,
    )
    return network
