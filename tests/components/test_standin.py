"""The stand-in for torch: what may be done with it, and that nothing is made of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness.components.standin import Absent, NeedsTorch


def child(folder: Path, code: str) -> str:
    """What a process without torch prints, with `folder` in its path."""
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(folder)!r})\n{code}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_classes_decorators_and_annotations_are_had_of_it() -> None:
    class Net(Absent.nn.Module, some="word"):
        scale: Absent.Tensor | None = None
        sizes: list[Absent.Tensor] | None = None

        @Absent.no_grad()
        def forward(self, x):
            return x

    assert Net().forward(3) == 3
    assert {Absent.float32: 1}[Absent.float32] == 1  # a table by dtype
    assert Absent.Size == Absent.Size


@pytest.mark.parametrize(
    "use",
    [
        lambda x: x + 1,
        lambda x: 2 * x,
        lambda x: -x,
        lambda x: x < 3,
        lambda x: bool(x),
        lambda x: int(x),
        lambda x: float(x),
        lambda x: list(x),
        lambda x: len(x),
        lambda x: x[0],
        lambda x: f"{x:.3f}",
        lambda x: x.__enter__(),
    ],
)
def test_whatever_wants_a_value_is_told_that_there_is_none(use) -> None:
    for absent in (Absent, Absent()):
        with pytest.raises(NeedsTorch, match="light half uses torch"):
            use(absent)


READ = """
import importlib
from harness.components import standin
def imported(): return importlib.import_module("mine")
module, stood_in = standin.read(imported)
"""


def test_a_module_is_read_without_torch_and_then_forgotten_with_what_it_brought(
    tmp_path: Path,
) -> None:
    package = tmp_path / "mine"
    package.mkdir()
    (package / "__init__.py").write_text("from mine.light import LIGHT\nfrom mine.own import Net\n")
    (package / "light.py").write_text("LIGHT = 3\n")
    (package / "heavy.py").write_text("import torch\nclass Net(torch.nn.Module): pass\n")
    (package / "own.py").write_text("from mine.heavy import Net\n")  # holds it at second hand
    said = child(
        tmp_path,
        READ
        + """
own = ("mine", "torch")
print(stood_in, module.LIGHT, sorted(n for n in sys.modules if n.split(".")[0] in own))
import torch, mine
print(issubclass(mine.Net, torch.nn.Module))
""",
    )
    assert said.splitlines() == ["True 3 ['mine.light']", "True"]


def test_a_module_that_does_real_work_with_torch_is_read_with_torch(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "import torch\nHALF = float(torch.tensor(1.0) / 2)\nDEEP = 1 if torch.ones(1) else 2\n"
    )
    said = child(
        tmp_path, READ + 'print(stood_in, module.HALF, module.DEEP, "torch" in sys.modules)'
    )
    assert said == "False 0.5 1 True"


def test_a_module_that_fails_without_asking_for_torch_does_not_load_it(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("x = undefined\n")
    said = child(
        tmp_path, f"try:\n exec({READ!r})\nexcept NameError: print('torch' in sys.modules)\n"
    )
    assert said == "False"


def test_a_light_half_that_uses_torch_is_asked_again_with_it(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("import torch\ndef cost(): return int(torch.ones(3).sum())\n")
    said = child(
        tmp_path,
        READ
        + """
def cost(): return (standin.read(imported)[0] if "torch" in sys.modules else module).cost()
print(standin.or_with_torch(cost))
""",
    )
    assert said == "3"
