"""Every package that was installed where a number was made, kept once for each environment.

`results/environments/SHA256.json` holds {package: version}. Rows of the records (column
`environment`) and an artifact's manifest (`provenance.environment`) name theirs by that checksum.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import os
from collections.abc import Mapping
from pathlib import Path

from harness.store import files

FOLDER = "environments"


@functools.cache
def installed() -> Mapping[str, str]:
    """Versions by name of all distributions that this process can import, in order of their names.

    Of two of one name the first on the path counts, as it does for imports.
    """
    found: dict[str, str] = {}
    for distribution in importlib.metadata.distributions():
        name = (distribution.metadata["Name"] or "").lower().replace("_", "-")
        if name:
            found.setdefault(name, distribution.version)
    return dict(sorted(found.items()))


def checksum(packages: Mapping[str, str]) -> str:
    """SHA-256 (64 hexadecimal digits) of an environment."""
    return hashlib.sha256(_text(packages)).hexdigest()


def keep(root: Path) -> str:
    """Write this process's environment into a results folder, unless it is there. Its checksum."""
    packages = installed()
    name = checksum(packages)
    path = _path(root, name)
    if read(root, name) is None and not path.is_dir():  # a number does not fail for it
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_atomic(path, _text(packages))
    return name


def read(root: Path, name: str) -> dict[str, str] | None:
    """The packages of an environment; None where its list is not there, or not what it was."""
    try:
        content = _path(root, name).read_bytes()
    except OSError:
        return None
    if hashlib.sha256(content).hexdigest() != name:
        return None
    found: dict[str, str] = json.loads(content)
    return found


def places(root: Path) -> list[Path]:
    """The lists of a results folder, without those that were changed."""
    found = sorted((Path(root) / FOLDER).glob("*.json"))
    return [path for path in found if read(root, path.stem) is not None]


def read_all(root: Path) -> dict[str, dict[str, str]]:
    """The packages of every environment of a results folder; lists that were changed are not in."""
    found = {path.stem: read(root, path.stem) for path in places(root)}
    return {name: packages for name, packages in found.items() if packages is not None}


def _path(root: Path, name: str) -> Path:
    return Path(os.fspath(root)) / FOLDER / f"{name}.json"


def _text(packages: Mapping[str, str]) -> bytes:
    return json.dumps(packages, indent=0, sort_keys=True).encode()
