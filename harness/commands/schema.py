"""`schema`: the JSON schema of a study file, for editors and other programs."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from harness.errors import BadInput
from harness.spec.schema import ModelSettings, StudySettings

FILE = "study.schema.json"  # as the first line of each study names it, for editors


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--write",
        metavar="FOLDER",
        help=f"write it to FOLDER/{FILE}, where the studies of that folder tell editors to look",
    )


def run(args: argparse.Namespace) -> int:
    if args.write is None:
        print(json.dumps(study_schema(), indent=1))
        return 0
    print(write(Path(args.write)))
    return 0


def write(folder: Path) -> Path:
    """Write the schema beside the studies of a folder; its path. Raises BadInput if it cannot."""
    path = folder / FILE
    try:
        path.write_text(json.dumps(study_schema(), indent=1) + "\n")
    except OSError as error:
        raise BadInput(f"{path} cannot be written: {error.strerror}") from None
    return path


def study_schema() -> dict[str, object]:
    """JSON schema of a study file. `model` is typed; profiles are partial studies."""
    schema = StudySettings.model_json_schema()
    model = ModelSettings.model_json_schema()
    schema["properties"]["model"] = model
    partial = {
        key: value
        for key, value in schema["properties"].items()
        if key not in ("study", "profiles")
    }
    schema["properties"]["profiles"] = {
        "type": "object",
        "additionalProperties": {
            "type": ["object", "null"],
            "properties": {k: {} if "$ref" in v else v for k, v in partial.items()},
            "additionalProperties": False,
        },
    }
    # Fields that profiles fill in are not required at the top.
    schema["required"] = ["study", "title"]
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return schema
