"""From a `ReportInput` to a document, and from a document to a file: PDF or HTML.

The document is data (`harness.report.blocks`); `typst_writer` and `html_writer` set its blocks.
Two renders of equal input are equal byte for byte (with the same versions of matplotlib and typst):
the clock is the input's `timestamp`.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast, get_args

from harness.errors import HarnessError
from harness.report.files import write

if TYPE_CHECKING:
    from harness.components.section import Section as SectionComponent
    from harness.report.blocks import Block, Document, Section
    from harness.report.findings import Findings
    from harness.report.input import ReportInput

FORMATS = ("pdf", "html")
LAST = ("method", "cost", "failures", "provenance", "study")  # sections behind the results


def compose(report: ReportInput) -> Document:
    """The report before it is typeset. Raises HarnessError for a section that does not exist."""
    from harness.analysis.remembered import remembering
    from harness.report.blocks import Document, Section
    from harness.report.findings import find
    from harness.report.prepared import strings_in_python

    asked = list(report.sections)
    if report.against is not None and "gflops" not in asked:  # it stands nowhere else
        before = [i for i, one in enumerate(asked) if one in LAST]
        asked.insert(before[0] if before else len(asked), "gflops")
    wanted = [named(one, report) for one in asked]
    with strings_in_python(report.frames) as frames, remembering():
        found = find(replace(report, frames=frames))
        sections = [Section(one.name, one.title, _blocks(one, found)) for one in wanted]
    return Document(
        title=report.title,
        study=report.study,
        profile=report.profile,
        date=report.date.strftime("%-d %B %Y, %H:%M UTC"),
        timestamp=int(report.date.timestamp()),
        sections=[s for s in _once(sections) if s.blocks],  # without factors there is no such one
    )


def _blocks(section: SectionComponent, found: Findings) -> list[Block]:
    """The section's blocks. Where a stranger's fails, a note of that in their place: the others'
    numbers may have taken weeks. A warning says the same."""
    from harness.components.base import is_built_in
    from harness.components.promises import raised
    from harness.report.blocks import Block, Note

    if is_built_in(type(section)):
        return list(section.blocks(found))
    try:
        blocks = list(section.blocks(found))
        for block in blocks:
            if not isinstance(block, get_args(Block)):
                raise TypeError(f"{block!r} is not a block of harness.report.blocks")
        return blocks
    except Exception as error:
        said = raised(error, type(section).blocks)
        warnings.warn(f"the report section {section.name!r} failed: {said}", stacklevel=2)
        return [Note("This section could not be made", (said,))]


def _once(sections: Sequence[Section]) -> list[Section]:
    """The sections, the abstract where it stands first: `abstract` and `headline` both have it."""
    from harness.report.blocks import Abstract

    found: list[Section] = []
    said = False
    for section in sections:
        kept = [b for b in section.blocks if not (said and isinstance(b, Abstract))]
        said = said or any(isinstance(b, Abstract) for b in kept)
        found.append(replace(section, blocks=kept))
    return found


def named(section: str | SectionComponent, report: ReportInput) -> SectionComponent:
    """A section component, by its name where it is given by name.

    Raises HarnessError for a name that no section has.
    """
    if not isinstance(section, str):
        return section
    from harness.components import names, registry

    if section not in names("section"):
        raise HarnessError(
            f"the report of {report.study} asks for an unknown section {section!r}; "
            f"there are: {', '.join(names('section'))}"
        )
    return cast("SectionComponent", registry.get("section", section)())


def render(report: ReportInput, out: Path, form: str = "pdf") -> Path:
    """Write the report to `out` (its folder is made; the file is replaced whole) and return it.

    Raises HarnessError for a section that does not exist or a file that cannot be written.
    """
    return save(compose(report), out, form)


def save(document: Document, out: Path, form: str = "pdf") -> Path:
    """Write a composed report to `out` as "pdf" or "html"."""
    if form == "html":
        from harness.report.html_writer import html

        data = html(document).encode()
    else:
        from harness.report.typst_writer import pdf

        data = pdf(document)
    return write(Path(out), data)


def unshown(document: Document, form: str = "pdf") -> str | None:
    """A sentence on characters that a report of this form cannot show; None: it shows all."""
    if form == "html":
        return None  # a browser has fonts of its own
    from harness.report import typst_writer

    return typst_writer.unshown(document)


def save_parts(document: Document, folder: Path) -> list[Path]:
    """Write each figure as SVG and its numbers as CSV into `folder`; returns the files.

    Of tables, those that are made of more rows than a page holds have a CSV.
    A mosaic's CSV says which image stands in which cell and what it is of; the images lie as PNG in
    a folder of the figure's name. Such files of an earlier report are removed, and nobody else's
    (harness.report.beside). Raises HarnessError where one cannot be written.
    """
    from harness.report import beside, mosaic_files
    from harness.report.blocks import Figure, Mosaic, Table

    files: dict[str, bytes] = {}
    for block in document.pieces():
        if isinstance(block, Mosaic):
            files |= mosaic_files.files(block)
        if isinstance(block, (Figure, Table)):
            name = block.label.removeprefix("fig-").removeprefix("tab-")
            if isinstance(block, Figure):
                files[f"{name}.svg"] = block.svg
            if block.data is not None:
                text = block.data.to_csv(index=False, lineterminator="\n")
                files[f"{name}.csv"] = text.encode()
    return beside.replace(folder, files)


def main_figure(report: ReportInput, path: Path) -> Path | None:
    """Write the report's main figure (Gflops against quality) as a PNG, for the README.

    Returns None, and writes nothing, where no model has been measured. Raises HarnessError where
    it cannot be written.
    """
    from harness.report import style
    from harness.report.findings import find
    from harness.report.sections.gflops import drawing

    found = find(report)
    if not len(found.final):
        return None
    return write(Path(path), style.png(drawing(found).figure))
