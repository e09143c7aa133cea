"""The report: a study's records as a typeset PDF. `render` and `main_figure` take a `ReportInput`.

Importing this package imports neither matplotlib nor pandas.
"""

from __future__ import annotations

from harness.report.document import ReportInput, main_figure, render

__all__ = ["ReportInput", "main_figure", "render"]
