"""`report`: a study's PDF, from what is recorded so far."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.commands import common, remarks, report_place
from harness.commands.common import Opened
from harness.commands.results import recorded
from harness.components.section import Section
from harness.errors import BadInput, HarnessError
from harness.plan.wanted import shown_samples
from harness.spec import shipped
from harness.store import files, studies
from harness.store.artifacts import CorruptArtifact
from harness.store.results import ComplexityResult

if TYPE_CHECKING:
    import numpy as np

    from harness.dispatch.ledger import Attempt
    from harness.report.input import ReportInput, Spent


OF_ARCHITECTURE = ("block", "depth", "width", "heads", "patch_size")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    common.add_study(parser)
    common.add_filters(parser)
    parser.add_argument("--report", metavar="FILE", help="default reports/STUDY.pdf")
    parser.add_argument(
        "--format",
        choices=("pdf", "html"),
        help="default pdf, or what FILE ends in; html is one file that works offline",
    )
    parser.add_argument(
        "--against",
        metavar="RESULTS_OR_CSV",
        help="lay another results folder, or a CSV of model, gflops, value[, se], over the figure",
    )
    parser.add_argument("--label", metavar="NAME", help="what to call it (default its name)")
    parser.add_argument("--figure", metavar="FILE", help="also the main figure, as PNG")


def run(args: argparse.Namespace) -> int:
    if args.study == "paper" and not Path("paper").is_file():
        return _paper(args)
    opened = common.open_study(args)
    if not opened.standing().done and not recorded(opened):
        print(f"nothing of {opened.study.name} ({opened.study.profile}) is recorded yet")
        return 3
    theirs = (Path(args.against), args.label) if args.against else None
    write_report(opened, args.report, again=True, form=args.format, against=theirs)
    if args.figure:
        from harness.report import main_figure

        if main_figure(gather(opened), Path(args.figure)) is None:
            print("no figure: no model has a measured quality yet")
        else:
            print(f"figure: {args.figure}")
    return 0


def _against(report: ReportInput, source: Path, label: str | None) -> ReportInput:
    """With somebody else's values of the primary metric. Raises BadInput: no model is shared."""
    import dataclasses

    from harness.analysis import metrics, selection
    from harness.report.against import read

    rows = report.frames["metrics"]
    metric = metrics.primary_metric(rows)
    if metric is None:
        raise BadInput(f"--against {source}: {report.study} itself has no measured value yet")
    theirs = read(source, metric)
    ours = set(selection.final_quality(rows, metric)["label"])
    if not ours & set(theirs["label"]):
        raise BadInput(
            f"--against {source} shares no model with {report.study}: it has "
            f"{', '.join(map(str, theirs['label'][:4]))}; the study has "
            f"{', '.join(sorted(ours)[:4])}"
        )
    name = label or source.resolve().stem
    return dataclasses.replace(report, against=theirs, against_label=name)


def _paper(args: argparse.Namespace) -> int:
    """`report paper`: the same report from the paper's numbers alone."""
    from harness.report.document import compose, save, save_parts
    from harness.report.papers import papers_report

    form = _form(args.format, args.report)
    path = Path(args.report or f"reports/paper.{form}")
    document = compose(papers_report())
    save(document, path, form)
    if path.suffix in (".pdf", ".html"):
        save_parts(document, path.with_suffix(""))
    print(f"report: {path}")
    return 0


def _form(asked: str | None, given: str | None) -> str:
    """ "pdf" or "html": as asked, else what the file's name ends in."""
    return asked or ("html" if given and given.endswith((".html", ".htm")) else "pdf")


def report_path(opened: Opened, given: str | None, form: str = "pdf") -> Path:
    """reports/STUDY.pdf for the study's own profile, reports/STUDY-PROFILE.pdf for others."""
    if given:
        return Path(given)
    study = opened.study
    default = study.profile == study.settings.profile
    return Path("reports") / f"{study.name}{'' if default else '-' + study.profile}.{form}"


