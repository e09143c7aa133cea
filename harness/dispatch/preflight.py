"""What must be there before anything is started: data, weights, programs. Torch-free."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from harness.components.autoencoder import Autoencoder
from harness.components.source import (
    Wanted,
    checked_images,
    other_fingerprint,
    refuse_empty_classes,
)
from harness.dispatch import headers
from harness.dispatch.executors import executor_of
from harness.errors import HarnessError
from harness.plan.plan import Plan, Stage
from harness.plan.wanted import BESIDE
from harness.spec.schema import DataSettings, ReferenceSettings
from harness.spec.study import Study


def problems(
    plan: Plan,
    missing: Iterable[Stage],
    root: Path | None = None,
    notes: list[str] | None = None,
) -> list[str]:
    """Everything that is missing on this machine for the stages still to do, as sentences.

    root: the results folder, where one is meant. notes: receives what is not a fault but should be
    known about images that are to be encoded.
    """
    missing = list(missing)
    study, kinds = plan.study, {s.kind for s in missing}
    found: list[str] = []
    if not kinds:
        return found
    if "complexity" in kinds:
        for text, why in plan.counts.refused.items():
            label = plan.uncounted[text][0].label
            found.append(f"the network of {label} cannot be built and counted: {why}")
    executor = executor_of(study)
    found += executor.check(study) + ([] if root is None else executor.check_results(root))
    if kinds & {"encode", "reference", "floor"}:
        found += _data(study, kinds, [] if notes is None else notes)
    if kinds & {"encode", "sample", "ceiling"}:
        found += _autoencoder(study) or _decoders(plan, missing)
    if kinds & {"reference", "evaluate", *BESIDE}:
        for field, reference in study.references.items():
            found += _reference(field, reference, kinds)
    return list(dict.fromkeys(found))


def _data(study: Study, kinds: set[str], notes: list[str]) -> list[str]:
    found = []
    for data in {id(r.data): r.data for r in study.runs}.values():
        source: Any = data.source
        reads = (
            kinds & {"encode", "floor"}
            or any(reference.statistics is None for reference in study.references.values())
            or any(
                getattr(m, "copying", False) for e in study.evaluations.values() for m in e.metrics
            )
        )
        if source.made and "encode" in kinds and (wrong := _other_fingerprint(data)) is not None:
            found.append(wrong)
        if source.made or not reads:
            continue
        if data.path is None:
            found.append(f"data.path is not set: where do the images of {data.name!r} lie?")
        elif _absent(data.path):
            layout = source.layout
            found.append(
                f"the images of {data.name!r} are not at {data.path} ({layout}); put them there or "
                "say --set data.path=FOLDER"
            )
        elif (wrong := headers.folder_problem(Path(data.path))) is not None:
            found.append(f"the images of {data.name!r}: {wrong} (data.path)")
        else:
            new = "encode" in kinds
            wrong = _other_classes(data)
            if new:
                wrong = wrong or _as_opened(data, notes, study.drawing_alike)
            if not new or "floor" in kinds:
                wrong = wrong or _not_listed(data)
            found += [wrong] if wrong else []
        if (wrong := _held_out_elsewhere(data)) is not None:
            found.append(wrong)
    return found


def _held_out_elsewhere(data: DataSettings) -> str | None:
    """What is wrong with a folder of held-out images: not there, unreadable, or trained on."""
    if not isinstance(data.held_out, str):
        return None
    if _absent(data.held_out):
        return f"the held-out images of {data.name!r} are not at {data.held_out} (data.held_out)"
    source: Any = data.source
    path = data.path or ""
    try:
        if source.quick_classes(path) is not None and source.quick_classes(data.held_out) is None:
            return (
                f"the held-out images of {data.name!r} at {data.held_out} (data.held_out) do not "
                f"lie as its others do ({source.layout})"
            )
        held_out = source.listing(data.held_out, "train")
        if not path or not _nested(Path(path), Path(data.held_out)):
            return None
        trained = {os.path.realpath(file) for file in source.listing(path, "train")}
    except HarnessError as error:
        return f"the held-out images of {data.name!r}: {error} (data.held_out)"
    except OSError as error:
        why = _cannot_be_read(error, data.held_out)
        return f"the held-out images of {data.name!r}: {why} (data.held_out)"
    shared = sum(os.path.realpath(file) in trained for file in held_out)
    if not shared:
        return None
    return (
        f"{shared:,} of the files at {data.held_out} (data.held_out) are trained on too, as they "
        f"lie at {data.path} (data.path): what is held out has to be other images; give a folder "
        "of such, or a share as 0.1"
    )


def _nested(one: Path, other: Path) -> bool:
    one, other = one.resolve(), other.resolve()
    return one.is_relative_to(other) or other.is_relative_to(one)


def other_classes(study: Study) -> list[str]:
    """Images that lie here and have other classes than the study says. Those that lie elsewhere
    (on a cluster) cannot be asked."""
    found = (_other_classes(data) for data in {id(r.data): r.data for r in study.runs}.values())
    return [f"{study.path}: {wrong}" for wrong in found if wrong is not None]


def unreadable(study: Study, passed: set[tuple[str, str]]) -> list[str]:
    """Images that lie here and may not be read: one folder of them that is passed over would change
    every number.

    passed: what was looked at before, and is not looked at again; receives what is looked at now.
    """
    found = []
    for data in {id(r.data): r.data for r in study.runs}.values():
        source: Any = data.source
        if source.made or data.path is None or (source.name, data.path) in passed:
            continue
        passed.add((source.name, data.path))
        if (wrong := _not_listed(data)) is not None:
            found.append(f"{study.path}: {wrong}")
    return found


def _not_listed(data: DataSettings) -> str | None:
    """A folder or file of the images, of any split, that is there and cannot be listed."""
    source: Any = data.source
    path = str(data.path)
    if _absent(path):
        return None
    try:
        if Path(path).is_dir():
            os.listdir(path)
        source.listing(path, "train")
        if source.floors_apart(path) is not False:
            source.listing(path, "floor")
    except HarnessError:
        return None  # said where they are opened
    except OSError as error:
        return f"the images of {data.name!r}: {_cannot_be_read(error, path)} (data.path)"
    return None


def _absent(path: str) -> bool:
    """Is nothing there? What may not be looked at is not absent, and its reader says why."""
    try:
        return not Path(path).exists()
    except OSError:
        return False


def _cannot_be_read(error: OSError, path: str) -> str:
    return f"{error.filename or path} cannot be read: {error.strerror or error}"


def _other_classes(data: DataSettings) -> str | None:
    source: Any = data.source
    if source.made or data.path is None or _absent(data.path):
        return None
    if headers.folder_problem(Path(data.path)) is not None:  # which is said by itself
        return None
    classes = source.quick_classes(data.path)
    if classes in (None, data.num_classes):
        return None
    why = "one of the two is wrong (is data.path the folder of class folders?)"
    try:
        source.quick_count(data.path)
    except HarnessError as error:  # as one of the folders is empty
        why = str(error)
    except OSError:
        pass  # said where they are opened
    of = "1 class" if classes == 1 else f"{classes:,} classes"
    return f"{data.path} has {of}, and data.num_classes says {data.num_classes:,}: {why}"


def _as_opened(data: DataSettings, notes: list[str], uniform: Sequence[str]) -> str | None:
    """What is wrong with the images of a study, as far as it shows without reading them all.

    Those that are quick to open are opened; of others the source is asked what it can tell.
    uniform: the evaluations that draw all classes alike.
    """
    source: Any = data.source
    try:
        images = source.quick_open(Wanted.training(data, data.path))
        if images is None:
            count = source.quick_count(data.path)
            if count is None:  # where none of its files lies, that is known by now
                notes += _not_read(data, source.listing(data.path))
        else:
            count = len(images)
            notes += getattr(images, "notes", ())
            notes += _uneven(data, images, uniform)
    except HarnessError as error:
        return f"the images of {data.name!r}: {error} (data.path)"
    except OSError as error:
        return f"the images of {data.name!r}: {_cannot_be_read(error, str(data.path))} (data.path)"
    wrong = _other_count(data, count)
    if images is None or wrong is not None:
        return wrong or _other_fingerprint(data)
    return _other_than_said(data, images)


def _uneven(data: DataSettings, images: Any, uniform: Sequence[str]) -> list[str]:
    """A note on classes that are not alike, where samples are drawn as if they were."""
    from harness.components.proportions import counts_of, note

    counts = counts_of(images)
    said = None if counts is None else note(data.name, counts, uniform)
    return [] if said is None else [said]


def _other_count(data: DataSettings, count: int | None) -> str | None:
    """Another number of images than the study says."""
    source: Any = data.source
    if count is None or data.train_images in (None, count):
        return None
    if count == 0:
        return f"{data.path} holds no images in the layout of {source.name} ({source.layout})"
    return (
        f"{data.path} has {count:,} images, and data.train_images says {data.train_images:,}: one "
        "of the two is wrong (is it whole, and the right folder?)"
    )


def _other_than_said(data: DataSettings, images: Any) -> str | None:
    """Images with other classes than the study says, or of another fingerprint."""
    said, place = data.num_classes, str(data.path)
    try:
        checked_images(images, place, num_classes=said, fingerprint=data.fingerprint)
        if (labels := getattr(images, "labels", None)) is not None:
            refuse_empty_classes(
                labels,
                images.class_names,
                f"data.num_classes says {said}; lower it, or give the missing images",
            )
    except HarnessError as error:
        return str(error)
    return None


def _not_read(data: DataSettings, files: Sequence[Path | str]) -> list[str]:
    """A note where nothing tells what is in the files of a data set before they are encoded."""
    if not files:
        return []
    what = "1 file" if len(files) == 1 else f"{len(files):,} files"
    return [
        f"the images of {data.name!r} at {data.path} are not looked at before `encode` reads "
        f"them ({what}): their count, labels and fingerprint, and images that cannot be "
        "read, are checked then"
    ]


def _other_fingerprint(data: DataSettings) -> str | None:
    """Other images than the study says, where that is seen without reading them."""
    if data.fingerprint is None:
        return None
    source: Any = data.source
    try:
        if source.made:
            wanted = Wanted.training(data, None)
            place, found = f"the embedded set {data.name}", source.open(wanted).fingerprint
        else:
            place, found = str(data.path), source.quick_fingerprint(data.path)
    except (HarnessError, OSError):
        return None  # said where they are opened
    return None if found is None else other_fingerprint(place, found, data.fingerprint)


def _autoencoder(study: Study) -> list[str]:
    runs = {id(r.codec): r for r in study.runs}.values()
    found = [m for r in runs if (m := r.codec.missing(r.autoencoder.weights)) is not None]
    named = {r.autoencoder.weights for r in study.runs if r.autoencoder.weights is not None}
    paths = [Path(name) for name in sorted(named) if Path(name).exists()]
    return found + [m for path in paths if (m := headers.weights_problem(path)) is not None]


def _decoders(plan: Plan, missing: Iterable[Stage]) -> list[str]:
    """Decoders that stages to do need: one that is not here would be missed after all training."""
    codecs = {id(run.codec): run.codec for run in plan.study.runs}.values()
    if all(type(codec).missing_decoder is Autoencoder.missing_decoder for codec in codecs):
        return []  # none of them has another decoder
    asked: dict[tuple[int, str | None, str], Any] = {}
    for stage in missing:
        if stage.kind in ("encode", "sample", "ceiling"):
            run = plan.study.runs[stage.run or 0]
            # of tens of thousands of stages; encode has no choice
            decoder = stage.settings.partition('"decoder":"')[2].partition('"')[0] or "original"
            asked[id(run.codec), run.autoencoder.weights, decoder] = run.codec
    return [
        said
        for (_, weights, decoder), codec in asked.items()
        if (said := codec.missing_decoder(weights, decoder)) is not None
    ]


def _reference(field: str, reference: ReferenceSettings, kinds: set[str]) -> list[str]:
    found: list[str] = []
    if reference.statistics and "reference" in kinds and not Path(reference.statistics).exists():
        found.append(
            f"the reference statistics are not at {reference.statistics} (for ImageNet 256: ADM's "
            "VIRTUAL_imagenet256_labeled.npz); put the file there or say "
            f"--set {field}.statistics=FILE"
        )
    extractor: Any = reference.extractor
    statistics = Path(reference.statistics) if reference.statistics else None
    if statistics is not None and "reference" in kinds and statistics.exists():
        wrong = headers.statistics_problem(statistics, extractor)
        found += [f"{wrong} ({field}.statistics)"] if wrong else []
    weights = reference.extractor_weights
    if weights is not None and Path(weights).exists():
        wrong = headers.weights_problem(Path(weights))
        found += [f"{wrong} ({field}.extractor_weights)"] if wrong else []
    if (missing := extractor.missing(reference.extractor_weights)) is not None:
        found.append(
            missing.replace("reference.", f"{field}.") if field != "reference" else missing
        )
    if importlib.util.find_spec("torch_fidelity") is None:
        found.append("the package torch-fidelity is not installed")
    return found
