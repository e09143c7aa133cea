"""From a `ReportInput` to a PDF: compose the sections, draw the figures, let typst set the pages.

Nothing a user wrote becomes markup: the content travels to the template as JSON, and the template
only places strings. Two renders of equal input are equal byte for byte (with the same versions of
matplotlib and typst): the clock is the input's `timestamp`, fonts are typst's own.
"""

from __future__ import annotations

import datetime
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

TEMPLATE = Path(__file__).with_name("report.typ")


@dataclass(frozen=True)
class ReportInput:
    """Everything a report says, gathered by the caller; nothing is read from disk while rendering.

    An unfinished study has a report too: `missing` names what is not done, and the first page says
    so.
    """

    study: str
    title: str
    profile: str
    sections: Sequence[str]
    """Names of harness.spec.schema.SECTIONS, in order."""
    frames: Mapping[str, pd.DataFrame]
    """"runs", "metrics", "training" (harness.store.tables), only this study's rows."""
    provenance: Mapping[str, Any]
    """Shown as given, nested mappings and lists flattened: versions, commit, devices, extractor and
    checksums, reference, seeds, date of the records, the command line."""
    timestamp: datetime.datetime | int
    """The report's date (an int is seconds since 1970, UTC); a naive datetime is UTC."""
    about: str = ""
    complexity: Sequence[Mapping[str, Any]] = ()
    """One mapping per model and U-Net: model, block, image_size, tokens, params, gflops,
    gflops_paper, paper_gflops, paper_params_m (None where the paper has none), and for DiTs depth,
    width, heads if at hand. U-Nets have tokens None."""
    samples: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Run label (`harness.spec.study.Run.label`) to uint8 images (n, H, W, C), C 1 or 3: image i of
    every run from the same noise and label, runs in the study's order."""
    samples_how: str = ""
    """How all of them were drawn, for their caption: "50 steps, no guidance"."""
    missing: Sequence[str] = ()
    """What the study asked for and has not got, one phrase each ("train DiT-XL/2: failed")."""

    @property
    def date(self) -> datetime.datetime:
        """`timestamp` as an aware datetime in UTC, whole seconds."""
        when = self.timestamp
        if not isinstance(when, datetime.datetime):
            return datetime.datetime.fromtimestamp(int(when), datetime.UTC)
        if when.tzinfo is None:
            when = when.replace(tzinfo=datetime.UTC)
        return when.astimezone(datetime.UTC).replace(microsecond=0)


def render(report: ReportInput, out_pdf: Path) -> Path:
    """Write the report to `out_pdf` (its folder is made; the file is replaced whole) and return it.

    Raises HarnessError for a section that does not exist or a file that cannot be written.
    """
    out_pdf = Path(out_pdf)
    document, files = compose(report)
    with tempfile.TemporaryDirectory(prefix="harness-report-") as scratch:
        folder = Path(scratch)
        for name, data in files.items():
            (folder / name).write_bytes(data)
        (folder / "content.json").write_text(json.dumps(document), encoding="utf-8")
        (folder / "report.typ").write_text(TEMPLATE.read_text("utf-8"), encoding="utf-8")
        pdf = _compile(folder, report)
    try:
        out_pdf.parent.mkdir(parents=True, exist_ok=True)
        aside = out_pdf.with_name(f".{out_pdf.name}.{os.getpid()}")
        aside.write_bytes(pdf)
        os.replace(aside, out_pdf)
    except OSError as error:
        raise HarnessError(f"cannot write the report to {out_pdf}: {error.strerror}") from None
    return out_pdf


def compose(report: ReportInput) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The report before typesetting: its content for the template, and the images by file name.

    Raises HarnessError for a section that does not exist.
    """
    from harness.report.blocks import bands
    from harness.report.findings import find
    from harness.report.sections import BUILDERS

    unknown = [name for name in report.sections if name not in BUILDERS]
    if unknown:
        raise HarnessError(
            f"the report of {report.study} asks for unknown sections {', '.join(unknown)}; "
            f"there are: {', '.join(BUILDERS)}"
        )
    found = find(report)
    built = [BUILDERS[name](found) for name in report.sections]
    files: dict[str, bytes] = {}
    for block in (block for section in built for block in section):
        files |= block.pop("files", {})
    document = {
        "title": report.title,
        "study": report.study,
        "profile": report.profile,
        "date": report.date.strftime("%-d %B %Y, %H:%M UTC"),
        "bands": bands(built),
    }
    return document, files


def main_figure(report: ReportInput, path: Path) -> Path | None:
    """Write the report's main figure (Gflops against quality) as a PNG, for the README.

    Returns None, and writes nothing, where no model has been measured. Raises HarnessError where
    it cannot be written.
    """
    from harness.report import figures
    from harness.report.findings import find

    found = find(report)
    if not len(found.final):
        return None
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(figures.png(figures.gflops(found)))
    except OSError as error:
        raise HarnessError(f"cannot write the figure to {path}: {error.strerror}") from None
    return path


def _compile(folder: Path, report: ReportInput) -> bytes:
    import typst

    try:
        pdf = typst.compile(
            folder / "report.typ",
            root=folder,
            ignore_system_fonts=True,
            timestamp=int(report.date.timestamp()),
        )
    except typst.TypstError as error:
        raise HarnessError(f"typst could not set the report of {report.study}: {error}") from error
    assert isinstance(pdf, bytes)
    return pdf
