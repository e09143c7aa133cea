"""DiT-modern: DiT's frame with the parts that transformers have taken up since (LightningDiT, Yao
et al. 2025, 2501.01423): RMSNorm, SwiGLU, rotary positions, QK-norm, adaLN with or without shift.

Each part is a setting, so that a study can ablate them; with all of them off it is DiT. Sizes are
DiT's. `DiT-modern-micro` has DiT-micro's, for a laptop.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from harness.components.family import Input
from harness.models.transformer import Transformer, swiglu_width
from harness.models.zoo import FAMILIES, Size, side_of

if TYPE_CHECKING:
    from torch import nn

FEATURES = 256  # of the timestep's sinusoids
PUBLISHED = {
    *("x_embedder.proj.weight", "t_embedder.mlp.0.weight", "final_layer.linear.weight"),
    "blocks.0.adaLN_modulation.1.weight",
}
TABLES = ("pos_embed", "feat_rope.freqs_cos", "feat_rope.freqs_sin")  # are worked out, not learned


class DiTModern(Transformer):
    """DiT with RMSNorm, SwiGLU, rotary positions and QK-norm, each of which can be left out."""

    name = "DiT-modern"
    sizes: ClassVar[Mapping[str, Size]] = FAMILIES["DiT"].sizes

    norm: Literal["rms", "layer"] = "rms"
    "RMSNorm with a learned scale, or DiT's LayerNorm without."

    mlp: Literal["swiglu", "gelu"] = "swiglu"
    "SwiGLU, 8/3 times as wide as a token, or DiT's GELU, 4 times."

    rotary: bool = True
    "Rotary positions in attention, by row and column, beside the fixed table."

    qk_norm: bool = True
    "Queries and keys of each head are normalised."

    shift: bool = True
    "adaLN shifts as well as scales."

    def check_shape(self, depth: int, width: int, heads: int) -> None:
        """Raise ValueError when rotary positions do not fit a head."""
        if self.rotary and (width // heads) % 4:
            fitting = [n for n in range(1, width + 1) if width % (4 * n) == 0]
            raise ValueError(
                f"model.heads {heads}: rotary positions need a head's channels, here "
                f"{width // heads}, in fours; for width {width} heads may be "
                f"{', '.join(map(str, fitting)) or 'none'}"
            )

    def gflops(self, given: Input) -> float:
        """Strict Gflops of one forward pass."""
        depth, d, _ = self.shape
        tokens, patch = self.tokens(given), self.patch_size**2
        mlp = 8 * d * d if self.mlp == "gelu" else 3 * d * swiglu_width(d)
        vectors = 6 if self.shift else 4
        block = tokens * (4 * d * d + mlp) + 2 * tokens * tokens * d + vectors * d * d
        total = depth * block + FEATURES * d + d * d + 2 * d * d
        total += tokens * patch * d * (given.channels + given.out_channels)
        return total / 1e9

    def build(self, given: Input, *, checkpointing: bool = False) -> nn.Module:
        """The network; see harness.models.modern_network."""
        from harness.models.modern_network import ModernDiT

        depth, width, heads = self.shape
        return ModernDiT(
            input_size=given.side,
            channels=given.channels,
            out_channels=given.out_channels,
            num_classes=given.num_classes,
            patch_size=self.patch_size,
            depth=depth,
            width=width,
            heads=heads,
            norm=self.norm,
            mlp=self.mlp,
            rotary=self.rotary,
            qk_norm=self.qk_norm,
            shift=self.shift,
            checkpointing=checkpointing,
        )

    @classmethod
    def recognise(
        cls, state: Mapping[str, Any], heads: int | None = None
    ) -> tuple[DiTModern, Input] | None:
        """Recognise a published LightningDiT by its names and shapes; None for a DiT or SiT."""
        if not set(state) >= {*PUBLISHED, "pos_embed", "y_embedder.embedding_table.weight"}:
            return None
        width, channels, patch_size, _ = state["x_embedder.proj.weight"].shape
        depth = len({k.split(".")[1] for k in state if k.startswith("blocks.")})
        out_channels = state["final_layer.linear.weight"].shape[0] // patch_size**2
        vectors = state["blocks.0.adaLN_modulation.1.weight"].shape[0] // width
        parts: dict[str, Any] = {
            "norm": "rms" if "blocks.0.norm1.weight" in state else "layer",
            "mlp": "swiglu" if "blocks.0.mlp.w12.weight" in state else "gelu",
            "rotary": "feat_rope.freqs_cos" in state,
            "qk_norm": "blocks.0.attn.q_norm.weight" in state,
            "shift": vectors == 6,
        }
        plain = parts == {
            "norm": "layer", "mlp": "gelu", "rotary": False, "qk_norm": False, "shift": True
        }  # fmt: skip
        if plain and out_channels == 2 * channels:
            return None
        given = Input(
            side=side_of(state["pos_embed"].shape[1], patch_size),
            channels=channels,
            num_classes=state["y_embedder.embedding_table.weight"].shape[0] - 1,
            out_channels=out_channels,
        )
        found = cls.heads_of(depth, width, heads)
        own = {"depth": depth, "width": width, "heads": found, "patch_size": patch_size}
        return cls.model_validate({**own, **parts}), given

    def import_state(self, state: Mapping[str, Any]) -> dict[str, Any] | None:
        """A published LightningDiT's state dict without its tables; None when it is no DiT's."""
        if not set(state) >= PUBLISHED:
            return None
        return {name: value for name, value in state.items() if name not in TABLES}


class DiTModernMicro(DiTModern):
    """DiT-modern in DiT-micro's sizes, for a laptop's processor."""

    name = "DiT-modern-micro"
    sizes: ClassVar[Mapping[str, Size]] = {
        **FAMILIES["DiT-micro"].sizes,
        "L": Size(4, 88, 2, "ours: heads whose channels rotary positions can pair"),
    }
