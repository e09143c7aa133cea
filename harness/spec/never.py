"""What no machine can ever compute of a study, although its text is valid."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from harness.components.measured import INCEPTION
from harness.spec import overriding, own_data, too_large

if TYPE_CHECKING:
    from harness.spec.run import Run
    from harness.spec.study import Study

SHA256 = 64  # hexadecimal digits


def never(study: Study) -> Iterator[str]:
    """What no machine can ever compute of a study whose text is valid. A study that was run with it
    stays readable; nothing new is begun for it."""
    for field, sentence in dict.fromkeys(_never(study)):
        yield f"{overriding.said_of(study, field)}: {sentence}"


def _never(study: Study) -> Iterator[tuple[str, str]]:
    """The field that is wrong, and why."""
    yield from too_large.refused(study)
    for data in {id(r.data): r.data for r in study.runs}.values():
        if (idle := own_data.idle_path(data)) is not None:
            yield "data.path", idle
        if (wrong := _no_sha256("data.fingerprint", data.fingerprint)) is not None:
            yield "data.fingerprint", wrong
    for run in study.runs:
        if run.train is not None and not run.model.checkpoint:
            yield from _labels(run)
    for sum_of_weights in {r.autoencoder.sha256 for r in study.runs}:
        if (wrong := _no_sha256("autoencoder.sha256", sum_of_weights)) is not None:
            yield "autoencoder.sha256", wrong
    for at, reference in study.references.items():
        extractor: Any = reference.extractor
        if reference.statistics is not None and extractor.trained:
            yield (
                f"{at}.statistics",
                f"{at}.statistics are given, and {at}.extractor is {extractor.name}, "
                "which a study trains on images: no file has its features. Leave the statistics "
                f"out, or measure with {INCEPTION}, whose statistics are published, or another "
                "with weights of its own, whose `statistics` writes",
            )
        if reference.extractor_weights is not None and extractor.trained:
            yield (
                f"{at}.extractor_weights",
                f"{at}.extractor_weights are given, and {at}.extractor is {extractor.name}, which "
                "a study trains on images: no file is read for it. Leave them out, or name the "
                "extractor that they are of",
            )
        for field in ("extractor_sha256", "statistics_sha256"):
            wrong = _no_sha256(f"{at}.{field}", getattr(reference, field))
            if wrong is not None:
                yield f"{at}.{field}", wrong


def _labels(run: Run) -> Iterator[tuple[str, str]]:
    """Labels that training would never see, though samples are drawn of each."""
    source: Any = run.data.source
    said, made = run.data.num_classes, source.classes_made
    if made is not None and said != made:
        yield (
            "data.num_classes",
            f"data.num_classes is {said}, and the set {run.data.name} that source {source.name!r} "
            f"makes has {made} classes: write {made}",
        )
    if said and run.train is not None and run.train.label_dropout == 1:
        yield (
            "train.label_dropout",
            "train.label_dropout is 1: no label is seen in training, and samples are drawn of "
            "classes: give less than 1, or, to train without labels, a source of images alone "
            "(unlabelled-folder, or arrays with labels: null)",
        )


def _no_sha256(field: str, given: str | None) -> str | None:
    """What is wrong with a checksum's text, which nothing could ever have."""
    if given is None or re.fullmatch(f"[0-9a-f]{{{SHA256}}}", given):
        return None
    if re.fullmatch(f"[0-9a-fA-F]{{{SHA256}}}", given):
        return f"{field} is {given!r}: write it in lower case, as it is compared and recorded"
    return f"{field} is {given!r}: a SHA-256 has {SHA256} hexadecimal digits"
