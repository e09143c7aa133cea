"""What somebody finds who asks Python: help() and dir() list the lazy names; imports are quiet."""

from __future__ import annotations

import ast
import importlib
import pydoc
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    "module", ["harness", "harness.models", "harness.diffusion", "harness.metrics"]
)
def test_help_lists_what_there_is(module: str) -> None:
    package = importlib.import_module(module)
    text = pydoc.render_doc(package, renderer=pydoc.plaintext)
    for name in package.__all__:
        assert name in dir(package)
        about = getattr(package, name)
        first = (about.__doc__ or "").strip().splitlines()[:1]
        assert first, f"{module}.{name} has no docstring"
        assert name in text and first[0][:40] in text, f"help({module}) does not show {name}"


@pytest.mark.slow
def test_importing_prints_nothing() -> None:
    """No library's FutureWarning, which a user can do nothing about."""
    code = (
        "import harness\n"
        "from harness import models, diffusion, metrics, analysis, data\n"
        "for m in (harness, models, diffusion, metrics, analysis, data):\n"
        "    [getattr(m, name) for name in m.__all__]\n"
        "models.build('DiT-micro-S/4', image_size=8, num_classes=10)\n"
        "models.complexity('DiT-S/4')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=True
    )
    assert done.stdout == "" and done.stderr == ""


class Public(NamedTuple):
    """What a file defines for others."""

    bases: dict[str, list[str]]  # class -> the names of its bases
    said: set[tuple[str, str]]  # (class or "", name) with a docstring
    silent: list[tuple[str, str]]  # without


def public(source: str) -> Public:
    """The public functions, classes and methods of a module."""
    found = Public({}, set(), [])

    def note(node: ast.AST, owner: str) -> None:
        for one in ast.iter_child_nodes(node):
            if not isinstance(one, (ast.FunctionDef, ast.ClassDef)):
                continue
            if isinstance(one, ast.ClassDef):
                found.bases[one.name] = [ast.unparse(b).split("[")[0] for b in one.bases]
                note(one, one.name)
            if ast.get_docstring(one, clean=False):
                found.said.add((owner, one.name))
            elif not (one.name.startswith("_") or owner.startswith("_")):
                found.silent.append((owner, one.name))

    note(ast.parse(source), "")
    return found


ELSEWHERE = ("FeatureExtractorBase",)  # torch-fidelity's contract, which documents its methods


def undocumented(sources: Mapping[str, str]) -> list[str]:
    """All without a docstring of its own or of a class that it derives from: "file: Class.name"."""
    files = {name: public(source) for name, source in sources.items()}
    homes: dict[str, list[str]] = {}
    for file, each in files.items():
        for name in each.bases:
            homes.setdefault(name, []).append(file)

    def inherits(file: str, owner: str, name: str) -> bool:
        for base in (base.rpartition(".")[2] for base in files[file].bases.get(owner, [])):
            for home in [file] if base in files[file].bases else homes.get(base, []):
                if (base, name) in files[home].said or inherits(home, base, name):
                    return True
            if base in ELSEWHERE:
                return True
        return False

    return [
        f"{file}: {owner}{'.' if owner else ''}{name}"
        for file, each in files.items()
        for owner, name in each.silent
        if not (owner and inherits(file, owner, name))
        # of a verb the module's docstring says it
        and not ("/commands/" in file and name in ("run", "add_arguments"))
    ]


@pytest.mark.slow
def test_everything_public_says_what_it_is() -> None:
    """A docstring each; a method that keeps a contract has the contract's."""
    files = sorted((ROOT / "harness").rglob("*.py"))
    assert not undocumented({str(f.relative_to(ROOT)): f.read_text() for f in files})


def test_what_has_no_docstring_is_found() -> None:
    base = 'class Contract:\n    """It."""\n    def kept(self):\n        """So."""\n'
    own = (
        "class Own(Contract):\n    def kept(self): ...\n    def fresh(self): ...\n"
        "def silent(): ...\ndef _private(): ...\n"
    )
    found = undocumented({"a.py": base, "b.py": own})
    assert found == ["b.py: Own.fresh", "b.py: Own", "b.py: silent"]
