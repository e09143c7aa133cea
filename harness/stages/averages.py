"""The averages of the weights that a training keeps, and those that samples are drawn from.

Besides the first, which is `ema.safetensors` in the artifact:

- further decays (train.ema as a list), each in a file of its own, `ema-0.999.safetensors`;
- averages by relative length (train.ema_snapshots), of which `snapshots/` holds what they were
  every so many steps up to the artifact's step, and at that step: enough for any other length.

An attempt keeps its snapshots in scratch. Each checkpoint there names the snapshots that it needs,
with their SHA-256: without them it does not count as a checkpoint.
"""

from __future__ import annotations

import copy
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import safetensors
import safetensors.torch
from torch import Tensor, nn

from harness.errors import BadInput
from harness.models import ema
from harness.plan.stages import Recipe
from harness.stages import checkpoints
from harness.stages.checkpoints import local, whole
from harness.store import files
from harness.store.artifacts import Artifact

FIRST = "ema.safetensors"
SNAPSHOTS = "snapshots"  # a folder, in scratch and in the artifact


def file_of(decay: float) -> str:
    """Where a further decay's weights lie in the artifact."""
    return f"ema-{decay!r}.safetensors"


def snapshot_of(step: int) -> str:
    """The file of a step's snapshots; its tensors are `LENGTH/PARAMETER`."""
    return f"{checkpoints.step_name(step)}.safetensors"


@dataclass
class Averages:
    """All averages of one training's weights, and the snapshots taken so far."""

    first: nn.Module
    decays: dict[float, nn.Module]  # further ones
    lengths: dict[float, nn.Module]  # by relative length
    recipe: Recipe
    scratch: Path
    taken: dict[str, str] = field(default_factory=dict)  # file in scratch -> SHA-256

    @staticmethod
    def of(model: nn.Module, recipe: Recipe, scratch: Path) -> Averages:
        """Copies of the model as it is initialised."""

        def copied() -> nn.Module:
            return copy.deepcopy(model).requires_grad_(False).eval()

        kept = recipe.ema_snapshots
        return Averages(
            copied(),
            {decay: copied() for decay in recipe.more_ema or ()},
            {length: copied() for length in (kept.lengths if kept else ())},
            recipe,
            scratch / SNAPSHOTS,
        )

    @property
    def modules(self) -> list[nn.Module]:
        """Every average that is kept, as modules."""
        return [self.first, *self.decays.values(), *self.lengths.values()]

    @property
    def more(self) -> dict[str, nn.Module]:
        """All but the first, by their names in training states."""
        return {f"ema_{decay!r}": m for decay, m in self.decays.items()} | {
            f"length_{length!r}": m for length, m in self.lengths.items()
        }

    def begin(self, model: nn.Module) -> None:
        """Once models are laid out: the tensors that `update` moves."""
        self._live = [local(p) for p in model.parameters()]
        self._averaged = [[local(p) for p in m.parameters()] for m in self.modules]

    def update(self, step: int) -> None:
        """After training step `step` (1 is the first)."""
        decays = [self.recipe.ema, *self.decays]
        betas = decays + [ema.power_decay(step, length) for length in self.lengths]
        ema.update(self._averaged, self._live, betas)

    def tensors(self) -> list[Tensor]:
        """This process's part of all averages."""
        return [each for tensors in self._averaged for each in tensors]

    # --- snapshots ------------------------------------------------------------------------------

    def keep(self, step: int, main: bool) -> None:
        """Write a snapshot to scratch where one is due; sharded averages take all processes."""
        kept = self.recipe.ema_snapshots
        if kept is not None and step % kept.every == 0:
            self._write(self.scratch, step, main)

    def _write(self, folder: Path, step: int, main: bool) -> None:
        found = {
            f"{length!r}/{name}": whole(value).cpu()
            for length, module in self.lengths.items()
            for name, value in module.named_parameters()
        }
        if not main:
            return
        folder.mkdir(parents=True, exist_ok=True)
        name = snapshot_of(step)
        aside = folder / f"_{name}"
        _, digest = checkpoints.write_tensors(aside, found)
        os.replace(aside, folder / name)
        files.sync_folder(folder)
        self.taken[name] = digest

    def about(self) -> dict[str, dict[str, str]]:
        """A checkpoint's note on the snapshots that it goes on from."""
        return {SNAPSHOTS: dict(self.taken)} if self.recipe.ema_snapshots else {}

    def restore(self, about: dict[str, dict[str, str]]) -> None:
        """The snapshots of a checkpoint in scratch."""
        self.taken = dict(about.get(SNAPSHOTS, {}))

    def continue_from(self, artifact: Artifact) -> None:
        """Take over an earlier milestone's, less the one at its own step if none was due there."""
        kept = self.recipe.ema_snapshots
        if kept is None:
            return
        self.scratch.mkdir(parents=True, exist_ok=True)
        for step in steps_of(artifact):
            if step % kept.every == 0:
                name = snapshot_of(step)
                _share(artifact.file(f"{SNAPSHOTS}/{name}"), self.scratch / name)
                self.taken[name] = artifact.manifest.files[f"{SNAPSHOTS}/{name}"].sha256

    def commit(self, folder: Path, step: int, weights: dict[str, Tensor]) -> None:
        """The further averages into an artifact; `weights`: the training state's tensors by name.

        Of the main process alone.
        """
        for decay in self.decays:
            start = f"ema_{decay!r}."
            own = {k.removeprefix(start): v for k, v in weights.items() if k.startswith(start)}
            checkpoints.write_tensors(folder / file_of(decay), own)
        if self.recipe.ema_snapshots is None:
            return
        target = folder / SNAPSHOTS
        target.mkdir()
        for name in self.taken:
            _share(self.scratch / name, target / name)
        if snapshot_of(step) not in self.taken:
            names = [name for name, _ in self.first.named_parameters()]
            last = {
                f"{length!r}/{name}": weights[f"length_{length!r}.{name}"]
                for length in self.lengths
                for name in names
            }
            checkpoints.write_tensors(target / snapshot_of(step), last)


