"""Autoencoders: images to latents and back. `properties` is their torch-free table.

Importing this package does not import torch: names are loaded on first use.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOME = {
    "Autoencoder": "loading",
    "Identity": "loading",
    "StableDiffusionVAE": "loading",
    "decode": "checked",
    "load": "loading",
    "to_uint8": "pixels",
    "to_unit": "pixels",
}
__all__ = sorted([*_HOME, "properties"])


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    if name == "properties":
        return importlib.import_module(f"{__name__}.properties")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
