"""What a reader of the numbers should know: metrics that could not be measured, and why."""

from __future__ import annotations

from collections import Counter
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
    return [*of_settings.remarks(opened.study), *uneven(opened), *unmeasured(opened)]


def uneven(opened: Opened) -> list[str]:
    """One sentence per data whose encoded images' classes are not alike, and are sampled alike."""
    from harness.components.proportions import class_counts, note
    from harness.data.encoded_labels import labels_of

    uniform = opened.study.drawing_alike
    if not uniform:
        return []
    found = []
    for key in opened.store.committed(["encode"]) & opened.plan.stages.keys():
        data = opened.study.runs[opened.plan.stages[key].run or 0].data
        try:
            labels = labels_of(opened.store.folder("encode", key) / "latents")
        except (HarnessError, OSError):  # pruned, or damaged, which is told by itself
            continue
        said = note(data.name, class_counts(labels, data.num_classes or 1), uniform)
        found += [] if said is None else [said]
    return sorted(dict.fromkeys(found))


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
    """One sentence per metric and reason, with the evaluations that it is missing from.

    Of what stands beside their numbers too: floors, ceilings, and the first samples.
    """
    found: dict[tuple[str, str, str], list[str]] = {}
    here: Counter[str] = Counter()
    names = _measured(opened)
    for kind, key in names:
        here[kind] += 1
        for metric, reason in _absent(opened.store.root, kind, key).items():
            found.setdefault((kind, metric, reason), []).append(key)
    sentences = []
    for (kind, metric, reason), keys in found.items():
        of = ", ".join(dict.fromkeys(name for key in keys for name in names[kind, key]))
        count = f"{len(keys):,} of {plural(here[kind], *MEASURED[kind])}"
        sentences.append(f"{metric} is not measured in {count} ({of}): {reason}")
    return sentences


def _measured(opened: Opened) -> dict[tuple[str, str], dict[str, None]]:
    """What is measured and committed, as kind and key, and the evaluations that it is of."""
    names: dict[tuple[str, str], dict[str, None]] = {}
    plan, of = opened.plan, dict[str, str]()
    for measurement in plan.measurements:
        of[measurement.evaluate] = measurement.evaluation
        names.setdefault(("evaluate", measurement.evaluate), {})[measurement.evaluation] = None
    for key, evaluations in plan.floors.items():
        names.setdefault((plan.stages[key].kind, key), {}).update(evaluations)
    for key, whole in plan.subsets.items():
        if whole in of:
            names.setdefault(("subset", key), {})[of[whole]] = None
    done = opened.store.committed(MEASURED)
    return {place: its for place, its in names.items() if place[1] in done}


# Stages whose results say what could not be measured, and what one and several are called.
MEASURED: dict[str, tuple[str, ...]] = {
    "evaluate": ("measurement",),
    "floor": ("floor",),
    "ceiling": ("ceiling",),
    "subset": ("measurement of the first samples", "measurements of the first samples"),
}


def _absent(root: Path, kind: str, key: str) -> Mapping[str, str]:
    """Metrics that a measurement lacks, by recorded name; {} where it cannot be read."""
    here = root.absolute()  # whoever asks may go elsewhere
    try:
        written = Store(here).folder(kind, key).stat().st_mtime_ns
    except OSError:
        return {}
    return _read(here, kind, key, written)


@cache  # what is committed does not change, and `status --watch` asks every two seconds
def _read(root: Path, kind: str, key: str, written: int) -> Mapping[str, str]:
    from harness.store.results import RESULTS

    try:
        manifest = Store(root).manifest(kind, key)
        return {} if manifest is None else dict(codec.result(manifest, RESULTS[kind]).absent)
    except HarnessError:
        return {}


def lacking(opened: Opened) -> list[str]:
    """The recorded names of metrics that some evaluation could not measure."""
    done = opened.store.committed(["evaluate"])
    keys = dict.fromkeys(m.evaluate for m in opened.plan.measurements if m.evaluate in done)
    return list(
        dict.fromkeys(n for key in keys for n in _absent(opened.store.root, "evaluate", key))
    )
