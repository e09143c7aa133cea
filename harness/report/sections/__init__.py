"""The report's sections: one file each. `TABLE` says where; `section` gives one by its name."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.report.sections.base import Section

_HERE = "harness.report.sections"
TABLE = {
    "abstract": f"{_HERE}.abstract:Abstract",
    "headline": f"{_HERE}.headline:Headline",
    "gflops": f"{_HERE}.gflops:Gflops",
    "training": f"{_HERE}.training:Training",
    "loss": f"{_HERE}.loss:Loss",
    "training-compute": f"{_HERE}.training_compute:TrainingCompute",
    "sampling-compute": f"{_HERE}.sampling_compute:SamplingCompute",
    "samples": f"{_HERE}.samples:Samples",
    "models": f"{_HERE}.models:Models",
    "blocks": f"{_HERE}.blocks:Blocks",
    "complexity": f"{_HERE}.complexity:Complexity",
    "guidance": f"{_HERE}.guidance:Guidance",
    "decoders": f"{_HERE}.decoders:Decoders",
    "comparison": f"{_HERE}.comparison:Comparison",
    "provenance": f"{_HERE}.provenance:Provenance",
}


def section(name: str) -> Section:
    """The section called `name`. Raises HarnessError for one that nobody has."""
    if name not in TABLE:
        raise HarnessError(f"unknown section {name!r}; there are: {', '.join(TABLE)}")
    module, _, attribute = TABLE[name].partition(":")
    made = getattr(importlib.import_module(module), attribute)()
    return made  # type: ignore[no-any-return]