def write_report(
    opened: Opened,
    given: str | None = None,
    again: bool = False,
    form: str | None = None,
    against: tuple[Path, str | None] | None = None,
) -> None:
    """Render, unless the report that is there was made of the same records by the same code.

    Figures and their numbers lie beside it, in a folder of its name.
    """
    form = _form(form, given)
    path, said = report_place.place(
        opened, report_path(opened, given, form), asked=given is not None
    )
    if said is not None:
        print(f"note: {said}", file=sys.stderr)
    name = f"{opened.study.name}-{opened.study.profile}.json"
    remembered = opened.store.root / "reports" / name
    key = report_key(opened)
    if not again and path.exists():
        with contextlib.suppress(OSError, ValueError, KeyError):
            last = json.loads(remembered.read_text())
            if last["key"] == key and last["sha256"] == files.sha256(path):
                print(f"report: {path} (up to date)")
                return
    from harness.report.document import compose, save, save_parts

    given_input = gather(opened)
    if against is not None:
        given_input = _against(given_input, *against)
    document = compose(given_input)
    save(document, path, form)
    if path.suffix in (".pdf", ".html"):
        save_parts(document, path.with_suffix(""))
        report_place.remember(opened, path)
    with contextlib.suppress(HarnessError):  # another's folder: the PDF is made again next time
        files.write_json(remembered, {"key": key, "sha256": files.sha256(path), "path": str(path)})
    print(f"report: {path}")


def report_key(opened: Opened) -> str:
    """All that a report shows: the study, the command, its stages and their state, the code."""
    digest = hashlib.sha256()
    committed = opened.store.committed({s.kind for s in opened.plan.stages.values()})
    for stage in opened.plan.stages.values():
        digest.update(f"{stage.key} {stage.key in committed}\n".encode())
    for measurement in opened.plan.measurements:
        digest.update(repr(measurement).encode())
    digest.update(repr((opened.study.settings, _command(opened), _missing(opened))).encode())
    here = Path(__file__).resolve().parent.parent
    for source in sorted(here.rglob("*")):  # numbers come by way of many rooms
        if source.suffix in (".py", ".typ", ".csv", ".css", ".js"):
            digest.update(source.read_bytes())
    return digest.hexdigest()


def _missing(opened: Opened) -> list[str]:
    state = opened.standing()
    known = recorded(opened) if state.missing else set()
    return [
        f"{s.label}: {'failed' if s.key in state.failed else 'not done yet'}"
        for s in state.missing
        if s.key not in known
    ]


def gather(opened: Opened) -> ReportInput:
    """Everything the report says, read from records and artifacts."""
    from harness.commands.results import frames_of
    from harness.report.input import ReportInput

    frames = frames_of(opened)
    shown, how = _samples(opened)
    committed = [c for f in frames.values() if "committed" in f for c in f["committed"].dropna()]
    counted = _made_counts(opened)  # a study of complexity alone has no other records
    committed = committed or [made["committed"] for made in counted]
    committed = committed or _when_committed(opened)
    latest = max(committed, default=datetime.now(UTC).isoformat(timespec="seconds"))
    settings = opened.study.settings
    return ReportInput(
        study=opened.study.name,
        title=settings.title,
        profile=opened.study.profile,
        sections=[s if isinstance(s, Section) else str(s) for s in settings.report.sections],
        frames=frames,
        provenance=_provenance(opened, frames, counted, latest),
        timestamp=datetime.fromisoformat(latest),
        about=" ".join([settings.about, *_sentences(remarks.remarks(opened))]).strip(),
        complexity=_complexity(opened),
        samples=shown,
        samples_how=how,
        missing=_missing(opened),
        settings=_settings(opened, frames),
        text=_text(opened),
        spent=_spent(opened),
        failures=_failures(opened),
        claims=settings.claims.paper,
        claim_pairs=settings.claims.sampling_pairs,
        claims_since=studies.stored_claims(
            opened.store.root, opened.study.name, opened.study.profile
        ),
        claims_after=studies.claims_after(
            opened.store.root, opened.study.name, opened.study.profile
        ),
    )


def _sentences(notes: list[str]) -> list[str]:
    """Notes as the first page says them."""
    return [f"Note: {note}." for note in notes]


def _text(opened: Opened) -> str:
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return Path(opened.study.path).read_text("utf-8")
    return ""


