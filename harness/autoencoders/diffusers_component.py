"""Any autoencoder that diffusers saved, by its folder.

autoencoder: {name: diffusers, weights: data/sdxl-vae}
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from harness.autoencoders import diffusers_config
from harness.components import weight_files
from harness.components.autoencoder import Autoencoder
from harness.errors import BadInput, HarnessError, Missing

FROM_CONFIG = ("architecture", "channels", "factor", "scale", "shift", "mean", "std")


class Diffusers(Autoencoder):
    """An AutoencoderKL, AutoencoderDC or AutoencoderTiny in diffusers' layout.

    Its numbers are read from the folder's config.json when a study is loaded, and may be written in
    the study, for machines where the folder is not. Those that its weights decide are compared.
    """

    name = "diffusers"

    architecture: Literal["AutoencoderKL", "AutoencoderDC", "AutoencoderTiny"]
    "The class in its config.json."

    channels: Annotated[int, Field(gt=0)]
    "Channels of a latent: 4 (SD, SDXL), 16 (SD 3.5, FLUX), 32 or more (DC-AE)."

    factor: Annotated[int, Field(gt=0)]
    "Image size / latent size: 8, or 32 and 64 (DC-AE)."

    scale: Annotated[float, Field(gt=0)]
    "What latents are multiplied by, so that they have a standard deviation near 1."

    shift: float = 0.0
    "What is subtracted from them before (SD 3.5, FLUX)."

    mean: tuple[float, ...] | None = None
    "The same by channel, where the config has it (latents_mean)."

    std: tuple[float, ...] | None = None
    "What they are divided by, by channel (latents_std)."

    folder: str | None = None
    "The folder's name, which stands for the weights in keys; null where sha256 is given."

    @model_validator(mode="after")
    def _by_channel(self) -> Diffusers:
        """Statistics by channel fit the channels: else latents would be broadcast or infinite."""
        if (self.mean is None) != (self.std is None):
            raise ValueError("mean and std are both given, or neither is")
        for name, values in (("mean", self.mean), ("std", self.std)):
            if values is not None and len(values) != self.channels:
                raise ValueError(f"{name} has {len(values)} values for {self.channels} channels")
        if self.std is not None and min(self.std) <= 0:
            raise ValueError(f"std holds {min(self.std):g}, and latents are divided by it")
        return self

    @classmethod
    def complete(cls, given: dict[str, Any], section: Any) -> dict[str, Any]:
        """The numbers of the config.json, where the study does not give them.

        section: harness.spec.schema.AutoencoderSettings. Raises BadInput where the study and the
        config disagree about what the weights decide, and where neither says it.
        """
        weights = getattr(section, "weights", None)
        named = {} if getattr(section, "sha256", None) else {"folder": _folder_name(weights)}
        absent = [field for field in FROM_CONFIG[:4] if field not in given]
        try:
            if weights is None:
                raise Missing("autoencoder.weights is not set")
            shape = diffusers_config.read(weights)
        except Missing as error:  # planning on a machine where the folder is not
            if not absent:
                return {**named, **given}
            raise BadInput(
                f"{error}; or write autoencoder.{', '.join(absent)} in the study, for a machine "
                "where the folder is not"
            ) from None
        found = {field: getattr(shape, field) for field in FROM_CONFIG}
        for field in ("architecture", "channels", "factor"):
            if field in given and given[field] != found[field]:
                raise BadInput(
                    f"autoencoder.{field} is {given[field]!r}, and the autoencoder in {weights} "
                    f"has {found[field]!r}: leave it out"
                )
        return {**named, **{k: v for k, v in found.items() if v is not None}, **given}

    def latent_shape(self, image_size: int, channels: int) -> tuple[int, int, int]:
        """(channels, side, side) for images of `image_size` pixels and `channels` channels.

        Raises BadInput for other than 3 channels, and for a size that the factor does not divide.
        """
        if channels != 3:
            raise BadInput(
                f"autoencoder {self.architecture} takes images of 3 channels, not {channels}"
            )
        if image_size % self.factor:
            near = max(1, round(image_size / self.factor)) * self.factor
            raise BadInput(
                f"data.image_size {image_size} is not divisible by the {self.architecture}'s "
                f"factor {self.factor}: {near} is"
            )
        side = image_size // self.factor
        return self.channels, side, side

    def missing(self, weights: str | None) -> str | None:
        if weights is None:
            return "autoencoder.weights is not set: the folder of a diffusers autoencoder"
        try:
            folder = diffusers_config.folder_of(weights)
            found = weight_files.find(folder, endings=weight_files.SAFE)
        except HarnessError as error:
            return str(error)
        if found is None:
            return (
                f"{folder} holds no weights beside its config.json ({weight_files.DIFFUSERS}"
                ".safetensors; pickles are not loaded)"
            )
        return None

    def decoder_gflops(self, image_size: int, weights: str | None = None) -> float | None:
        """Counted on the config's network; None where its folder is not here."""
        from harness.autoencoders.counting import decoder_gflops

        if weights is None:
            return None
        try:
            return decoder_gflops(str(diffusers_config.folder_of(weights)), image_size)
        except HarnessError:
            return None

    def load(
        self,
        *,
        weights: str | None = None,
        decoder: str = "original",
        device: str = "cpu",
        image_channels: int = 3,
    ) -> Any:
        from harness.autoencoders.diffusers_codec import load

        about = diffusers_config.Shape(**{field: getattr(self, field) for field in FROM_CONFIG})
        return load(about, weights, device)


def _folder_name(weights: str | None) -> str | None:
    """The name under which weights are known: a pipeline's folder, not its `vae`."""
    if weights is None:
        return None
    path = Path(weights)
    return path.parent.name if path.name == "vae" and path.parent.name else path.name
