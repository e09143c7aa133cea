"""`components`: what a study may name, who brings it, and its settings."""

from __future__ import annotations

import argparse
import json
from typing import Any

from harness.commands.explain import type_in_words
from harness.commands.own_components import load_files_of
from harness.components import registry
from harness.components.descriptions import described
from harness.errors import BadInput


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "kind", nargs="?", metavar="KIND", help=f"one of {', '.join(registry.KINDS)}"
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="one component: show its settings")
    parser.add_argument(
        "--study", metavar="STUDY", help="include the component files that this study lists"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    if args.study is not None:
        load_files_of(args.study)
    if args.name is not None:
        entry = registry.entry(args.kind, args.name)
        rows = [row_of(entry)]
    else:
        rows = [row_of(entry) for entry in registry.entries(args.kind)]
    if args.json:
        print(json.dumps(rows, indent=1))
        return 0
    if args.name is not None:
        print(_whole(rows[0]))
        return 0
    for kind in dict.fromkeys(row["kind"] for row in rows):
        print(f"{registry.word(kind)}")
        for row in rows:
            if row["kind"] == kind:
                print(f"  {row['name']:<18} {row['about']}  [{row['source']}]")
    return 0


def row_of(entry: registry.Entry) -> dict[str, Any]:
    """One component as plain values: kind, name, source, version, about, settings."""
    try:
        cls = entry.load()
    except ImportError as error:
        raise BadInput(f"{registry.word(entry.kind)} {entry.name}: {error}") from error
    return {
        "kind": entry.kind,
        "name": entry.name,
        "source": entry.where,
        "sha256": entry.sha256,
        "version": cls.version,
        "about": cls.about(),
        "settings": {
            name: {
                "type": type_in_words(field.annotation, field.metadata),
                "default": None if field.is_required() else field.get_default(),
                "required": field.is_required(),
                "about": " ".join((field.description or "").split()),
            }
            for name, field in described(cls).model_fields.items()
        },
    }


def _whole(row: dict[str, Any]) -> str:
    lines = [
        f"{registry.word(row['kind'])} {row['name']}, version {row['version']} ({row['source']})",
        f"  {row['about']}",
        *(["settings"] if row["settings"] else ["it has no settings"]),
    ]
    for name, setting in row["settings"].items():
        default = "must be given" if setting["required"] else f"default {setting['default']}"
        lines.append(f"  {name}: {setting['about']} ({setting['type']}; {default})")
    return "\n".join(lines)