def _share(source: Path, target: Path) -> None:
    """The same file in another place: nobody changes it in either."""
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:  # a file system without links
        shutil.copyfile(source, target)
        files.sync_file(target)


def steps_of(artifact: Artifact) -> list[int]:
    """The steps of a checkpoint's snapshots, ascending."""
    names = [Path(n) for n in artifact.manifest.files if n.startswith(f"{SNAPSHOTS}/")]
    return sorted(int(name.stem.removeprefix("step-")) for name in names)


def weights_of(
    artifact: Artifact, decay: float | None = None, length: float | None = None
) -> dict[str, Tensor]:
    """The weights to sample from: the first average, a further decay, or one of any length.

    Raises BadInput, naming what there is, when the checkpoint does not hold what is asked for.
    """
    found = artifact.manifest.files
    if decay is not None:
        if file_of(decay) not in found:
            raise BadInput(
                f"the checkpoint holds no average of decay {decay!r}; its files: "
                f"{', '.join(name for name in found if name.startswith('ema'))}"
            )
        return safetensors.torch.load_file(artifact.file(file_of(decay)))
    state = safetensors.torch.load_file(artifact.file(FIRST))
    if length is None:
        return state
    kept = [
        (ema.Snapshot(step, float(std)), std, artifact.file(f"{SNAPSHOTS}/{snapshot_of(step)}"))
        for step in steps_of(artifact)
        for std in _lengths_in(artifact.file(f"{SNAPSHOTS}/{snapshot_of(step)}"))
    ]
    until = max((each.step for each, _, _ in kept), default=0)
    weights = ema.post_hoc_weights([each for each, _, _ in kept], until, length)
    made = ema.combine(_read(kept), weights)
    return {**state, **made}  # buffers are the same in all


def _lengths_in(path: Path) -> list[str]:
    with safetensors.safe_open(path, "pt") as content:
        names = content.keys()
    return sorted({name.partition("/")[0] for name in names}, key=float)


def _read(kept: list[tuple[ema.Snapshot, str, Path]]) -> Iterator[dict[str, Tensor]]:
    """Each snapshot's parameters, one after another: only one of them is in memory."""
    for _, std, path in kept:
        with safetensors.safe_open(path, "pt") as content:
            names = content.keys()
            own = [name for name in names if name.startswith(f"{std}/")]
            yield {name.partition("/")[2]: content.get_tensor(name) for name in own}
