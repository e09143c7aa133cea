"""Report sections: `report.sections` in a study."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar

from harness.components.base import Component

_HERE = "harness.report.sections"
BUILT_IN = {
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


class Section(Component):
    """A part of the report: frames in, blocks of text, tables and figures out. A pure function."""

    kind: ClassVar[str] = "section"
    by_name: ClassVar[bool] = True  # it draws, with all that drawing needs
    title: ClassVar[str]  # its heading; "" sets its blocks without one
    needs: ClassVar[tuple[str, ...]] = ("metrics",)  # kinds of records that it cannot do without

    @abstractmethod
    def blocks(self, findings: Any) -> Iterable[Any]:
        """Its blocks (harness.report.blocks), from what was found in the records."""
