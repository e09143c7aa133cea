"""The images of a study, and the autoencoder between them and the model's inputs."""

from typing import Annotated, Literal

from pydantic import ConfigDict, field_validator

from harness.spec.base import Choice, Component, Count, Name, NotInKey, Positive, Settings


class DataSettings(Settings):
    """The images. `glyphs` and `digits` are embedded; any other name needs a source and a path."""

    name: Name = "glyphs"
    "The data's identity: keys hold it, and two results folders share the data by it."

    source: Annotated[Component, Choice("source")] = "embedded"
    "Where the images come from: a data source, for example image-folder."

    path: Annotated[str | None, NotInKey()] = None
    "Where the images lie on this machine. In no key."

    fingerprint: str | None = None
    "SHA-256 of the list of images, as `encode` records it; checked when given."

    image_size: Positive = 8
    "Pixels per side; images are brought to it by ADM's centre crop."

    channels: Literal[1, 3] = 3
    "1 (gray) or 3 (RGB)."

    num_classes: Count = 10
    "Labels are 0 to num_classes - 1; one more stands for no class in guidance. 0: unconditional."

    train_images: Positive | None = None
    "Number of training images: an embedded set is made of so many, others must have so many."

    flip: bool = False
    "Random horizontal flips in training."

    held_out: float | str | None = None
    "Images not trained on, for floors: a share of them (0.1), or a folder of their own."

    seed: Count = 0
    "Seed of the embedded sets' rendering, and of the choice of images that are held out."

    max_corrupt: Annotated[Count, NotInKey()] = 0
    "Unreadable images that are skipped before the stage fails."

    @field_validator("held_out")
    @classmethod
    def _a_share(cls, value: float | str | None) -> float | str | None:
        if isinstance(value, (int, float)) and not 0 < value <= 0.5:
            raise ValueError("must be a share above 0 and up to 0.5, or a folder's path")
        if value == "":
            raise ValueError("must be a share, or a folder's path: this one is empty")
        return value


class AutoencoderSettings(Settings):
    """The autoencoder between images and the model's inputs; its settings stand beside its name."""

    model_config = ConfigDict(extra="allow")  # the component's own, checked as its fields

    name: str = "identity"
    "The autoencoder: identity (pixels), sd-vae, diffusers, or a component of your own."

    decoder: str = "original"
    "The decoder to use, where the autoencoder has several (Table 4)."

    weights: Annotated[str | None, NotInKey()] = None
    "A folder with the weights on this machine; null: they are downloaded from the hub."

    sha256: str | None = None
    "Checksum of the encoder's parameters, as `encode` records it; checked when given."

    reconstructions: Annotated[Count, NotInKey()] = 0
    "Held-out images that are encoded, decoded and measured: a bound of every model. 0: none."
