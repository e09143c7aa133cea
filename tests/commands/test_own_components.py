"""The component files that a study lists can be loaded without the study."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.commands.own_components import load_files_of
from harness.components import registry
from harness.errors import BadInput

OWN = '''
from typing import ClassVar
from harness.components import Schedule


class Third(Schedule):
    """A third of the rate."""

    name: ClassVar[str] = "third"

    def factor(self, step: int, horizon: int) -> float:
        return 1 / 3
'''


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    yield
    registry.forget_files()


def test_they_are_known_whatever_else_the_study_says(tmp_path: Path) -> None:
    (tmp_path / "third_of_it.py").write_text(OWN)
    (tmp_path / "s.yaml").write_text("study: s\nnonsense: 1\ncomponents: [third_of_it.py]\n")
    load_files_of(str(tmp_path / "s.yaml"))
    assert "third" in registry.names("schedule")


@pytest.mark.parametrize("written", ["mine.py", "5", "[1]", "{a: b}", "[absent.py, gone.py]"])
def test_every_line_of_an_error_says_where_they_are_listed(tmp_path: Path, written: str) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(f"study: s\ncomponents: {written}\n")
    with pytest.raises(BadInput) as caught:
        load_files_of(str(path))
    assert all(line.startswith(f"{path}:2: components") for line in str(caught.value).splitlines())
