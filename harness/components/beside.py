"""What a component file imports of the files that lie beside it.

A task finds the files that its study lists, and no others: what a file imports of its own folder
must be listed before it. This is read from the file's text, imports inside functions included, so
that a stage does not find out hours later, and so that the users of a listed file are known.
"""

from __future__ import annotations

import ast
import importlib.machinery
import sys
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import Path


def imports(content: bytes, at_once: bool = False) -> dict[str, int]:
    """Top-level module -> the first line that imports it; none of what is no Python.

    at_once: only what is imported as the file is, not by its functions later.
    """
    found: dict[str, int] = {}
    with suppress(SyntaxError, ValueError, RecursionError, MemoryError):
        for line, name in _imported(ast.parse(content), at_once):
            top = name.partition(".")[0]
            found[top] = min(line, found.get(top, line))
    return found


def _imported(node: ast.AST, at_once: bool) -> Iterator[tuple[int, str]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            continue
        if at_once and isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(child, ast.Import):
            yield from ((child.lineno, alias.name) for alias in child.names)
        elif isinstance(child, ast.ImportFrom) and child.module and not child.level:
            yield child.lineno, child.module
        yield from _imported(child, at_once)


def not_listed(
    content: bytes, listed: Collection[str], folders: Iterable[Path]
) -> list[tuple[int, str]]:
    """(line, module) of imports that a file beside it would fulfil, and nothing installed.

    listed: the modules of the study's files; folders: where such a module may lie.
    """
    return sorted(
        (line, name)
        for name, line in imports(content).items()
        if name not in listed
        and any(_lies_in(folder, name) for folder in folders)
        and not _is_installed(name)
    )


def _lies_in(folder: Path, name: str) -> bool:
    return (folder / f"{name}.py").is_file() or any((folder / name).glob("*.py"))


def _is_installed(name: str) -> bool:
    """Is it found without the current folder, where `python -m` looks first?"""
    if name == "harness" or name in sys.builtin_module_names:
        return True
    path = list(sys.path)
    with suppress(OSError, IndexError):
        if Path(path[0]).resolve() == Path.cwd():
            del path[0]
    for finder in sys.meta_path:
        where = path if finder is importlib.machinery.PathFinder else None
        with suppress(ImportError, ValueError, AttributeError):
            if finder.find_spec(name, where) is not None:
                return True
    return False
