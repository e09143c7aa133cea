"""Reading latents: any batch of a folder written by writer.LatentWriter, fast and checked.

Pixels (identity autoencoder) are read as pixel / 127.5 - 1, mirrored when asked. Posteriors hold
mean and standard deviation of each image and of its mirror image: every visit draws a fresh flip
and a fresh posterior sample, though the encoder ran once.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harness.data.encoded_labels import check_file, read_index
from harness.data.writer import labels_name, shard_name
from harness.errors import BadInput

IN_MEMORY = 1 << 28  # bytes: smaller folders are read whole (and checksummed); larger are mapped


class Latents:
    """A folder of latents, open for reading. Create with Latents.open or Latents.from_pixels."""

    def __init__(self, parts: list[np.ndarray], labels: np.ndarray, index: dict[str, Any]) -> None:
        self.index = index
        settings = index["settings"]
        self.posterior: bool = settings["kind"] == "posterior"  # batch() wants posterior noise
        self.shape: tuple[int, ...] = tuple(settings["shape"])  # (C, H, W)
        self.num_classes: int = settings["num_classes"]
        self.scale: float = settings["scale"]
        self.autoencoder: str = settings["autoencoder"]
        self.autoencoder_sha256: str | None = settings["autoencoder_sha256"]
        self.labels = labels  # (count,) int64
        self._parts = parts
        self._starts = np.cumsum([0] + [len(part) for part in parts])

    @property
    def count(self) -> int:
        """How many images were encoded."""
        return len(self.labels)

    def __len__(self) -> int:
        return self.count

    @property
    def sha256(self) -> str:
        """One checksum for the content: over the shards' checksums, in order."""
        entries = [shard["files"] for shard in self.index["shards"]]
        return hashlib.sha256(json.dumps(entries, sort_keys=True).encode()).hexdigest()

    @classmethod
    def open(
        cls,
        folder: str | Path,
        autoencoder: str | None = None,
        autoencoder_sha256: str | None = None,
        verify: bool | None = None,
    ) -> Latents:
        """Open a finished folder.

        autoencoder, autoencoder_sha256: what the latents must have been made with, if given.
        verify: compare checksums (sizes always are); None does so for folders read whole.
        Raises Missing if there is no index, BadInput if the latents are another autoencoder's, cut
        off, or altered.
        """
        folder = Path(folder)
        index = read_index(folder)
        settings = index["settings"]
        for what, wanted, found in (
            ("autoencoder", autoencoder, settings["autoencoder"]),
            ("autoencoder weights", autoencoder_sha256, settings["autoencoder_sha256"]),
        ):
            if wanted is not None and wanted != found:
                raise BadInput(
                    f"{folder}: these latents were made by another autoencoder "
                    f"({what} {found}, wanted {wanted}); point to that autoencoder's latents or "
                    "encode the data again"
                )
        sizes = [entry["bytes"] for shard in index["shards"] for entry in shard["files"].values()]
        small = sum(sizes) <= IN_MEMORY
        parts, labels = [], []
        for k, shard in enumerate(index["shards"]):
            for name, entry in shard["files"].items():
                check_file(folder / name, entry, small if verify is None else verify)
            labels.append(np.load(folder / labels_name(k), allow_pickle=False))
            if shard["count"]:
                stored = np.load(folder / shard_name(k), mmap_mode="r", allow_pickle=False)
                parts.append(stored)
        if small:
            parts = [np.concatenate(parts)]  # a copy in memory
        return cls(parts, np.concatenate(labels), index)

    @classmethod
    def from_pixels(cls, images: np.ndarray, labels: np.ndarray, num_classes: int) -> Latents:
        """Images in memory, uint8 (N, H, W, C), as if encoded by the identity autoencoder."""
        pixels = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
        digest = hashlib.sha256(pixels.data).hexdigest()
        index = {
            "settings": {
                "kind": "pixels",
                "shape": list(pixels.shape[1:]),
                "num_classes": num_classes,
                "scale": 1.0,
                "autoencoder": "identity",
                "autoencoder_sha256": None,
            },
            "shards": [{"count": len(pixels), "files": {"memory": {"sha256": digest}}}],
            "corrupt": [],
        }
        return cls([pixels], labels.astype(np.int64), index)

    def batch(
        self,
        indices: np.ndarray,
        flip: np.ndarray | Tensor | None = None,
        posterior_noise: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The model's inputs: x (N, C, H, W) float32 and labels (N,) int64, on the CPU.

        flip (N,) bool: which images to take mirrored. posterior_noise (N, C, H, W): the standard
        normal draw of a posterior sample; None takes the posterior's mean.
        """
        indices = np.asarray(indices)
        mirrored = None if flip is None else np.asarray(flip, dtype=bool)
        y = torch.from_numpy(self.labels[indices])
        if not self.posterior:
            pixels = self._rows(indices)
            if mirrored is not None and mirrored.any():
                pixels[mirrored] = pixels[mirrored][..., ::-1]
            return torch.from_numpy(pixels).float().div_(127.5).sub_(1.0), y
        chosen = (
            np.zeros(len(indices), dtype=np.int64) if mirrored is None else mirrored.astype(int)
        )
        rows = torch.from_numpy(self._rows(indices, chosen)).float()  # (N, mean or std, C, H, W)
        x = rows[:, 0]
        if posterior_noise is not None:
            x = torch.addcmul(x, rows[:, 1], posterior_noise)
        return x * self.scale, y

    def _rows(self, indices: np.ndarray, flip: np.ndarray | None = None) -> np.ndarray:
        """A copy of the stored rows, of one flip each if given."""
        if len(self._parts) == 1:
            part = self._parts[0]
            return part[indices] if flip is None else part[indices, flip]  # type: ignore[no-any-return]
        # Mapped files: row by row, so that only what is asked for is read.
        first = self._parts[0][0] if flip is None else self._parts[0][0, 0]
        out = np.empty((len(indices), *first.shape), dtype=first.dtype)
        homes = np.searchsorted(self._starts, indices, side="right") - 1
        for row, (home, index) in enumerate(zip(homes, indices, strict=True)):
            stored = self._parts[home][index - self._starts[home]]
            out[row] = stored if flip is None else stored[flip[row]]
        return out
