"""A setting is declared once in the schema, once in a stage's settings and once as a column.

Between the study's YAML and the records (rooms spec, plan, stages, store) a name is spelled where
it is a field, a keyword or a text. At 87b48fe `learning_rate` stood in 14 lines of 9 files and
`sampling_steps` in 13 files of the package. Whoever reads the value by attribute spells nothing:
a renamed field is an error of the type checker there.
"""

from __future__ import annotations

import ast
import functools
from collections import Counter
from pathlib import Path

import pytest
from parsed import of_the_whole_package, parsed

pytestmark = of_the_whole_package

HARNESS = Path(__file__).resolve().parents[2] / "harness"
ROOMS = ("spec", "plan", "stages", "store")
DECLARED = {  # where each is declared, and how often: schema, stage, column
    "learning_rate": {"spec/recipe.py": 1, "plan/stages.py": 1, "store/tables.py": 1},
    "sampling_steps": {"spec/evaluating.py": 2, "plan/stages.py": 1, "store/tables.py": 1},
    "batch_size": {"store/tables.py": 1},
    "label_dropout": {"spec/recipe.py": 1, "plan/stages.py": 1},
    "guidance_channels": {"plan/stages.py": 1, "store/tables.py": 1},
    "split_size": {"spec/evaluating.py": 1, "plan/stages.py": 3, "store/tables.py": 1},
}
# Places beside those. learning_rate: the recipe whose speed is measured, what a tracker is told.
# sampling_steps: an error's place, one of the list in a key, Measurement, the order of rows, what a
# tracker is told (twice).
MORE = {"learning_rate": 2, "sampling_steps": 6, "label_dropout": 1, "guidance_channels": 1}


@functools.cache
def spellings() -> dict[str, Counter[str]]:
    """File -> how often it spells each name as a field, a keyword or a text."""
    found: dict[str, Counter[str]] = {}
    for room in ROOMS:
        for path in (HARNESS / room).rglob("*.py"):
            here = found[path.relative_to(HARNESS).as_posix()] = Counter[str]()
            for node in ast.walk(parsed(path)):
                if isinstance(node, ast.AnnAssign):
                    here[getattr(node.target, "id", "")] += 1
                elif isinstance(node, ast.keyword):
                    here[node.arg or ""] += 1
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    here[node.value] += 1
    return found


def spelled(name: str) -> dict[str, int]:
    """File -> how often it spells the name."""
    return {path: names[name] for path, names in spellings().items() if names[name]}


@pytest.mark.parametrize("name", DECLARED)
def test_a_setting_is_declared_once_in_each_place(name: str) -> None:
    found = spelled(name)
    assert {path: found.get(path) for path in DECLARED[name]} == DECLARED[name]


@pytest.mark.parametrize("name", MORE)
def test_a_setting_is_spelled_in_few_other_places(name: str) -> None:
    found = {path: n for path, n in spelled(name).items() if path not in DECLARED[name]}
    assert sum(found.values()) <= MORE[name], found
