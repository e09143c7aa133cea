"""Autoencoders with weights: the identity, and Stable Diffusion's VAE through diffusers."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from harness.autoencoders import places
from harness.autoencoders.places import WEIGHTS, weights_of
from harness.autoencoders.properties import properties
from harness.errors import BadInput, Missing, on_one_line

ENCODER = ("encoder.", "quant_conv.")  # names of its parameters
DECODER = ("decoder.", "post_quant_conv.")


class Autoencoder(Protocol):
    """Images (N, 3, H, W) in [-1, 1] to latents and back."""

    name: str
    decoder: str
    factor: int  # image size / latent size
    channels: int  # of a latent
    scale: float  # latents are posterior samples times this
    pixels: bool  # the latents are the images, kept as they are
    sha256: str | None  # of the encoder's weights: what latents on disk depend on
    decoder_sha256: str | None  # of the decoder's

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Posterior mean and standard deviation, each (N, channels, H / factor, W / factor)."""
        ...

    def decode(self, latents: Tensor) -> Tensor:
        """Scaled latents (N, channels, h, w) to images (N, 3, h factor, w factor) about [-1, 1]."""
        ...


class Identity:
    """Pixels are the latents; nothing is learned and nothing is loaded."""

    name = "identity"
    decoder = "original"
    factor = 1
    scale = 1.0
    pixels = True
    sha256: str | None = None
    decoder_sha256: str | None = None

    def __init__(self, channels: int = 3) -> None:
        self.channels = channels

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images (N, C, H, W) in [-1, 1] as the mean of a posterior without spread."""
        return images, torch.zeros_like(images)

    def decode(self, latents: Tensor) -> Tensor:
        """Latents (N, C, H, W), which are images, as they are."""
        return latents


class StableDiffusionVAE:
    """diffusers' AutoencoderKL, in evaluation mode, without gradients."""

    name = "sd-vae"
    pixels = False

    def __init__(self, model: Any, decoder: str) -> None:
        table = properties(self.name)
        self.model = model
        self.decoder = decoder
        self.factor = 2 ** (len(model.config.block_out_channels) - 1)
        self.channels = int(model.config.latent_channels)
        self.scale = table.scale
        if self.channels != table.channels or self.factor != table.factor:
            raise BadInput(
                f"these weights are of an autoencoder of factor {self.factor} and {self.channels} "
                f"latent channels; sd-vae has {table.factor} and {table.channels}"
            )
        self.sha256: str | None = state_sha256(model, ENCODER)
        self.decoder_sha256: str | None = state_sha256(model, DECODER)

    @torch.no_grad()
    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images (N, 3, H, W) in [-1, 1] -> mean and standard deviation of the posterior.

        Both are (N, 4, H / 8, W / 8), float32, and not scaled yet.
        """
        posterior = self.model.encode(images.to(self.model.dtype)).latent_dist
        return posterior.mean.float(), posterior.std.float()

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Scaled latents (N, 4, h, w) -> images (N, 3, 8 h, 8 w), float32, about [-1, 1]."""
        return self.model.decode((latents / self.scale).to(self.model.dtype)).sample.float()  # type: ignore[no-any-return]


def load(
    name: str,
    decoder: str = "original",
    weights: str | Path | None = None,
    device: str | torch.device = "cpu",
    sha256: str | None = None,
    image_channels: int = 3,
) -> Autoencoder:
    """An autoencoder ready for use: "identity" or "sd-vae".

    decoder: original, ft-mse or ft-ema (paper, Table 4; the encoder is the same in all three).
    weights: a local folder in diffusers' layout, holding one folder per decoder (weights/ft-mse/ or
    weights/sd-vae-ft-mse/) or one model's config.json and diffusion_pytorch_model.safetensors,
    which then is the decoder "original" and no other; None takes the Hugging Face hub's, from its
    cache when it is there.
    sha256: of the weights file or of the encoder (`.sha256`), compared when given.
    image_channels: of the identity's images.
    Raises BadInput for unknown names or weights that do not fit, Missing for weights that are
    neither here nor to be had.
    """
    table = properties(name)
    if decoder not in table.decoders:
        raise BadInput(
            f"autoencoder {name!r} has no decoder {decoder!r}; there are "
            + ", ".join(table.decoders)
        )
    if table.decoders[decoder] is None:  # there are no weights
        return Identity(image_channels)
    model = _load_kl(name, decoder, folder_of(name, decoder, weights), sha256)
    return StableDiffusionVAE(model.to(device).eval().requires_grad_(False), decoder)


