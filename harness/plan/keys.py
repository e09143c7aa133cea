"""Keys: when is a stage's output the same?

A key is the SHA-256 of a canonical JSON text: the stage's kind and version, its own settings, and
the keys of its inputs. Settings marked NotInKey (paths, device, batch per device, log intervals)
are left out; so are the study's and the profile's names, which settings never contain. Two studies
that ask for the same thing therefore get the same key, and share the artifact.

A stage's version is raised when its code changes what it writes for the same settings.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel

from harness.spec.schema import NotInKey

VERSIONS: dict[str, int] = {
    "reference": 1,
    "encode": 1,
    "complexity": 1,
    "train": 1,
    "sample": 1,
    "floor": 1,
    "ceiling": 1,
    "evaluate": 1,
    "subset": 1,
}


@cache
def key_fields(kind: type[BaseModel]) -> tuple[str, ...]:
    """The fields of a settings class that go into keys, sorted."""
    return tuple(
        sorted(
            name
            for name, info in kind.model_fields.items()
            if not any(isinstance(m, NotInKey) for m in info.metadata)
        )
    )


def content(settings: BaseModel, leave_out: tuple[str, ...] = ()) -> dict[str, Any]:
    """The part of `settings` that determines outputs, as plain JSON values."""
    out: dict[str, Any] = {}
    for name in key_fields(type(settings)):
        if name not in leave_out:
            value = getattr(settings, name)
            out[name] = content(value) if isinstance(value, BaseModel) else value
    return out


def canonical(value: Any) -> str:
    """One text per value: sorted fields, no spaces, shortest floats, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def stage_text(kind: str, settings: str, inputs: Mapping[str, str], version: int) -> str:
    """The canonical text whose hash is the key; `settings` is canonical already.

    Written out by hand because a plan of 10,000 runs makes hundreds of thousands of keys; a
    property test holds it equal to `canonical` of the same content.
    """
    given = ",".join([f'"{role}":"{key}"' for role, key in sorted(inputs.items())])
    return f'{{"inputs":{{{given}}},"kind":"{kind}","settings":{settings},"version":{version}}}'


class KeyMaker:
    """Keys of stages that differ in their inputs' keys alone; the rest of the text is made once."""

    __slots__ = ("parts",)

    def __init__(self, kind: str, settings: str, roles: tuple[str, ...]) -> None:
        """`roles` in the order in which keys will be given; sorted, as in the canonical text."""
        assert list(roles) == sorted(roles)
        mark = "\0"
        text = stage_text(kind, settings, dict.fromkeys(roles, mark), VERSIONS[kind])
        self.parts = tuple(text.split(mark))

    def __call__(self, *given: str) -> str:
        first, *rest = self.parts
        text = first + "".join([key + part for key, part in zip(given, rest, strict=True)])
        return hashlib.sha256(text.encode()).hexdigest()


def run_id(data_key: str, settings_without_step: str) -> str:
    """The id of a run: a train stage's identity, less how far it is trained."""
    return hashlib.sha256(f"{data_key}{settings_without_step}".encode()).hexdigest()


def trajectory(settings: str, inputs: Mapping[str, str]) -> tuple[str, int]:
    """A train stage's run (`run_id`) and step, from its canonical settings and its inputs' keys.

    Raises KeyError for an imported checkpoint, which was trained elsewhere.
    """
    plain = json.loads(settings)
    step = int(plain.pop("step"))
    return run_id(inputs["data"], canonical(plain)), step


def stage_key(
    kind: str, settings: str, inputs: Mapping[str, str], version: int | None = None
) -> str:
    """The key (64 hexadecimal digits) of a stage."""
    version = VERSIONS[kind] if version is None else version
    return hashlib.sha256(stage_text(kind, settings, inputs, version).encode()).hexdigest()
