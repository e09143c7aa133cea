"""Report sections: `report.sections` in a study."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar

from harness.components.base import Component

BUILT_IN: dict[str, str] = {
    name: f"harness.report.sections.{module}:{cls}"
    for name, module, cls in (
        ("headline", "headline", "Headline"),
        ("abstract", "abstract", "Abstract"),
        ("claims", "claims", "Claims"),
        ("gflops", "gflops", "Gflops"),
        ("factors", "factors", "Factors"),
        ("training", "training", "Training"),
        ("loss", "loss", "Loss"),
        ("training-compute", "training_compute", "TrainingCompute"),
        ("sampling-compute", "sampling_compute", "SamplingCompute"),
        ("samples", "samples", "Samples"),
        ("models", "models", "Models"),
        ("blocks", "blocks", "Blocks"),
        ("complexity", "complexity", "Complexity"),
        ("guidance", "guidance", "Guidance"),
        ("decoders", "decoders", "Decoders"),
        ("comparison", "comparison", "Comparison"),
        ("method", "method", "Method"),
        ("cost", "cost", "Cost"),
        ("failures", "failures", "Failures"),
        ("provenance", "provenance", "Provenance"),
        ("study", "study", "Study"),
    )
}


class Section(Component):
    """A part of the report: frames in, blocks of text, tables and figures out. A pure function."""

    kind: ClassVar[str] = "section"
    by_name: ClassVar[bool] = True  # it draws, with all that drawing needs
    title: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ()  # kinds of records that it cannot do without

    @abstractmethod
    def blocks(self, findings: Any) -> Iterable[Any]:
        """Its blocks (harness.report.blocks), from what was found in the records."""
