"""What is changed in images as they are read, in words: `new` says it early, `run` afterwards.

The kinds are those of `harness.data.encoding.changed` and `harness.data.images.how_stored`.
"""

from __future__ import annotations

from collections.abc import Mapping

WORDS = {
    "alpha": "with transparency, which is dropped",
    "frames": "of several frames or pages, of which the first is read",
    "gray": "gray",
    "enlarged": "smaller than the study's and enlarged",
    "palette": "with a palette",
    "cmyk": "CMYK",
    "turned": "with an EXIF orientation, which is not applied: turn such images first",
    "16-bit": "of 16 bits, of which 8 are kept",
}


def told(counts: Mapping[str, int], of: int) -> list[str]:
    """One phrase per kind, in alphabetical order: "3 of 58 with a palette"."""
    return [f"{n:,} of {of:,} {WORDS.get(kind, kind)}" for kind, n in sorted(counts.items())]
