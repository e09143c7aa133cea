"""The component files that a study lists, loaded by verbs that do not open the study itself."""

from __future__ import annotations

from pathlib import Path

from harness.components import files
from harness.errors import BadInput
from harness.spec import shipped
from harness.spec import source as yaml_source


def load_files_of(study: str) -> None:
    """Make the components known that a study's own files bring. Raises BadInput, with the line that
    lists them, for what is no list of files and for files that cannot be loaded."""
    path = Path(shipped.find(study))
    source = yaml_source.read(path)
    listed = source.data.get("components") or ()
    place = source.place(("components",))
    if not (isinstance(listed, tuple) and all(isinstance(name, str) for name in listed)):
        raise BadInput(f"{place}: components is {listed!r}; it should be a list of Python files")
    try:
        files.of_study(listed, path.parent)
    except BadInput as error:
        raise BadInput("\n".join(f"{place}: {each}" for each in str(error).split("\n"))) from None
