"""`schema`: the JSON schema of a study file, for editors and other programs."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
from pathlib import Path
from typing import Any

from harness.commands.own_components import load_files_of
from harness.components import registry
from harness.components.descriptions import json_schema
from harness.errors import BadInput
from harness.spec import schema
from harness.spec.fields import fields
from harness.spec.model import ModelFields
from harness.spec.schema import StudySettings

FILE = "study.schema.json"  # as the first line of each study names it, for editors


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--write",
        metavar="FOLDER",
        help=f"write it to FOLDER/{FILE}, which studies of that folder name for editors",
    )
    parser.add_argument(
        "--study", metavar="STUDY", help="include the component files that this study lists"
    )


def run(args: argparse.Namespace) -> int:
    if args.study is not None:
        load_files_of(args.study)
    if args.write is None:
        print(json.dumps(study_schema(), indent=1))
        return 0
    print(write(Path(args.write)))
    return 0


def write(folder: Path) -> Path:
    """Write the schema beside the studies of a folder; its path. Raises BadInput if it cannot."""
    path = folder / FILE
    aside = folder / f".{FILE}.{os.getpid()}"  # a full disk leaves the old schema
    try:
        aside.write_text(json.dumps(study_schema(), indent=1) + "\n")
        os.replace(aside, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            aside.unlink()
        raise BadInput(f"{path} cannot be written: {error.strerror}") from None
    return path


def study_schema() -> dict[str, Any]:
    """JSON schema of a study file, with the settings of every component under its name.

    Profiles are partial studies.
    """
    whole = json_schema(StudySettings)
    sections = {name: getattr(schema, name) for name in schema.__all__ if name.endswith("Settings")}
    for name, section in sections.items():
        its = whole if section is StudySettings else whole["$defs"].get(name)
        for field, kind, several in fields(section) if its is not None else ():
            about = its["properties"][field]
            chosen: dict[str, Any] = {"anyOf": [_named(kind), {"type": "null"}]}
            if several:
                chosen = {"type": "array", "items": _named(kind)}
            kept = {k: about[k] for k in ("description", "default", "title") if k in about}
            its["properties"][field] = {**chosen, **kept}
    whole["properties"]["model"] = _model(whole["properties"]["model"])
    partial = {
        key: value
        for key, value in whole["properties"].items()
        if key not in ("study", "profiles", "components")
    }
    whole["properties"]["profiles"] = {
        "type": "object",
        "description": whole["properties"]["profiles"]["description"],
        "additionalProperties": {
            "type": ["object", "null"],
            "properties": {k: {} if "$ref" in v else v for k, v in partial.items()},
            "additionalProperties": False,
        },
    }
    # Fields that profiles fill in are not required at the top.
    whole["required"] = ["study"]
    whole["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return whole


def _named(kind: str) -> dict[str, Any]:
    """A name, or a mapping with the settings that stand under that name."""
    mappings = []
    for entry in registry.entries(kind):
        try:
            cls = entry.load()
        except ImportError:  # named in a table, and its module is not there
            continue
        its = json_schema(cls)
        named = {"name": {"const": entry.name, "description": cls.about()}}
        mappings.append(
            {
                "type": "object",
                "properties": {**named, **its.get("properties", {})},
                "required": ["name", *its.get("required", [])],
                "additionalProperties": False,
            }
        )
    return {"anyOf": [{"enum": list(registry.names(kind))}, *mappings]}


def _model(about: dict[str, Any]) -> dict[str, Any]:
    """`model`: what every family's section has, and each family's own fields."""
    own = json_schema(ModelFields)["properties"]
    own["family"]["enum"] = list(registry.names("family"))
    fields: dict[str, Any] = {}
    by_name: dict[str, Any] = {}
    for entry in registry.entries("family"):
        settings = json_schema(entry.load()).get("properties", {})
        by_name[entry.name] = {
            "type": "object",
            "description": entry.load().about(),
            "properties": settings,
            "additionalProperties": False,
        }
        for field, its in settings.items():
            fields.setdefault(field, its)
    own["by_family"] = {
        **own["by_family"],
        "properties": by_name,
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "description": about.get("description", ""),
        "properties": {**own, **fields},
        "additionalProperties": False,
    }
