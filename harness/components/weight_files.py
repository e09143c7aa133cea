"""Which files of a folder hold a network's weights, as diffusers and transformers lay them out.

One file, `STEM.safetensors`, or parts that an index beside them names
(`STEM-00001-of-00002.safetensors`, `STEM.safetensors.index.json`). A variant of the weights stands
between stem and ending: `STEM.fp16.safetensors`, and in parts `STEM.safetensors.index.fp16.json`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import BadInput

DIFFUSERS = "diffusion_pytorch_model"
ENDINGS = (".safetensors", ".bin")
SAFE = ENDINGS[:1]  # those that are no pickles
VARIANT = r"[A-Za-z0-9_-]+"
INDEX = re.compile(rf"\.index(?:\.{VARIANT})?\.json$")
PART = re.compile(r"-(\d{5})-of-(\d{5})(?=\.)")
HALF = ("fp16", "bf16")
NOT_AVERAGED = "non_ema"


@dataclass(frozen=True)
class WeightFiles:
    """The files of one set of weights: one, or the parts that an index names."""

    files: tuple[Path, ...]
    index: Path | None = None
    variant: str | None = None

    @property
    def path(self) -> Path:
        """The file that stands for all of them: the index, or the one file."""
        return self.index or self.files[0]

    @property
    def note(self) -> str | None:
        """A remark on a variant (fp16, non_ema), for people; None: the weights are in full."""
        if self.variant is None:
            return None
        what = {NOT_AVERAGED: "which are not averaged"}
        what |= dict.fromkeys(HALF, "rounded to half precision")
        about = what.get(self.variant)
        return (
            f"{self.path}: the weights of the variant {self.variant!r}"
            f"{f', {about}' if about else ''}: the folder holds no others"
        )


def find(
    folder: Path, stem: str = DIFFUSERS, endings: Sequence[str] = ENDINGS
) -> WeightFiles | None:
    """The weights in a folder: in full before a variant, averaged before others; None: none.

    Raises BadInput for an index that cannot be read, or names files that are not there.
    """
    try:
        names = {path.name for path in folder.iterdir()}
    except OSError:
        return None
    for ending in endings:
        for variant in (None, *_variants(names, stem, ending)):
            between = f".{variant}" if variant else ""
            single, index = f"{stem}{between}{ending}", f"{stem}{ending}.index{between}.json"
            if single in names:
                return WeightFiles((folder / single,), None, variant)
            if index in names:
                return WeightFiles(tuple(parts(folder / index)), folder / index, variant)
    return None


def _variants(names: set[str], stem: str, ending: str) -> list[str]:
    start, end = re.escape(stem), re.escape(ending)
    of_file = re.compile(rf"{start}\.({VARIANT}){end}$")
    of_index = re.compile(rf"{start}{end}\.index\.({VARIANT})\.json$")
    whole = [name for name in names if not PART.search(name)]
    found = {m[1] for name in whole for m in (of_file.match(name), of_index.match(name)) if m}
    return sorted(found, key=lambda v: (v == NOT_AVERAGED, v in HALF, v))


def parts(index: Path) -> Iterator[Path]:
    """The files that an index names, in order. Raises BadInput where one is not there."""
    try:
        listed = json.loads(index.read_text("utf-8"))["weight_map"].values()
        names = sorted({str(name) for name in listed})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"{index} is not an index of weights: {error!r:.120}") from None
    if not names:
        raise BadInput(f"{index} is not an index of weights: it names no file")
    for name in names:  # beside the index, as it came: an index from elsewhere opens nothing else
        if Path(name).name != name or name in (".", ".."):
            raise BadInput(f"{index} names the file {name!r}, which does not lie beside it")
    absent = [name for name in names if not (index.parent / name).is_file()]
    if absent:
        of = f"{len(names)} files, and {len(absent)} of them are not there ({absent[0]}"
        if len(names) == 1:
            of = f"one file, which is not there ({absent[0]}"
        raise BadInput(
            f"{index} names {of}{', ...' if len(absent) > 1 else ''}): copy the whole folder"
        )
    return (index.parent / name for name in names)
