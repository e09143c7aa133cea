"""A study's own component files: where they may lie, what is said of bad ones, and their copies."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.components import files, registry
from harness.errors import BadInput
from harness.store import component_files

SCHEDULE = '''
from typing import ClassVar

from harness.components import Schedule


class Falling(Schedule):
    """Falls to nothing."""

    name: ClassVar[str] = "falling"
    version: ClassVar[int] = {version}

    def factor(self, step, horizon):
        return {factor}
'''
GOOD = SCHEDULE.format(version=1, factor="1 - step / horizon")


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    yield
    registry.forget_files()
    for name, (_, module) in list(files._loaded.items()):
        sys.modules.pop(name, None)
        del files._loaded[name]
        del module


def listed(folder: Path, **contents: str) -> tuple[files.File, ...]:
    for name, content in contents.items():
        (folder / f"{name}.py").write_text(content)
    return files.of_study([f"{name}.py" for name in contents], folder)


def test_a_listed_files_components_are_known(tmp_path: Path) -> None:
    (file,) = listed(tmp_path, my_schedule=GOOD)
    entry = registry.entry("schedule", "falling")
    assert entry.where == "file my_schedule.py" and entry.sha256 == file.sha256
    assert registry.get("schedule", "falling")().factor(5, 10) == 0.5
    files.of_study([], tmp_path)  # another study without files of its own
    assert "falling" not in registry.names("schedule")


def test_a_file_may_import_those_listed_before_it(tmp_path: Path) -> None:
    uses = (
        GOOD.replace("1 - step / horizon", "half_of(step)") + "\n\nfrom my_parts import half_of\n"
    )
    listed(tmp_path, my_parts="def half_of(x):\n    return x / 2\n", my_whole=uses)
    assert registry.get("schedule", "falling")().factor(6, 0) == 3


def test_a_file_knows_those_that_it_imports(tmp_path: Path) -> None:
    one, two, three, four = listed(
        tmp_path, own_one="", own_two="import own_one", own_three="",
        own_four="def later():\n    import own_two",
    )  # fmt: skip
    assert (one.uses, two.uses, three.uses, four.uses) == ((), (one,), (), (one, two))


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["whole.py"], r"whole\.py:2 imports parts, which lies beside it and is not listed"),
        (["parts.py", "whole.py"], r"whole\.py:5 imports heavy, which lies beside it and is not"),
        (["whole.py", "parts.py", "heavy.py"], r"whole\.py:2 imports parts, which is listed after"),
        (["parts.py", "sub/lower.py"], r"sub/lower\.py:1 imports near, which lies beside it"),
    ],
)
def test_what_no_task_would_find_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: list[str], said: str
) -> None:
    """In the study's folder Python finds every file, whose change nobody would notice."""
    (tmp_path / "sub").mkdir()
    for name in ("parts.py", "heavy.py", "sub/near.py"):
        (tmp_path / name).write_text("")
    (tmp_path / "whole.py").write_text("\nimport parts\n\ndef build():\n    import heavy\n")
    (tmp_path / "sub" / "lower.py").write_text("import near, parts\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])  # as `python -m harness` has it
    with pytest.raises(BadInput, match=said):
        files.of_study(names, tmp_path)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("../elsewhere.py", "does not lie below the study's folder"),
        ("absent.py", "No such file"),
        ("my-schedule.py", "not a Python file with a name that can be imported"),
        ("json.py", "would hide the installed module 'json'"),
    ],
)
def test_files_that_cannot_be_a_studys_own_are_refused(
    tmp_path: Path, name: str, said: str
) -> None:
    folder = tmp_path / "study"
    folder.mkdir()
    for path in (tmp_path / "elsewhere.py", folder / "my-schedule.py", folder / "json.py"):
        path.write_text(GOOD)
    with pytest.raises(BadInput, match=said):
        files.of_study([name], folder)


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "outside.py").write_text(GOOD)
    folder = tmp_path / "study"
    folder.mkdir()
    (folder / "inside.py").symlink_to(tmp_path / "outside.py")
    with pytest.raises(BadInput, match="does not lie below"):
        files.of_study(["inside.py"], folder)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("x = 1\ny = undefined\n", r"broken\.py:2: cannot be imported: NameError: .*undefined"),
        ("def broken(:\n", r"broken\.py:1: cannot be imported: SyntaxError"),
        ("import nothing_of_that_name\n", r"broken\.py:1: cannot be imported: ModuleNotFoundError"),
        ("import sys\nsys.exit(3)\n", r"broken\.py:2: cannot be imported: SystemExit"),
        (
            GOOD.replace('"falling"', '"constant"'),
            "two components .* 'constant': built in and file",
        ),
        (
            GOOD + GOOD.replace("class Falling", "class Again"),
            r"two .* 'falling': broken\.Falling \(line 7\) and broken\.Again \(line 21\)",
        ),
        ("raise ValueError('one\\n\\ntwo')\n", r"^[^\n]*broken\.py:1: .*: ValueError: one two$"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_line(
    tmp_path: Path, content: str, said: str
) -> None:
    with pytest.raises(BadInput, match=said):
        listed(tmp_path, broken=content)


HEAVY = '''
from typing import ClassVar

import torch
from torch import nn

from harness.components import Family


class Net(nn.Module):
    scale = torch.ones(3)

    @torch.no_grad()
    def forward(self, x, t, y):
        return x


class Heavy(Family):
    """Imports torch at its top."""

    name: ClassVar[str] = "heavy"

    width: int = 4
    "Channels."

    @property
    def label(self):
        return f"heavy-{self.width}"

    def check(self, given):
        pass

    def gflops(self, given):
        return self.width * 1e-3

    def build(self, given, *, checkpointing=False):
        return Net()
'''


@pytest.mark.slow
def test_a_file_that_imports_torch_at_its_top_is_planned_with_without_torch(tmp_path: Path) -> None:
    (tmp_path / "my_heavy.py").write_text(HEAVY)
    code = f"""
import sys
from pathlib import Path
from harness.components import files, registry, Input
files.of_study(["my_heavy.py"], Path({str(tmp_path)!r}))
family = registry.get("family", "heavy")(width=8)
assert (family.label, family.gflops(None)) == ("heavy-8", 0.008)
assert not [m for m in sys.modules if m.split(".")[0] == "torch"], "torch, or its stand-in"
import torch
files.load_copies([], Path("."))
files.of_study(["my_heavy.py"], Path({str(tmp_path)!r}))
family = registry.get("family", "heavy")(width=8)
net = family.build(Input(4, 3, 1, 3))
assert isinstance(net, torch.nn.Module)
assert net(torch.zeros(1, 3, 4, 4), None, None).shape == (1, 3, 4, 4)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# --- beside the results ------------------------------------------------------------


def test_a_task_loads_the_copy_of_its_sha256_or_refuses(tmp_path: Path) -> None:
    brought = listed(tmp_path, my_schedule=GOOD)
    root = tmp_path / "results"
    component_files.keep(brought, root)
    described = [file.described() for file in brought]
    (tmp_path / "my_schedule.py").write_text("the study moves on")
    registry.forget_files()
    files.load_copies(described, root)
    assert registry.entry("schedule", "falling").sha256 == brought[0].sha256
    copy = files.copy_of(root, brought[0].sha256)
    copy.write_text(copy.read_text() + "# changed\n")
    with pytest.raises(BadInput, match=r"is not the component file my_schedule\.py"):
        files.load_copies(described, root)
    copy.unlink()
    with pytest.raises(BadInput, match=r"is not in .*components: No such file"):
        files.load_copies(described, root)


def test_a_fault_in_a_tasks_copy_is_told_by_the_name_that_the_study_lists(tmp_path: Path) -> None:
    brought = listed(tmp_path, my_schedule=SCHEDULE.format(version=1, factor="1 / (step - 4)"))
    component_files.keep(brought, tmp_path)
    registry.forget_files()
    files._loaded.pop("my_schedule")
    sys.modules.pop("my_schedule")
    files.load_copies([file.described() for file in brought], tmp_path)
    with pytest.raises(BadInput, match=r"ZeroDivisionError: .* \(my_schedule\.py:\d+\)$"):
        registry.get("schedule", "falling")().factor(4, 10)


def test_a_file_that_changed_under_its_version_is_told_until_the_version_is_raised(
    tmp_path: Path,
) -> None:
    root = tmp_path / "results"
    first = listed(tmp_path, my_schedule=GOOD)
    assert component_files.changed(first, root) == []
    component_files.remember(first, root)
    assert component_files.changed(first, root) == []
    other = listed(tmp_path, my_schedule=SCHEDULE.format(version=1, factor="0.5"))
    (sentence,) = component_files.changed(other, root)
    assert "'falling' version 1" in sentence and "--same-output" in sentence
    raised = listed(tmp_path, my_schedule=SCHEDULE.format(version=2, factor="0.5"))
    assert component_files.changed(raised, root) == []
    component_files.remember(other, root)  # as --same-output does
    assert component_files.changed(listed(tmp_path, my_schedule=GOOD), root) == []


def test_a_change_of_what_a_file_imports_is_a_change_under_its_version(tmp_path: Path) -> None:
    root, uses = tmp_path / "results", "import own_parts\n" + GOOD
    first = listed(tmp_path, own_parts="half = 2", own_other="", my_schedule=uses)
    component_files.remember(first, root)
    other = listed(tmp_path, own_parts="half = 2", own_other="# new", my_schedule=uses)
    assert component_files.changed(other, root) == []  # it does not import that one
    other = listed(tmp_path, own_parts="half = 3", own_other="", my_schedule=uses)
    (sentence,) = component_files.changed(other, root)
    assert "my_schedule.py imports own_parts.py, of which one has changed" in sentence
    component_files.remember(other, root)
    assert component_files.changed(other, root) == []


def test_the_line_is_found_where_the_study_lies_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.py").write_text("\n\nx = undefined\n")
    with pytest.raises(BadInput, match=r"broken\.py:3: cannot be imported: NameError"):
        files.of_study(["broken.py"], Path())


def test_what_runs_is_what_was_hashed_and_no_bytecode_of_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    for version in (1, 2):  # of one size, in one second
        (tmp_path / "my_schedule.py").write_text(SCHEDULE.format(version=version, factor="0.5"))
        os.utime(tmp_path / "my_schedule.py", (1e9, 1e9))
        files.of_study(["my_schedule.py"], tmp_path)
        assert registry.get("schedule", "falling").version == version
    (file,) = files.of_study(["my_schedule.py"], tmp_path)
    (tmp_path / "my_schedule.py").write_text(GOOD)
    files._loaded.pop("my_schedule")
    sys.modules.pop("my_schedule")
    with pytest.raises(BadInput, match="changed while it was read"):
        files._load(file, file.path)
