"""What a reader of the numbers should know: metrics that could not be measured, and why."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from harness.commands.common import Opened, plural
from harness.errors import BadInput, HarnessError
from harness.spec import remarks as of_settings
from harness.spec.few_references import too_few
from harness.spec.never import never
from harness.store import Store, codec


def remarks(opened: Opened) -> list[str]:
    """Notes on the study's settings, and on what its evaluations could not measure."""
    return [*of_settings.remarks(opened.study), *unmeasured(opened)]


def refuse_too_few(opened: Opened) -> None:
    """Raise BadInput for what no machine can measure, where some of it is not measured yet.

    Metrics that the reference has too few images for, and a reference that nobody can make. What
    was measured without them stays as it is.
    """
    few = too_few(opened.study)
    done = opened.store.committed(["evaluate"])
    waiting = {m.evaluation for m in opened.plan.measurements if m.evaluate not in done}
    cannot_be = list(never(opened.study)) if waiting else []
    said = cannot_be + [line for name, lines in few.items() if name in waiting for line in lines]
    if said:
        raise BadInput("\n".join(said))


def unmeasured(opened: Opened) -> list[str]:
    """One sentence per metric and reason, with the evaluations that it is missing from."""
    names: dict[str, dict[str, None]] = {}
    for measurement in opened.plan.measurements:
        names.setdefault(measurement.evaluate, {})[measurement.evaluation] = None
    done = opened.store.committed(["evaluate"])
    found: dict[tuple[str, str], list[str]] = {}
    here = [key for key in names if key in done]
    for key in here:
        for metric, reason in _absent(opened.store.root, key).items():
            found.setdefault((metric, reason), []).append(key)
    sentences = []
    for (metric, reason), keys in found.items():
        of = ", ".join(dict.fromkeys(name for key in keys for name in names[key]))
        count = f"{len(keys):,} of {plural(len(here), 'measurement')}"
        sentences.append(f"{metric} is not measured in {count} ({of}): {reason}")
    return sentences


def _absent(root: Path, key: str) -> Mapping[str, str]:
    """Metrics that an evaluation lacks, by recorded name; {} where it cannot be read."""
    here = root.absolute()  # whoever asks may go elsewhere
    try:
        written = Store(here).folder("evaluate", key).stat().st_mtime_ns
    except OSError:
        return {}
    return _read(here, key, written)


@cache  # what is committed does not change, and `status --watch` asks every two seconds
def _read(root: Path, key: str, written: int) -> Mapping[str, str]:
    from harness.store.results import EvaluateResult

    try:
        manifest = Store(root).manifest("evaluate", key)
        return {} if manifest is None else codec.result(manifest, EvaluateResult).absent
    except HarnessError:
        return {}


def lacking(opened: Opened) -> list[str]:
    """The recorded names of metrics that some evaluation could not measure."""
    done = opened.store.committed(["evaluate"])
    keys = dict.fromkeys(m.evaluate for m in opened.plan.measurements if m.evaluate in done)
    return list(dict.fromkeys(n for key in keys for n in _absent(opened.store.root, key)))