def _spent(opened: Opened) -> list[Spent]:
    """Seconds of every attempt at the study's stages, by kind."""
    from harness.report.input import Spent

    by_kind: dict[str, list[Attempt]] = {}
    for attempts in opened.history().values():
        for attempt in attempts:
            by_kind.setdefault(attempt.kind, []).append(attempt)
    return [
        Spent(
            kind=kind,
            attempts=len(tried),
            kept=sum(a.seconds for a in tried if a.state == "done"),
            failed=sum(a.state not in ("done", "running") for a in tried),
            lost=sum(a.seconds for a in tried if a.state not in ("done", "running")),
        )
        for kind, tried in sorted(by_kind.items())
    ]


def _failures(opened: Opened) -> list[tuple[str, str]]:
    """Of every failed stage its phrase in `_missing`, and the last line of its error."""
    state = opened.standing()
    return [
        (f"{stage.label}: failed", (state.failed[stage.key].error or "").strip().split("\n")[-1])
        for stage in state.missing
        if stage.key in state.failed
    ]


def _settings(opened: Opened, frames: dict[str, Any]) -> dict[str, Any]:
    """Data, recipe and measurement by the setting's name; a list where the study has several."""
    found: dict[str, Any] = {
        name: _values(frames["runs"], name)
        for name in ("data", "image_size", "autoencoder", "batch_size", "learning_rate")
    }
    trained = [run.train for run in opened.study.runs if run.train is not None]
    for name in ("steps", "weight_decay", "ema", "label_dropout", "precision", "grad_clip"):
        values = list(dict.fromkeys(repr(getattr(t, name, None)) for t in trained))
        if values and values != ["None"]:
            first = {repr(getattr(t, name, None)): getattr(t, name, None) for t in trained}
            found[name] = first[values[0]] if len(values) == 1 else [first[v] for v in values]
    found["extractor"] = _values(frames["metrics"], "extractor")
    return {k: v for k, v in found.items() if v not in (None, [], "")}


def _complexity(opened: Opened) -> list[dict[str, Any]]:
    """One row per model and baseline, the paper's numbers beside the counted ones."""
    from harness.commands.complexity import Point, published_counts
    from harness.models.zoo import UNETS

    published = published_counts()
    rows = []
    for stage in opened.plan.stages.values():
        if stage.kind != "complexity":
            continue
        with contextlib.suppress(CorruptArtifact):
            artifact = opened.store.open(stage.kind, stage.key, verify=False)
            if artifact is None:
                continue
            counted = artifact.result(ComplexityResult)
            shape = counted.architecture or {}
            run = opened.study.runs[stage.run] if stage.run is not None else None
            row: dict[str, Any] = {k: shape.get(k) for k in OF_ARCHITECTURE}
            row |= {k: getattr(counted, k) for k in ("tokens", "params", "gflops", "gflops_paper")}
            # the study's own name, whoever counted this architecture first
            row["model"] = run.model.label if run else counted.model
            row["image_size"] = run.data.image_size if run else UNETS.get(counted.model)
            size = row["image_size"] or 0
            latents = shape.get("channels") == 4 and shape.get("input_size") == size // 8
            paper = None
            if run is None or latents:  # the paper's DiTs are on those alone
                paper = published.get(Point(str(row["model"]), size, shape.get("block")))
            row["paper_gflops"] = paper.gflops if paper else None
            row["paper_params_m"] = paper.params_m if paper else None
            rows.append(row)
    return rows


def _samples(opened: Opened) -> tuple[dict[str, np.ndarray], str]:
    """Per run the first samples of its last checkpoint, and how they were drawn.

    All in one way (harness.plan.wanted.shown_samples). A run that was not sampled so is left out.
    """
    from harness.stages.samples import read_images

    shown = opened.study.settings.report.samples_shown
    way, last = shown_samples(opened.plan.measurements, opened.store.committed(["sample"]))
    if way is None:
        return {}, ""
    grids: dict[str, np.ndarray] = {}
    for index, m in last.items():
        with contextlib.suppress(CorruptArtifact, OSError, KeyError, StopIteration):
            artifact = opened.store.open("sample", m.sample, verify=False)
            if artifact is not None:
                images = next(read_images(artifact.folder, shown))
                grids[opened.study.runs[index].label] = images
    _, scale, steps, _ = way
    return grids, f"{steps} steps, {'no guidance' if scale == 1 else f'guidance {scale:g}'}"


