"""A study says which harness it needs, and is told first when this is another."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_study import TINY

from harness import __version__
from harness.errors import BadInput
from harness.plan.build import make_plan
from harness.spec import load_study
from harness.spec.study import check_without_components


def written(folder: Path, requires: str, more: str = "") -> Path:
    path = folder / "tiny.yaml"
    path.write_text(f"{TINY}{more}requires: {requires}\n")
    return path


@pytest.mark.parametrize("text", [f"harness>={__version__}", "harness", "harness>=0.1,<99"])
def test_a_version_that_is_met_changes_no_key(tmp_path: Path, text: str) -> None:
    plain = tmp_path / "plain.yaml"
    plain.write_text(TINY)
    asked = make_plan(load_study(written(tmp_path, f'"{text}"')))
    assert set(asked.stages) == set(make_plan(load_study(plain)).stages)


def test_a_later_version_is_asked_for_before_its_fields_are_misread(tmp_path: Path) -> None:
    path = written(tmp_path, "harness>=99.1", "field_of_the_future: 1\n")
    line = len(path.read_text().splitlines())
    with pytest.raises(BadInput) as told:
        load_study(path)
    assert str(told.value) == (
        f"{path}:{line}: this study needs harness>=99.1, and this is {__version__}: pip install "
        "--upgrade scaling-study-harness, or use the version it asks for"
    )
    with pytest.raises(BadInput, match="needs harness>=99"):
        check_without_components(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("99", "requires is 99; it should be text"),
        ("harness=>1", "asks for no version: write harness>=0.2"),
        ("[harness>=0.1]", r"requires is \[harness>=0.1\]; it should be text"),
        ("torch>=2", "asks for torch"),
        ("'>=99'", "without the name before it: write harness>=99"),
        ("'~=0.1 '", "write harness~=0.1"),
        ("'>=0.1,<'", "asks for no version"),
        (
            "\"harness>=0.1; python_version < '3'\"",
            r"an environment marker \(;\).*: write harness>=",
        ),
        ("harness[slurm]>=0.1", r"extras \(\[...\]\), and a version alone"),
        ("'harness @ https://a.b/c.whl'", r"an address \(@\).* write harness>=0.2"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(BadInput, match=said) as told:
        load_study(path)
    assert f"{path}:" in str(told.value)
