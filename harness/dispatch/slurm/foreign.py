"""Jobs in the queue that belong to a study, but not to its present version."""

from __future__ import annotations

import re
import shlex
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any

from harness.dispatch.slurm.batch import about, keys_of
from harness.dispatch.slurm.cluster import Element
from harness.spec.study import Study


def variant(study: Study) -> dict[str, Any]:
    """The identity of a study in batch.json: what `dispatch` says is part of no key."""
    others = (o for o in study.overrides if not re.match(r"dispatch\b", o))
    return {"study": study.name, "profile": study.profile, "overrides": sorted(others)}


def foreign(
    root: Path,
    mine: Mapping[str, Any],
    queue: Mapping[str, Mapping[int, Element]],
    known: Container[str],
) -> list[str]:
    """Living elements of a study's batches whose stages are none of `known`, as sentences.

    Those of the variant `mine` are of the study before an edit; others may be wanted.
    """
    edited: list[str] = []
    others: dict[str, int] = {}
    for name, elements in queue.items():
        content = about(root, name)
        if content.get("study") != mine["study"]:
            continue
        keys = dict(enumerate(keys_of(root, name)))
        found = [
            f"{element.job}_{index}"
            for index, element in elements.items()
            if element.live and index in keys and not any(key in known for key in keys[index])
        ]
        if all(content.get(word) == value for word, value in mine.items()):
            edited += found
        elif found:
            words = [w for o in content.get("overrides", ()) for w in ("--set", o)]
            text = (
                shlex.join(["--profile", content["profile"], *words])
                if "profile" in content
                else ""
            )
            others[text] = others.get(text, 0) + len(found)
    said = [
        f"{_jobs(count)} stages of this study under {text or 'another profile or --set'}, which "
        "are not part of it under this one; the results are kept apart"
        for text, count in others.items()
    ]
    if edited:
        said.append(
            f"{_jobs(len(edited))} stages that this study no "
            "longer has (it was edited since); their results are kept apart from its own. "
            f"To stop them: scancel {' '.join(edited[:20])}"
            + (f" (and {len(edited) - 20:,} more)" if len(edited) > 20 else "")
        )
    return said


def _jobs(count: int) -> str:
    return f"{count:,} {'job does' if count == 1 else 'jobs do'}"
