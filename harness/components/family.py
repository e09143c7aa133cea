"""Families of networks: `model.family` in a study.

A family is a network with its sizes. It is called as model(x, t, y): x (N, C, H, W) float32 noisy
inputs, t (N,) the time that the objective gives it, y (N,) int64 labels, of which `num_classes` is
the null label; it returns (N, out_channels, H, W). The output of a row depends on that row alone.

Deterministic: `build` draws its initial weights from torch's global generator and from nothing
else, so that a seed fixes them.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from harness.components.base import Component
from harness.errors import BadInput
from harness.nearest import divisors

if TYPE_CHECKING:
    from torch import nn

BUILT_IN = {
    "DiT": "harness.models.families:DiTFamily",
    "DiT-micro": "harness.models.families:DiTMicroFamily",
    "U-ViT": "harness.models.uvit:UViTFamily",
    "DiT-modern": "harness.models.modern:DiTModern",
    "DiT-modern-micro": "harness.models.modern:DiTModernMicro",
    "UNet": "harness.models.unet:UNetFamily",
}


@dataclass(frozen=True)
class Input:
    """The input that a network takes, and the output that it must give."""

    side: int  # height and width of the model's input
    channels: int  # of the model's input
    num_classes: int  # 0: unconditional
    out_channels: int  # of its output: as many as the input's, or twice, as the objective says


class Family(Component):
    """A network family. Its settings are the fields of a study's `model` section."""

    kind: ClassVar[str] = "family"

    @classmethod
    def short(cls, name: str) -> dict[str, Any] | None:
        """The settings that a short name such as "DiT-XL/2" stands for; None: not one of ours."""
        return None

    @property
    @abstractmethod
    def label(self) -> str:
        """The model's name as reports print it: "DiT-XL/2"."""

    @property
    def variant(self) -> str:
        """The part of the design that the label lacks, with a blank before it: " adaln"; or "".

        It stands behind the label of the model's complexity.
        """
        return ""

    @abstractmethod
    def check(self, given: Input) -> None:
        """Raise BadInput, saying what would fit, when the network cannot take such inputs."""

    @abstractmethod
    def build(self, given: Input, *, checkpointing: bool = False) -> nn.Module:
        """The freshly initialised network. checkpointing: recompute activations backwards.

        Under torch.device("meta") nothing is allocated.
        """

    def gflops(self, given: Input) -> float | None:
        """10^9 multiply-accumulates of convolutions, linears and attention products, one image.

        None: there is no formula; the network is counted once on the meta device.
        """
        return None

    def facts(self) -> dict[str, Any]:
        """Columns of the records that tell this model from others of its family.

        Of size, patch_size, depth, width, heads and block, those that it has.
        """
        return {}

    def tokens(self, given: Input) -> int | None:
        """Image tokens of a transformer; None for others."""
        return None

    @property
    def rate_scale(self) -> float:
        """The factor on the learning rate of hidden matrices; not 1 where it goes with width."""
        return 1.0

    def hidden_matrices(self, model: nn.Module) -> list[nn.Parameter]:
        """Weights from one hidden layer to another, all 2-D: linears within the shard units.

        Their best rate falls with the width (muP), and Muon is made for them; embeddings, the first
        and the last layer, norms and biases are not among them.
        """
        from torch import nn

        found: dict[int, Any] = {
            id(module.weight): module.weight
            for unit in self.shard_units(model)
            for module in unit.modules()
            if isinstance(module, nn.Linear)
        }
        return list(found.values())

    def parameter_groups(self, model: nn.Module, learning_rate: float) -> list[dict[str, Any]]:
        """torch.optim's parameter groups, each with its rate and whether they are `hidden`."""
        hidden = self.hidden_matrices(model)
        among = {id(parameter) for parameter in hidden}
        others = [p for p in model.parameters() if id(p) not in among]
        groups = [{"params": others, "lr": learning_rate, "hidden": False}]
        if hidden:
            rate = learning_rate * self.rate_scale
            groups.append({"params": hidden, "lr": rate, "hidden": True})
        return groups

    def shard_units(self, model: nn.Module) -> list[nn.Module]:
        """The parts that FSDP shards one by one, in the order of the forward pass."""
        return list(getattr(model, "blocks", ()))

    @classmethod
    def recognise(
        cls, state: Mapping[str, Any], heads: int | None = None
    ) -> tuple[Family, Input] | None:
        """The family's member, and its input, whose published state dict this is; None: not ours.

        heads: where the shapes do not tell them. Raises BadInput when they must be given.
        """
        return None

    def import_state(self, state: Mapping[str, Any]) -> dict[str, Any] | None:
        """A published checkpoint's state dict as this network's; None: not in a layout we know."""
        return None

    def identity(self) -> Any:
        """Equal for two names of one network: what a matrix may not hold twice."""
        return self.name, self.keyed()

    # --- keys -----------------------------------------------------------------------------------

    def architecture(self, given: Input) -> dict[str, Any]:
        """The numbers that fix the network, as keys hold them."""
        return {
            "family": self.name,
            **self.keyed(),
            "input_size": given.side,
            "channels": given.channels,
            "num_classes": given.num_classes,
            "out_channels": given.out_channels,
        }

    @classmethod
    def from_architecture(cls, architecture: Mapping[str, Any]) -> tuple[Family, Input]:
        """`architecture` read back."""
        fields = dict(architecture)
        fields.pop("family", None)
        given = Input(
            fields.pop("input_size"),
            fields.pop("channels"),
            fields.pop("num_classes"),
            fields.pop("out_channels"),
        )
        return cls.model_validate(fields, strict=False), given


def by_short_name(name: str) -> tuple[str, dict[str, Any]]:
    """("DiT", its settings) of a short name such as "DiT-XL/2", asked of every family.

    Raises BadInput when no family knows it.
    """
    from harness.components import registry

    for entry in registry.entries("family"):
        settings = entry.load().short(name)  # type: ignore[attr-defined]
        if settings is not None:
            return entry.name, settings
    from harness.models import zoo

    raise zoo.unknown(name)


def of_architecture(architecture: Mapping[str, Any]) -> tuple[Family, Input]:
    """The family and input that an `architecture` in a key stands for; without a name a DiT."""
    from harness.components import registry, stored

    cls: Any = registry.get("family", architecture.get("family", stored.UNNAMED["family"]))
    family, given = cls.from_architecture(architecture)
    return family, given


def whole_patches(label: str, side: int, patch_size: int) -> None:
    """Raise BadInput unless patches tile the input."""
    if side % patch_size:
        raise BadInput(
            f"{label}: patch size {patch_size} does not divide the model's input of {side}; "
            f"{divisors(side)} do{'' if side > 1 else 'es'}"
        )
