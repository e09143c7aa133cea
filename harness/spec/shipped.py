"""The studies that ship with the harness, found by name: `python -m harness run scaling`.

In a checkout they lie in studies/ at its top; a wheel has them in harness/studies/ (setup.py).
"""

from __future__ import annotations

from pathlib import Path

from harness.errors import BadInput
from harness.nearest import did_you_mean

_PACKAGE = Path(__file__).resolve().parent.parent


def folder() -> Path:
    """Where the studies lie."""
    installed = _PACKAGE / "studies"
    return installed if installed.is_dir() else _PACKAGE.parent / "studies"


def names() -> list[str]:
    """The studies' names, in alphabetical order."""
    return sorted(path.stem for path in folder().glob("*.yaml"))


def find(study: str | Path) -> Path:
    """The file of a study that is given by its path, or by the name of one that ships with us.

    A path has a slash or an ending. A file of that very path comes first. `state-of-the-art` is
    state_of_the_art.yaml. Errors: BadInput for a name that is neither, and for none.
    """
    path = Path(study)
    name = str(study)
    if not name.strip():
        raise BadInput(
            "the study's name is empty (a variable of a shell that is not set?): give a file, or "
            f"one of {', '.join(names())}"
        )
    if len(path.parts) != 1 or path.suffix or name.startswith(".") or path.is_file():
        return path
    if (file := name.replace("-", "_")) in names():
        return folder() / f"{file}.yaml"
    if (beside := path.with_suffix(".yaml")).is_file():
        raise BadInput(f"{name}: no such file{did_you_mean(name, [str(beside)], 0.0)}")
    if path.is_dir():
        return path  # reading it says what it holds
    raise BadInput(
        f"{name}: no such file, and no study of this name{did_you_mean(name, names())}; "
        f"those that ship with the harness: {', '.join(names()) or 'none were installed'}. "
        "Your own is given by its path, as in my_study.yaml"
    )


def given(path: Path) -> str:
    """How a command line names this study: an installed one by its name, any other by its path."""
    return path.stem if path.parent == _PACKAGE / "studies" else str(path)