def _load_kl(name: str, decoder: str, folder: Path, sha256: str | None) -> Any:
    files = weights_of(folder)
    assert files is not None  # the folder was looked for by it
    path = files.path
    found = _file_sha256(path) if files.index is None else "in parts"
    model = load_model("AutoencoderKL", folder, f"{name} ({decoder})")
    encoder = state_sha256(model, ENCODER)
    if sha256 is not None and sha256.lower() not in (found, encoder):
        raise BadInput(
            f"{path} has SHA-256 {found} (its encoder alone {encoder}), not {sha256} as the study "
            "says: these are other weights, or a damaged copy"
        )
    return model


def load_model(architecture: str, folder: Path, label: str) -> Any:
    """A diffusers model of a class from a folder with config.json and weights in safetensors.

    These are one file, parts that an index names, or a variant where there are no others.
    Raises BadInput, calling it `label`, for weights that cannot be loaded or do not fit the config.
    """
    import diffusers
    from diffusers.utils import logging

    files = weights_of(folder)
    path = folder / WEIGHTS if files is None else files.path
    level = logging.get_verbosity()
    logging.set_verbosity_error()  # what it would warn of is raised below
    logging.disable_progress_bar()  # of the parts of a checkpoint
    try:
        model, report = getattr(diffusers, architecture).from_pretrained(
            str(folder),
            local_files_only=True,
            use_safetensors=True,
            variant=None if files is None else files.variant,
            low_cpu_mem_usage=False,
            output_loading_info=True,
        )
    except Exception as error:  # diffusers raises many kinds on a damaged file
        raise BadInput(f"{path} cannot be loaded as {label}: {on_one_line(error)[:300]}") from None
    finally:
        logging.set_verbosity(level)
        logging.enable_progress_bar()
    # diffusers fills what a file lacks with random numbers and only warns.
    for what in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if report[what]:
            keys = ", ".join(str(key) for key in sorted(report[what])[:3])
            raise BadInput(
                f"{path} does not fit its config.json: {len(report[what])} "
                f"{what.replace('_', ' ')} ({keys}, ...)"
            )
    return model


def folder_of(name: str, decoder: str, weights: str | Path | None, online: bool = True) -> Path:
    """The folder that holds one model's config.json and weights, downloaded where `online`.

    Raises BadInput for another decoder's weights, Missing for none.
    """
    repository = properties(name).decoders[decoder]
    assert repository is not None  # the identity never comes here
    if weights is None:
        return _download(repository, decoder, online)
    return places.folder_of(name, decoder, weights)


def _download(repository: str, decoder: str, online: bool) -> Path:
    """The folder in the hub's cache; downloaded when it is not there yet."""
    from huggingface_hub import snapshot_download

    subfolder = "vae" if decoder == "original" else None
    prefix = f"{subfolder}/" if subfolder else ""
    files = [f"{prefix}config.json", f"{prefix}{WEIGHTS}"]
    reason = ""
    # the cache first: a run on a cluster's node needs no network
    for local in (True, False) if online else (True,):
        try:
            root = Path(snapshot_download(repository, allow_patterns=files, local_files_only=local))
        except Exception as error:  # the hub's own errors, and those of the network below it
            reason = on_one_line(error)[:200]
            continue
        if all((root / file).is_file() for file in files):
            return root / subfolder if subfolder else root
    raise Missing(
        f"the weights of {repository} are not here and cannot be downloaded ({reason}); fetch "
        f"{' and '.join(files)} where there is a network, put them into a folder {decoder} and "
        "give the folder that holds it as autoencoder.weights"
    )


def _file_sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def state_sha256(model: torch.nn.Module, prefixes: tuple[str, ...]) -> str:
    """SHA-256 over the parameters whose names begin with one of the prefixes, by sorted name.

    Of the values, not of a file: a pickle and a safetensors file of the same weights agree, and so
    do the encoders of the three decoders' files.
    """
    digest = hashlib.sha256()
    for key, value in sorted(model.state_dict().items()):
        if key.startswith(prefixes):
            digest.update(f"{key} {value.dtype} {tuple(value.shape)}\n".encode())
            flat = value.detach().cpu().contiguous().flatten().view(torch.uint8)
            digest.update(flat.numpy().data)
    return digest.hexdigest()
