"""Data: images in, latents on disk, and the order in which training reads them.

    images      ImageFolder, TarShards, ArrayImages: index -> (uint8 HWC array, label)
    encoding    encode: images -> LatentWriter, sharded over processes, resumable
    training    Latents.batch(batch_indices(seed, step, ...))

Importing this package imports neither torch nor PIL: names are loaded on first use.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOME = {
    "ArrayImages": "images",
    "Corrupt": "images",
    "Images": "images",
    "ImageFolder": "folder",
    "LatentWriter": "writer",
    "Latents": "latents",
    "TarShards": "shards",
    "batch_indices": "order",
    "centre_crop": "crop",
    "encode": "encoding",
    "open_images": "images",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
