"""A name says what a thing is."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from parsed import of_the_whole_package, parsed

pytestmark = of_the_whole_package

HARNESS = Path(__file__).resolve().parents[2] / "harness"
# Names of modules, classes and functions that once stood here, and that nobody could guess.
UNCLEAR = {"standing", "Standing", "once", "text", "words", "_told", "older", "later"}


def defined(tree: ast.AST) -> Iterator[str]:
    """The names of all functions and classes, those within others included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name


def test_no_module_class_or_function_has_a_name_that_does_not_say_what_it_is() -> None:
    found = []
    for path in sorted(HARNESS.rglob("*.py")):
        names = [path.stem, *defined(parsed(path))]
        found += [f"{path.relative_to(HARNESS)}: {name}" for name in names if name in UNCLEAR]
    assert not found, f"say what it is: {found}"


def test_the_test_sees_what_it_must() -> None:
    code = "class Standing:\n    def _told(self):\n        async def once(): ...\n"
    assert set(defined(ast.parse(code))) == {"Standing", "_told", "once"}
