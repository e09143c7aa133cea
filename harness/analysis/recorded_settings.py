"""Settings that a record holds as JSON text: its recipe, its objective's, how it was measured."""

from __future__ import annotations

import json
from typing import Any

from harness.errors import BadInput


def recorded_settings(text: Any, column: str) -> dict[str, Any]:
    """The settings in `text`, a cell of `column`; {} where nothing was recorded (null).

    Raises BadInput: the cell holds no JSON object, so that the trainings cannot be told apart.
    """
    if not isinstance(text, str):
        return {}
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise BadInput(
            f"the records' column {column} holds {text[:60]!r}, and should hold a JSON object: "
            "another program changed them; `python -m harness results STUDY --csv` shows which"
        )
    return found
