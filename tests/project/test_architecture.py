"""The drawing in docs/explanation/architecture.md against the imports of harness/."""

from __future__ import annotations

import ast
import functools
import re
from collections import defaultdict
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from parsed import of_the_whole_package, parsed

pytestmark = of_the_whole_package

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "explanation" / "architecture.md"
# Below all rooms, or above them: the error types; what a terminal can show; the command line; the
# package's public names; the conformance suites, which look at everything.
NOT_ROOMS = {
    "errors",
    "nearest",
    "setting_names",
    "version",
    "terminal",
    "cli",
    "__main__",
    "__init__",
    "__version__",
    "results",
    "testing",
}
# (room, other): an import against the arrows that stands today, and why.
KNOWN = {
    ("components", "models"): "family.by_short_name borrows the zoo's error for an unknown name",
    ("models", "plan"): "families count Gflops with plan.cost, which is a craft's work",
}


def drawn(text: str) -> dict[str, set[str]]:
    """Room -> the rooms that the page's arrows let it import."""
    (block,) = re.findall(r"^```arrows\n(.*?)^```", text, re.M | re.S)
    arrows: dict[str, set[str]] = defaultdict(set)
    for line in block.splitlines():
        room, others = line.split("->")
        arrows[room.strip()] |= set(others.split())
    return arrows


def imported(node: ast.AST) -> Iterator[str]:
    """Modules of harness that a file imports when it runs, inside functions too."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom) and child.level == 0 and child.module:
            yield child.module
            if child.module == "harness":
                yield from (f"harness.{alias.name}" for alias in child.names)
        yield from imported(child)


@functools.cache
def arrows_of_the_code(package: Path) -> dict[str, dict[str, set[str]]]:
    """Room -> imported room -> the files that do it."""
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for path in sorted(package.rglob("*.py")):
        room = path.relative_to(package).parts[0].removesuffix(".py")
        for module in imported(parsed(path)):
            parts = module.split(".")
            if parts[0] != "harness" or len(parts) == 1 or {room, parts[1]} & NOT_ROOMS:
                continue
            if parts[1] != room:
                found[room][parts[1]].add(str(path.relative_to(package)))
    return found


def test_every_import_has_its_arrow() -> None:
    arrows = drawn(PAGE.read_text())
    against = [
        f"{room} -> {other} ({', '.join(sorted(files)[:3])})"
        for room, others in arrows_of_the_code(ROOT / "harness").items()
        for other, files in others.items()
        if other not in arrows[room] and (room, other) not in KNOWN
    ]
    assert not against, f"imports without an arrow in {PAGE.relative_to(ROOT)}: {against}"


@pytest.mark.slow
def test_every_arrow_is_an_import() -> None:
    """A drawing of what is no longer so would mislead."""
    code = arrows_of_the_code(ROOT / "harness")
    unused = [
        f"{room} -> {other}"
        for room, others in drawn(PAGE.read_text()).items()
        for other in sorted(others)
        if other not in code.get(room, {})
    ]
    assert not unused, f"arrows in {PAGE.relative_to(ROOT)} that no import needs: {unused}"


def test_the_arrows_go_one_way() -> None:
    order = list(TopologicalSorter(drawn(PAGE.read_text())).static_order())
    assert order.index("spec") < order.index("plan") < order.index("dispatch")
    assert order.index("store") < order.index("stages") < order.index("dispatch")
    assert order.index("analysis") < order.index("report")


def test_the_rooms_are_those_of_the_package() -> None:
    arrows = drawn(PAGE.read_text())
    rooms = {path.parent.name for path in (ROOT / "harness").glob("*/__init__.py")} - NOT_ROOMS
    named = set(arrows) | set().union(*arrows.values())
    assert named == rooms


def test_the_test_sees_what_it_must(tmp_path: Path) -> None:
    for room in ("plan", "spec"):
        (tmp_path / room).mkdir()
    (tmp_path / "spec" / "a.py").write_text("def late():\n    from harness.plan.keys import key\n")
    (tmp_path / "plan" / "b.py").write_text(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from harness.stages import work\n"
        "from harness import store\nimport harness.errors\n"
    )
    assert arrows_of_the_code(tmp_path) == {
        "spec": {"plan": {"spec/a.py"}},
        "plan": {"store": {"plan/b.py"}},
    }
    with pytest.raises(CycleError):
        list(TopologicalSorter(drawn("```arrows\na -> b\nb -> a\n```\n")).static_order())


def imports_of_modules(package: Path) -> dict[str, set[str]]:
    """Module -> the modules of `package` that its text names: for types alone and late as well."""
    files = {}
    for path in package.rglob("*.py"):
        parts = path.relative_to(package.parent).with_suffix("").parts
        files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    modules = set(files)
    found: dict[str, set[str]] = {}
    for module, path in files.items():
        named: set[str] = set()
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Import):
                named |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                inner = {f"{node.module}.{alias.name}" for alias in node.names}
                named |= (inner & modules) or {node.module}
        found[module] = (named & modules) - {module}
    return found


def test_no_module_imports_one_that_imports_it() -> None:
    """Not for types alone either, nor inside a function: what two of them share is a third's.

    The tables of built-ins name modules as texts, on purpose: a component is loaded when it is
    asked for, and imports its contract. Nothing but the registry follows such a text.
    """
    try:
        TopologicalSorter(imports_of_modules(ROOT / "harness")).prepare()
    except CycleError as error:
        pytest.fail(f"modules in a circle: {' <- '.join(error.args[1])}")


def test_a_circle_of_types_or_late_imports_is_seen(tmp_path: Path) -> None:
    package = tmp_path / "harness"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "a.py").write_text("def late():\n    from harness.b import other\n")
    (package / "b.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from harness import a\n"
    )
    with pytest.raises(CycleError):
        TopologicalSorter(imports_of_modules(package)).prepare()
