"""Checkpoints of any family from their published files: which network they are of, and its weights.

DiT's own formats (and SiT's, which are DiT's) are read by harness.models.checkpoint; every other
family is asked whether it recognises the state dict.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from torch import Tensor

from harness.components import registry
from harness.components.family import Family, Input, of_architecture
from harness.errors import BadInput
from harness.models import checkpoint

State = Mapping[str, Tensor]


def read(path: str | Path, heads: int | None = None) -> tuple[Family, Input, dict[str, Tensor]]:
    """The family member, its input, and its state dict (float32, on the CPU), of a file or folder.

    Raises Missing and BadInput as harness.models.load_checkpoint does.
    """
    if Path(path).is_file():
        state = checkpoint.read(Path(path))
        found = recognised(state, heads)
        if found is not None:
            family, given = found
            return family, given, fitted(family, given, state, str(path))
    model = checkpoint.load_checkpoint(path, heads=heads)
    numbers = asdict(checkpoint.architecture_of(model))
    family, given = of_architecture(numbers)
    return family, given, dict(model.state_dict())


def recognised(state: State, heads: int | None = None) -> tuple[Family, Input] | None:
    """The family that says the state dict is of a member of it, and its input; None: none does."""
    for entry in registry.entries("family"):
        cls: type[Family] = entry.load()  # type: ignore[assignment]
        found = cls.recognise(state, heads)
        if found is not None:
            return found
    return None


def fitted(family: Family, given: Input, state: State, source: str) -> dict[str, Tensor]:
    """The state dict by the network's own names, in float32. Raises BadInput if it does not fit."""
    own = family.import_state(state)
    if own is None:
        raise BadInput(f"{source} is not in a layout that {family.name} knows")
    model = family.build(given)
    try:
        model.load_state_dict({name: value.float() for name, value in own.items()})
    except RuntimeError as error:
        raise BadInput(f"{source} does not fit {family.label}: {error}") from error
    return dict(model.state_dict())
