"""Checkpoints of any family from their published files: which network they are of, and its weights.

DiT's own formats (and SiT's, which are DiT's) are read by harness.models.checkpoint; every other
family is asked whether it recognises the state dict.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from torch import Tensor

from harness.components import registry
from harness.components.family import Family, Input, of_architecture
from harness.errors import BadInput
from harness.models import checkpoint, state_dicts

State = Mapping[str, Tensor]


def read(path: str | Path, heads: int | None = None) -> tuple[Family, Input, dict[str, Tensor]]:
    """The family member, its input, and its state dict (float32, on the CPU), of a file or folder.

    Raises Missing and BadInput as harness.models.load_checkpoint does.
    """
    found = find(path, heads)
    return found.family, found.input, found.state


@dataclass(frozen=True)
class Foreign:
    """A published checkpoint, and what a person should know of how it was read."""

    family: Family
    input: Input
    state: dict[str, Tensor]
    weights: str
    """Which weights were taken, and how many tensors."""
    notes: tuple[str, ...] = ()


def find(path: str | Path, heads: int | None = None) -> Foreign:
    """Like `read`; it also says what was taken from where."""
    if Path(path).is_file():
        weights = checkpoint.read_weights(Path(path))
        try:
            found = recognised(weights.state, heads)
        except BadInput as error:
            raise BadInput(f"{path}: {error}") from error
        if found is not None:
            family, given = found
            state = fitted(family, given, weights.state, str(path))
            return Foreign(family, given, state, weights.said)
    loaded = checkpoint.read_checkpoint(path, heads=heads)
    numbers = asdict(checkpoint.architecture_of(loaded.model))
    family, given = of_architecture(numbers)
    return Foreign(family, given, dict(loaded.model.state_dict()), loaded.weights, loaded.notes)


def recognised(state: State, heads: int | None = None) -> tuple[Family, Input] | None:
    """The family that says the state dict is of a member of it, and its input; None: none does."""
    for entry in registry.entries("family"):
        cls: type[Family] = entry.load()  # type: ignore[assignment]
        try:
            found = cls.recognise(state, heads)
        except (ValueError, IndexError, KeyError, ZeroDivisionError) as error:
            if isinstance(error, BadInput):
                raise
            raise BadInput(
                f"its tensors are named as those of {entry.name} and have other shapes{_odd(state)}"
            ) from error
        if found is not None:
            return found
    return None


def _odd(state: State) -> str:
    """The tensors without an axis, which no weights are."""
    odd = [f"{name} is a single number" for name, t in state.items() if not t.dim()]
    return f" ({state_dicts.some(odd)})" if odd else ""


def fitted(family: Family, given: Input, state: State, source: str) -> dict[str, Tensor]:
    """The state dict by the network's own names, in float32. Raises BadInput if it does not fit."""
    own = family.import_state(state)
    if own is None:
        raise BadInput(f"{source} is not in a layout that {family.name} knows")
    model = family.build(given)
    own = {name: value.float() for name, value in own.items()}
    state_dicts.check_fits(own, model.state_dict(), f"{source} does not fit {family.label}")
    model.load_state_dict(own)
    out = dict(model.state_dict())
    state_dicts.check_finite(out, source)
    return out
