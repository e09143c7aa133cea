"""The network of harness.models.unet: diffusers' UNet2DModel, called as our families are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from harness.components.family import Input


class UNet(nn.Module):
    """x (N, C, H, W), times t (N,), labels y (N,) int -> (N, out_channels, H, W)."""

    def __init__(
        self,
        given: Input,
        *,
        levels: Sequence[int],  # channels of each
        attends: Sequence[bool],  # which of them have attention
        layers: int,  # residual blocks per level
        time_width: int,  # of the embedding of time and label
        head: int,  # channels of an attention head
        groups: int,  # of group normalisation
        checkpointing: bool = False,
    ) -> None:
        from diffusers import UNet2DModel

        super().__init__()
        self.null_label = given.num_classes
        network: Any = UNet2DModel(  # type: ignore[no-untyped-call]
            sample_size=given.side,
            in_channels=given.channels,
            out_channels=given.out_channels,
            block_out_channels=tuple(levels),
            down_block_types=tuple(
                "AttnDownBlock2D" if attention else "ResnetDownsampleBlock2D"
                for attention in attends
            ),
            up_block_types=tuple(
                "AttnUpBlock2D" if attention else "ResnetUpsampleBlock2D"
                for attention in reversed(attends)
            ),
            layers_per_block=layers,
            resnet_time_scale_shift="scale_shift",
            downsample_type="resnet",
            upsample_type="resnet",
            time_embedding_dim=time_width,
            attention_head_dim=head,
            norm_num_groups=groups,
            attn_norm_num_groups=groups,
            num_class_embeds=given.num_classes + 1,
        )
        if checkpointing:
            network.enable_gradient_checkpointing()
        self.network = network

    def forward(self, x: Tensor, t: Tensor, y: Tensor) -> Tensor:
        """x (N, C, H, W), times t (N,), labels y (N,) -> (N, out_channels, H, W)."""
        return self.network(x, t, y, return_dict=False)[0]  # type: ignore[no-any-return]