def _when_committed(opened: Opened) -> list[str]:
    """When stages were committed that have no records: of a study that has only just begun."""
    found = []
    for stage in opened.plan.stages.values():
        with contextlib.suppress(CorruptArtifact):
            manifest = opened.store.manifest(stage.kind, stage.key)
            if manifest is not None and manifest.provenance.get("committed"):
                found.append(str(manifest.provenance["committed"]))
    return found


def _made_counts(opened: Opened) -> list[dict[str, Any]]:
    """The provenance of the operation counts."""
    found = []
    for stage in opened.plan.stages.values():
        if stage.kind == "complexity":
            with contextlib.suppress(CorruptArtifact):
                manifest = opened.store.manifest(stage.kind, stage.key)
                if manifest is not None:
                    found.append(dict(manifest.provenance))
    return found


def _provenance(
    opened: Opened, frames: dict[str, Any], counted: list[dict[str, Any]], latest: str
) -> dict[str, Any]:
    """What made the numbers, for the report's last section."""
    import pandas as pd

    metrics = frames["metrics"]
    if metrics.empty:
        metrics = pd.DataFrame(counted)
    found: dict[str, Any] = {
        "command": _command(opened),
        "records of": latest,
        "harness": _values(metrics, "harness"),
        "commit": _values(metrics, "commit"),
        "torch": _values(metrics, "torch"),
        "versions": _versions(metrics),
        "device": _values(metrics, "device"),
        "data": _values(frames["runs"], "data"),
        "data checksum": _values(frames["runs"], "data_sha256"),
        "extractor": _values(metrics, "extractor"),
        "extractor checksum": _values(metrics, "extractor_sha256"),
        "reference images": _values(metrics, "reference_images"),
        "reference checksum": _values(metrics, "reference_sha256"),
        "P/R neighbours k": _values(metrics, "k"),
        "P/R real images": _values(metrics, "recall_images"),
        "P/R distances": _values(metrics, "distance_dtype"),
        "training seeds": _values(frames["runs"], "seed"),
        "sampling seeds": _values(metrics, "sampling_seed"),
    }
    trained = [run.train for run in opened.study.runs if run.train is not None]
    names = ("steps", "batch_size", "learning_rate", "weight_decay", "ema", "precision", "tf32")
    found["recipe"] = {
        n: values[0] if len(values) == 1 else values
        for n in names
        if (values := list(dict.fromkeys(getattr(train, n) for train in trained)))
    }
    return {k: v for k, v in found.items() if v not in (None, [], "", {})}


def _versions(rows: Any) -> dict[str, Any]:
    """Versions of what computed the numbers, as recorded with them (not those installed here)."""
    found: dict[str, list[str]] = {}
    made: list[dict[str, Any]] = []
    if "measured_with" in rows:
        made += [json.loads(text) for text in rows["measured_with"].dropna().unique()]
    if "versions" in rows:
        made += list(rows["versions"].dropna())
    for versions in (m.get("versions", m) for m in made):
        for name, version in versions.items():
            if version and name not in ("harness", "torch"):
                found.setdefault(name, []).append(version)
    listed = {name: sorted(set(values)) for name, values in found.items()}
    return {name: v[0] if len(v) == 1 else v for name, v in listed.items()}


def _command(opened: Opened) -> str:
    """The study's command line, rebuilt from what was opened."""
    study = opened.study
    own = study.profile == study.settings.profile
    return common.command(
        argparse.Namespace(
            study=shipped.given(study.path),
            profile=None if own else study.profile,
            overrides=list(study.overrides),
            results=str(opened.store.root),
        ),
        "run",
    )


def _values(frame: Any, column: str) -> Any:
    """The distinct values of a column: one, or a list."""
    if column not in frame:
        return None
    values = sorted(set(frame[column].dropna().tolist()), key=str)
    return values[0] if len(values) == 1 else values
