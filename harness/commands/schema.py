"""`schema`: the JSON schema of a study file, for editors and other programs."""

from __future__ import annotations

import argparse
import json

from harness.spec.schema import ModelSettings, StudySettings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    del parser  # no options


def run(args: argparse.Namespace) -> int:
    del args
    print(json.dumps(study_schema(), indent=1))
    return 0


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
