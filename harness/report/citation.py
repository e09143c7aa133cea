"""How to cite a report: the harness, and the papers whose results its study reproduces."""

from __future__ import annotations

from harness.report.blocks import Text, em
from harness.report.findings import Findings
from harness.report.phrases import PAPER
from harness.version import __version__

AUTHORS, TITLE = "The authors of the scaling-study harness", "Scaling-study harness"


def sentences(found: Findings) -> list[Text]:
    """ "Cite ...": the software by the version that made the numbers, and the paper."""
    made = found.report.provenance.get("harness", __version__)
    versions = ", ".join(map(str, made)) if isinstance(made, (list, tuple)) else str(made)
    paper = f"{PAPER}, ICCV, doi:10.1109/ICCV51070.2023.00387"
    if found.report.papers_own:
        return [f"Cite the numbers as {paper}; set by {TITLE}, version {__version__}."]
    return [
        f"Cite the harness as {AUTHORS}, ",
        em(TITLE),
        f", version {versions} (CITATION.cff), and what this study reproduces: {paper}.",
    ]
