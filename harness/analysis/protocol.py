"""How a value was measured: two values compare only if they were measured in one way.

The same sampler, steps, guidance, decoder and number of samples (a Fréchet distance depends on it).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass


@dataclass(frozen=True)
class Protocol:
    """How a value was measured; the fields are the records' columns (None: null)."""

    sampler: str | None
    sampling_steps: int | None
    eta: float | None
    guidance_scale: float | None
    guidance_channels: int | None
    guidance_low: float | None
    guidance_high: float | None
    clip: bool | None
    sampling_precision: str | None
    decoder: str | None
    samples: int | None
    k: int | None
    split_size: int | None
    ema: float | None = None
    ema_length: float | None = None
    labels: str | None = None

    @property
    def guided(self) -> bool:
        """Were the samples drawn with classifier-free guidance (a scale other than 1)?"""
        return self.guidance_scale is not None and self.guidance_scale != 1

    def sentence(self) -> str:
        """For captions: "1,000 samples, 50 ancestral steps, no guidance"."""
        count = "an unknown number of" if self.samples is None else f"{self.samples:,}"
        parts = [f"{count} samples"]
        if self.sampling_steps is not None:
            parts.append(f"{self.sampling_steps} {self.sampler or ''} steps".replace("  ", " "))
        if self.eta:
            parts[-1] += f" with eta {self.eta:g}"
        if self.guidance_scale is not None:
            parts.append(f"guidance {self.guidance_scale:g}" if self.guided else "no guidance")
        if self.guidance_low is not None:
            parts.append(f"at timesteps {self.guidance_low:g} to {self.guidance_high:g} alone")
        if self.clip:
            parts.append("x0 clipped")
        if self.ema is not None:
            parts.append(f"EMA {self.ema:g}")
        if self.ema_length is not None:
            parts.append(f"EMA of length {self.ema_length:g}")
        if self.labels is not None:
            parts.append(f"labels as in the {self.labels}")
        return ", ".join(parts)

    @property
    def drawn(self) -> Protocol:
        """The samples alone: without what only some metrics have (neighbours, chunks)."""
        return dataclasses.replace(self, k=None, split_size=None)


PROTOCOL = tuple(f.name for f in dataclasses.fields(Protocol))
DRAWN = tuple(c for c in PROTOCOL if c not in ("k", "split_size"))  # of samples, for any metric
