"""The sections: one file each, found by name, and no circle among the report's modules."""

from __future__ import annotations

import ast
import graphlib
from pathlib import Path

import pytest

import harness.report
from harness.components import registry
from harness.components.section import BUILT_IN, Section

ROOM = Path(harness.report.__file__).parent


def imports(path, modules):
    """The report's modules that a file imports anywhere, also for type checking alone."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("harness.report"):
            for name in node.names:
                whole = f"{node.module}.{name.name}"
                found.add(whole if whole in modules else node.module)
    return found


@pytest.mark.slow
def test_no_module_of_the_report_imports_itself_by_way_of_others():
    def name(path):
        parts = path.relative_to(ROOM.parent.parent).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    modules = {name(path): path for path in ROOM.rglob("*.py")}
    graph = {module: imports(path, modules) & set(modules) for module, path in modules.items()}
    list(graphlib.TopologicalSorter(graph).static_order())  # CycleError names the circle


def test_every_section_lies_in_a_file_of_its_own_and_says_what_it_is():
    files = set()
    for name in BUILT_IN:
        one = registry.get("section", name)()
        assert isinstance(one, Section)
        assert one.name == name and type(one).__doc__
        assert set(one.needs) <= {"runs", "metrics", "training"}
        files.add(type(one).__module__)
    assert len(files) == len(BUILT_IN)
