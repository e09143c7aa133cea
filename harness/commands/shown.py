"""Images that a report shows: samples of every run, real ones beside them, grids of one class."""

from __future__ import annotations

import contextlib
import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.commands.common import Opened, plural
from harness.components.source import Wanted
from harness.errors import HarnessError
from harness.plan.wanted import shown_milestones, shown_samples
from harness.store.artifacts import CorruptArtifact

if TYPE_CHECKING:
    import numpy as np

    from harness.plan.plan import Measurement
    from harness.report.input import Grid

BATCH = 64  # images read at a time while one class is looked for
UNREADABLE = (
    CorruptArtifact,
    OSError,
    EOFError,
    KeyError,
    StopIteration,
    ValueError,
    zipfile.BadZipFile,
)


def samples(opened: Opened) -> tuple[dict[str, np.ndarray], str, dict[str, int]]:
    """Per run the first samples of its last checkpoint, how they were drawn, and at which step.

    All in one way (harness.plan.wanted.shown_samples). A run that was not sampled so is left out.
    """
    from harness.stages.samples import read_images

    shown = opened.study.settings.report.samples_shown
    way, last = shown_samples(opened.plan.measurements, opened.store.committed(["sample"]))
    if way is None:
        return {}, "", {}
    grids: dict[str, np.ndarray] = {}
    for index, m in last.items():
        with contextlib.suppress(*UNREADABLE):
            artifact = opened.store.open("sample", m.sample, verify=False)
            if artifact is not None:
                images = next(read_images(artifact.folder, shown))
                grids[opened.study.runs[index].label] = images
    steps = {opened.study.runs[index].label: m.step for index, m in last.items()}
    return grids, _how(opened, next(iter(last.values()))), steps


def _how(opened: Opened, m: Measurement) -> str:
    guidance = "no guidance"
    if m.guidance_scale != 1:
        guidance = f"guidance {m.guidance_scale:g} on {_channels(opened, m)}"
    return f"{m.sampling_steps} steps, {guidance}"


def _channels(opened: Opened, m: Measurement) -> str:
    """The channels that are guided, in words."""
    settings = json.loads(opened.plan.stages[m.sample].settings)
    channels = settings["guidance_channels"]
    return "all channels" if channels is None else plural(channels, "channel")


def strips(opened: Opened) -> tuple[dict[str, dict[int, np.ndarray]], str]:
    """Per run and milestone the first samples, and how they were drawn.

    All in one way (harness.plan.wanted.shown_milestones). They outlive the pruning of the samples.
    Runs of which fewer than two milestones were sampled so are left out.
    """
    from harness.stages.samples import read_strip

    committed = opened.store.committed(["sample"])
    way, of_runs = shown_milestones(opened.plan.measurements, committed)
    if way is None:
        return {}, ""
    found: dict[str, dict[int, np.ndarray]] = {}
    for run, measured in of_runs.items():
        kept = {m.step: read_strip(opened.store.folder("sample", m.sample)) for m in measured}
        images = {step: strip for step, strip in kept.items() if strip is not None}
        if len(images) > 1:
            found[opened.study.runs[run].label] = images
    return found, _how(opened, next(iter(of_runs.values()))[0])


def real(opened: Opened) -> tuple[np.ndarray | None, str]:
    """Training images at even distances through the data, (n, H, W, C), and what they are.

    None and the reason where the data do not lie here (a folder of records alone), or where runs
    were trained on several data sets.
    """
    import numpy as np

    from harness.data.crop import centre_crop

    trained = [r.data for r in opened.study.runs if r.train is not None]
    if len({repr(data) for data in trained}) != 1:
        return None, "the runs were trained on several data sets" if trained else ""
    data, shown = trained[0], opened.study.settings.report.samples_shown
    try:
        images = _training(data, shown)
        n = min(shown, len(images))
        places = [round(i * (len(images) - 1) / max(1, n - 1)) for i in range(n)]
        found = [images[i][0] for i in dict.fromkeys(places)]
        ready = [
            x if x.shape[:2] == (data.image_size,) * 2 else centre_crop(x, data.image_size)
            for x in found
        ]
        return np.stack(ready), f"images of {data.name}, at even distances"
    except (HarnessError, OSError, ImportError, ValueError, IndexError) as error:
        return None, f"{data.name} is not available ({str(error).splitlines()[0]})"


def _training(data: Any, count: int) -> Any:
    """The training images of a run's data; what its source raises where they do not lie here."""
    return data.source.open(
        Wanted(data.name, data.path, "train", data.image_size, data.channels, None, count,
               data.seed)
    )  # fmt: skip


def _class_names(opened: Opened) -> list[str]:
    """Label -> name, as the data source has it; empty where the data do not lie here, or runs were
    trained on several data sets."""
    trained = [r.data for r in opened.study.runs if r.train is not None]
    if len({repr(data) for data in trained}) != 1:
        return []
    try:
        return list(_training(trained[0], 1).class_names)
    except (HarnessError, OSError, ImportError, ValueError, IndexError):
        return []  # the label's number is said all the same


def grids(opened: Opened) -> list[Grid]:
    """The grids of one class that the study's report asks for; without images where there are none.

    Of the run of most compute, or the one named, its last checkpoint, by the evaluation named, or
    the first at this guidance; the first samples of that class, in the order of their numbers: none
    is left out.
    """
    wanted = opened.study.settings.report.grids
    names = _class_names(opened) if wanted else []
    return [_grid(opened, asked, names) for asked in wanted]


def _grid(opened: Opened, asked: Any, names: list[str]) -> Grid:
    import numpy as np

    from harness.report.input import Grid
    from harness.stages.samples import read_images

    name = f"class {asked.label}"
    if asked.label < len(names) and names[asked.label] != str(asked.label):
        name += f" ({names[asked.label]})"
    committed = opened.store.committed(["sample"])
    runs = opened.study.runs
    found = [
        m
        for m in opened.plan.measurements
        if m.guidance_scale == asked.guidance
        and m.sample in committed
        and asked.model in (None, runs[m.run].label, runs[m.run].model.label)
        and asked.evaluation in (None, m.evaluation)
    ]
    if not found:
        return Grid(name, asked.guidance, "", None, "no samples at this guidance are kept")
    gflops = {s.run: s.gflops or 0.0 for s in opened.plan.stages.values() if s.kind == "sample"}
    best = max(found, key=lambda m: (gflops.get(m.run, 0.0), m.step, m.sampling_steps))
    model = runs[best.run].label
    how = f"{model} at step {best.step:,}, {best.sampling_steps} steps"
    if best.guidance_scale != 1:
        how += f", {_channels(opened, best)} guided"
    kept: list[np.ndarray] = []
    with contextlib.suppress(*UNREADABLE):
        artifact = opened.store.open("sample", best.sample, verify=False)
        if artifact is not None:
            labels, start = _labels(artifact.folder), 0
            for piece in read_images(artifact.folder, BATCH):
                own = labels[start : start + len(piece)] == asked.label
                kept += list(piece[own[: len(piece)]])
                start += len(piece)
                if len(kept) >= asked.images:
                    break
    if not kept:
        return Grid(name, asked.guidance, how, None, "no kept sample is of this class")
    shown = np.stack(kept[: asked.images])
    return Grid(name, asked.guidance, how, shown, run=model, step=best.step)


def _labels(folder: Path) -> np.ndarray:
    """Labels of the samples in a committed stage, (N,)."""
    import numpy as np

    path = folder / "labels.npz"
    with np.load(path if path.is_file() else folder / "samples.npz", allow_pickle=False) as held:
        return held["labels"]  # type: ignore[no-any-return]
