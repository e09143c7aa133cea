"""Where one autoencoder's weights lie below the folder that a study names. No torch here."""

from __future__ import annotations

from pathlib import Path

from harness.autoencoders.properties import properties
from harness.components import weight_files
from harness.errors import BadInput, Missing

WEIGHTS = "diffusion_pytorch_model.safetensors"
OLD_WEIGHTS = "diffusion_pytorch_model.bin"


def folder_of(name: str, decoder: str, weights: str | Path) -> Path:
    """The folder below `weights` that holds a decoder's config.json and weights.

    Raises BadInput for another decoder's weights, Missing for none.
    """
    repository = properties(name).decoders[decoder]
    places = [Path(weights) / decoder, Path(weights) / f"{name}-{decoder}"]
    if decoder == "original":
        places.append(Path(weights))
    for place in places:
        if _holds_model(place):
            return place
    if _holds_model(Path(weights)):  # taken for any decoder, results would differ by name alone
        raise BadInput(
            f"{Path(weights).absolute()} holds one model, which is taken for the decoder "
            f"'original', and the study decodes with {decoder!r}: give a folder that holds "
            f"original/ and {decoder}/, each with its own config.json and {WEIGHTS} (that of "
            f"{decoder} is {repository} on the hub)"
        )
    raise Missing(
        f"no weights of {name} ({decoder}) in {Path(weights).absolute()}: put config.json and "
        f"{WEIGHTS} of {repository} "
        + ("there, or " if decoder == "original" else "")
        + f"into its subfolder {decoder}"
        + _converting([*places, Path(weights)])
    )


def weights_of(folder: Path) -> weight_files.WeightFiles | None:
    """The weights in a folder that can be loaded: pickles are not. Raises BadInput for parts that
    are not all there."""
    return weight_files.find(folder, endings=weight_files.SAFE)


def _holds_model(folder: Path) -> bool:
    return (folder / "config.json").is_file() and weights_of(folder) is not None


def _converting(places: list[Path]) -> str:
    old = [p / OLD_WEIGHTS for p in places if (p / OLD_WEIGHTS).is_file()]
    if not old:
        return ""
    return f" ({old[0]} is a pickle and is not loaded; take the safetensors file)"
