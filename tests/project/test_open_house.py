"""Built-ins are components like any other: no code outside of their own file asks for their names.

A name that stands in a comparison, or is looked up in a mapping, is a branch that a stranger's
component can never take. Names of sections are left out: most of them are words of records too.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from parsed import of_the_whole_package, parsed

from harness.components import registry

pytestmark = of_the_whole_package

HARNESS = Path(__file__).resolve().parents[2] / "harness"
KINDS = tuple(kind for kind in registry.KINDS if kind != "section")
LOOKED_UP = ("get", "startswith", "endswith", "index", "count", "pop", "setdefault")
# Names that mean something else as well -> what else.
WORDS = {
    "clip": "a sampler's setting",
    "precision": "a training's setting",
    "density": "a ball of neighbours",
    "local": "a section of `dispatch`",
    "classifier": "a part of the data",
    "parquet": "a file's ending",
    "diffusers": "a package, and a format of checkpoints",
    "npz": "a file's ending, and a way to keep samples",
}
# (file, name) -> why it may stand there.
ALLOWED = {
    ("paper/published.py", "DiT"): "rows of the paper's own Table 2",
    ("paper/claims.py", "DiT"): "which records are of the paper's own networks",
    ("report/counterpart.py", "DiT"): "which records are of the paper's own networks",
    ("report/counterpart.py", "DiT-micro"): "which of the paper's networks a micro one stands for",
    ("report/findings.py", "fd"): "the distance that FD-infinity is the limit of",
    ("report/findings.py", "fd_infinity"): "a distance that does not depend on the number",
    ("report/sections/models.py", "DiT"): "which records are of the paper's own networks",
    ("report/sections/complexity.py", "DiT"): "networks of the papers that a figure compares with",
    ("diffusion/schedule.py", "ddim"): 'a word of the paper\'s code for strides: "ddim50"',
    ("analysis/metrics.py", "fd"): "the headline is a Fréchet distance, as the paper's is",
    ("metrics/evaluate.py", "is"): "a note of `evaluate` alone, before any metric is asked",
}


def built_in_names() -> dict[str, str]:
    """Name -> file of the component, below harness/."""
    found = {}
    for kind in KINDS:
        for entry in registry.entries(kind):
            if entry.where == registry.BUILT_IN and isinstance(entry.target, str):
                module = entry.target.partition(":")[0].removeprefix("harness.")
                found[entry.name] = module.replace(".", "/") + ".py"
    return found


def asked_for(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, text) of every literal text that something is compared with or looked up by."""
    for node in ast.walk(tree):
        asked: list[ast.AST] = []
        if isinstance(node, ast.Compare):
            asked = [node.left, *node.comparators]
        elif isinstance(node, ast.match_case):
            asked = [node.pattern]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            asked = list(node.args) if node.func.attr in LOOKED_UP else []
        for part in asked:
            for inner in ast.walk(part):
                if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
                    yield inner.lineno, inner.value


def test_nothing_asks_for_a_built_ins_name_outside_of_its_file() -> None:
    homes = built_in_names()
    found: dict[tuple[str, str], int] = {}
    for path in sorted(HARNESS.rglob("*.py")):
        file = str(path.relative_to(HARNESS))
        for line, text in asked_for(parsed(path)):
            if text in homes and text not in WORDS and homes[text] != file:
                found.setdefault((file, text), line)
    new = [f"{f}:{line} asks for {n!r}" for (f, n), line in found.items() if (f, n) not in ALLOWED]
    assert not new, f"ask the component, not for its name: {new}"
    gone = [at for at in ALLOWED if at not in found]
    assert not gone, f"no longer so, take it out of ALLOWED: {gone}"


def test_the_test_sees_what_it_must() -> None:
    code = 'a == "one"\nb in ("two", c)\nd.get("three")\nmatch e:\n    case "four":\n        pass\n'
    assert dict(asked_for(ast.parse(code))) == {1: "one", 2: "two", 3: "three", 5: "four"}
    assert built_in_names()["sd-vae"] == "autoencoders/components.py"


# Where the word stands besides its package -> why.
OF_CLUSTERS = {
    "spec/dispatching.py": "its settings",
    "spec/schema.py": "its settings, which are of the schema",
    "components/executor.py": "the registry's table",
    "dispatch/slurm_task.py": "what the jobs of earlier versions start",
}


def test_the_word_slurm_stands_in_its_package_its_settings_and_the_registrys_table() -> None:
    named = {}
    for path in sorted(HARNESS.rglob("*.py")):
        file = str(path.relative_to(HARNESS))
        lines = [
            n for n, line in enumerate(path.read_text().split("\n"), 1) if "slurm" in line.lower()
        ]
        if lines and not file.startswith("dispatch/slurm/"):
            named[file] = lines
    new = {file: lines for file, lines in named.items() if file not in OF_CLUSTERS}
    assert not new, f"ask the executor (its policy, its name), not for one cluster's: {new}"
    assert set(named) == set(OF_CLUSTERS), "no longer so, take it out of OF_CLUSTERS"
    assert len(named["components/executor.py"]) == 1, "one row of the table"
