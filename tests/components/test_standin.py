"""The stand-in for torch: what may be done with it, and that nothing is made of it."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from harness.components import standin
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
    table = {Absent.float32: 4, Absent.float16: 2, Absent.bfloat16: 8}
    assert table[Absent.float32] == 4 and table[Absent.float16] == 2  # each name is its own
    assert Absent.Size == Absent.Size
    assert Net != Absent.nn.Linear.__mro__ and isinstance(Net(), Net) and issubclass(Net, Net)


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
        lambda x: x == 3,
        lambda x: x != Absent.float16,
        lambda x: str(x),
    ],
)
def test_whatever_wants_a_value_is_told_that_there_is_none(use) -> None:
    for absent in (Absent, Absent(), Absent.nn.Module, Absent.ones(3).sum):
        with pytest.raises(NeedsTorch, match="light half uses torch"):
            use(absent)


READ = """
import importlib
from harness.components import standin
def imported(): return importlib.import_module("mine")
module, stood_in = standin.read(imported)
"""


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_module_that_does_real_work_with_torch_is_read_with_torch(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "import torch\nHALF = float(torch.tensor(1.0) / 2)\nDEEP = 1 if torch.ones(1) else 2\n"
    )
    said = child(
        tmp_path, READ + 'print(stood_in, module.HALF, module.DEEP, "torch" in sys.modules)'
    )
    assert said == "False 0.5 1 True"


def test_a_kind_that_is_asked_for_is_torchs_to_say() -> None:
    for ask in (isinstance, issubclass):
        with pytest.raises(NeedsTorch):
            ask(int, Absent.Tensor)


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("A = torch.cuda.device_count() == 0", "True"),
        ("A = torch.float32 != torch.float16", "True"),
        ("A = {torch.float: 1, torch.float32: 2}[torch.float]", "2"),
        ("A = str(torch.float32)", "torch.float32"),
        ("A = isinstance(3, torch.Tensor)", "False"),
        ("A = torch.finfo(torch.float16).bits", "16"),
        ("A = [torch.tensor([1., 2.]).tolist()][0]", "[1.0, 2.0]"),
        ("class A:\n  eps = torch.finfo(torch.float16).bits\nA = A.eps", "16"),
        (
            "from pydantic import BaseModel\nclass A(BaseModel):\n  d: object = torch.half\n"
            "A = A().d",
            "torch.float16",
        ),
        ("WORD = {torch.float32: 4., torch.float16: 2.}\nA = WORD[torch.float32]", "4.0"),
        ("@torch.jit.script\ndef f(x): return x\nA = 1", "1"),
        ("import numpy\nA = numpy.asarray(torch.ones(3)).sum()", "3.0"),
    ],
)
def test_a_value_is_the_same_with_torch_and_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, value: str
) -> None:
    # The same process: what is read first is read with the stand-in, unless it needs torch.
    name = f"mine_{abs(hash(code))}"
    (tmp_path / f"{name}.py").write_text(f"import torch\n{code}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    held = {n: sys.modules.pop(n) for n in list(sys.modules)
            if n.split(".")[0] in ("torch", "torchvision")}  # fmt: skip
    try:
        with standin.standing_in():
            try:
                module = importlib.import_module(name)
                standin.check_nothing_is_kept({name})
                found = str(module.A)
            except standin.NeedsTorch:
                found = None
    finally:
        sys.modules.update(held)
        sys.modules.pop(name, None)
    if found is None:  # and so it is read with torch
        found = str(importlib.import_module(name).A)
    assert found == value


@pytest.mark.slow
def test_a_module_that_fails_without_asking_for_torch_does_not_load_it(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("x = undefined\n")
    said = child(
        tmp_path, f"try:\n exec({READ!r})\nexcept NameError: print('torch' in sys.modules)\n"
    )
    assert said == "False"


@pytest.mark.slow
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
