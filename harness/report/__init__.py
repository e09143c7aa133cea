"""The report: a study's records as a document, set as a PDF or as a page for the browser.

Importing this package imports neither matplotlib nor pandas.
"""

from __future__ import annotations

from harness.report.document import main_figure, render
from harness.report.input import ReportInput

__all__ = ["ReportInput", "main_figure", "render"]
