"""A setting is declared once in the schema, once in a stage's settings and once as a column.

Between the study's YAML and the records (rooms spec, plan, stages, store) a name is spelled where
it is a field, a keyword or a text. At 87b48fe `learning_rate` stood in 14 lines of 9 files and
`sampling_steps` in 13 files of the package. Whoever reads the value by attribute spells nothing:
a renamed field is an error of the type checker there.
"""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

HARNESS = Path(__file__).resolve().parents[2] / "harness"
ROOMS = ("spec", "plan", "stages", "store")
ALLOWED = {
    "learning_rate": {
        "spec/schema.py": 1,
        "plan/stages.py": 1,
        "stages/benchmark.py": 1,  # the recipe whose speed is measured
        "store/tables.py": 1,
    },
    "sampling_steps": {
        "spec/schema.py": 2,  # the field, and that its list is not empty
        "spec/checks.py": 1,  # the place of an error
        "plan/stages.py": 1,
        "plan/build.py": 1,  # one of the list
        "plan/plan.py": 1,  # Measurement
        "store/tables.py": 1,
        "store/of_study.py": 1,  # the order of rows
    },
    "label_dropout": {"spec/schema.py": 1, "plan/stages.py": 1, "stages/benchmark.py": 1},
    "guidance_channels": {"plan/stages.py": 1, "plan/build.py": 1, "store/tables.py": 1},
    "split_size": {
        "spec/schema.py": 1,
        "plan/stages.py": 2,  # of evaluate and of floor
        "plan/build.py": 2,
        "stages/evaluate.py": 1,
        "stages/floor.py": 1,
        "stages/columns.py": 1,
        "store/tables.py": 1,
        "store/floors.py": 1,
    },
}


def spelled(name: str) -> dict[str, int]:
    """File -> how often it spells the name as a field, a keyword or a text."""
    found: Counter[str] = Counter()
    for room in ROOMS:
        for path in (HARNESS / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                field = isinstance(node, ast.AnnAssign) and getattr(node.target, "id", None) == name
                keyword = isinstance(node, ast.keyword) and node.arg == name
                text = isinstance(node, ast.Constant) and node.value == name
                found[path.relative_to(HARNESS).as_posix()] += field or keyword or text
    return {path: count for path, count in found.items() if count}


@pytest.mark.parametrize("name", ALLOWED)
def test_a_setting_is_spelled_nowhere_that_it_need_not(name: str) -> None:
    assert spelled(name) == ALLOWED[name]
