"""A tracker: one JSON line for each message, in a file below the results folder.

dispatch: {trackers: [json-lines]}
"""

import json
from typing import ClassVar

from harness.components import Tracker


class JsonLines(Tracker):
    """Lines of JSON in results/trackers/RUN.jsonl. Stages of one run may write at once, each from
    a process of its own, so each message is one write."""

    name: ClassVar[str] = "json-lines"

    def open(self, tracked):
        folder = tracked.results / "trackers"
        folder.mkdir(parents=True, exist_ok=True)
        return _Lines(open(folder / f"{tracked.run}.jsonl", "a", buffering=1))


class _Lines:
    def __init__(self, file):
        self.file = file

    def scalars(self, step, values):
        self.file.write(json.dumps({"step": step, **values}) + "\n")

    def images(self, step, name, images):
        self.file.write(json.dumps({"step": step, "images": name, "count": len(images)}) + "\n")

    def close(self):
        self.file.close()
