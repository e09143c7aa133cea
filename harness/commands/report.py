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

from harness.commands import as_run, common, made, remarks, report_as_run, report_place, shown
from harness.commands.common import Opened
from harness.commands.results import recorded
from harness.components import registry
from harness.components.section import Section
from harness.errors import BadInput, HarnessError
from harness.report import files as to_files
from harness.spec.remarks import too_narrow
from harness.store import files, studies
from harness.store.artifacts import CorruptArtifact
from harness.store.results import ComplexityResult
from harness.store.studies import Index

if TYPE_CHECKING:
    from harness.report.blocks import Document
    from harness.report.input import ReportInput


OF_ARCHITECTURE = ("block", "depth", "width", "heads", "patch_size", "channels")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    common.add_study(parser)
    common.add_filters(parser)
    parser.add_argument(
        "--report", metavar="FILE", help="the file to write (default: reports/STUDY.pdf)"
    )
    parser.add_argument(
        "--format",
        choices=("pdf", "html"),
        help="default: what FILE ends in, else pdf; html is one file that works offline",
    )
    parser.add_argument(
        "--against",
        metavar="RESULTS_OR_CSV",
        help="add another results folder, or a CSV of model, gflops, value[, se], to the figure",
    )
    parser.add_argument(
        "--label", metavar="NAME", help="name of what --against adds (default: its file's name)"
    )
    parser.add_argument("--figure", metavar="FILE", help="also write the main figure, as PNG")


def run(args: argparse.Namespace) -> int:
    report_place.check(args.report)
    report_place.check(args.figure, "--figure", (".png",))
    if args.study == "paper" and not Path("paper").is_file():
        return _paper(args)
    opened = as_run.open_study(args)
    if isinstance(opened, Index):
        return _as_run(args, opened)
    if not opened.state().done and not recorded(opened):
        common.note_absence(args.results)
        print(f"nothing of {opened.study.name} ({opened.study.profile}) is recorded yet")
        return 3
    theirs = (Path(args.against), args.label) if args.against else None
    write_report(opened, args.report, again=True, form=args.format, against=theirs)
    if args.figure:
        _figure(gather(opened), args.figure)
    return 0


def _figure(report: ReportInput, path: str) -> None:
    from harness.report import main_figure

    if main_figure(report, Path(path)) is None:
        print("no figure: no model has a measured quality yet")
    else:
        print(f"figure: {path}")


def _as_run(args: argparse.Namespace, index: Index) -> int:
    """The report of a study that cannot be planned here, from what its `run` left word of."""
    from harness.report.document import compose, save, save_parts

    for option in ("only", "skip", "figure"):
        if getattr(args, option):
            raise BadInput(f"--{option} needs the study itself, and it cannot be opened here")
    given = report_as_run.gather(Path(args.results), index)
    if all(frame.empty for frame in given.frames.values()) and not given.complexity:
        print(f"nothing of {index.study} ({index.profile}) is recorded yet")
        return 3
    if args.against:
        given = _against(given, Path(args.against), args.label)
    form = _form(args.format, args.report)
    path = Path(args.report or f"reports/{index.study}-{index.profile}.{form}")
    document = compose(given)
    save(document, path, form)
    _say_unshown(document, form)
    if path.suffix in (".pdf", ".html"):
        save_parts(document, path.with_suffix(""))
    print(f"report: {path}")
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
    theirs = read(source, metric, rows)
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
    report = papers_report()
    if args.against:
        report = _against(report, Path(args.against), args.label)
    document = compose(report)
    save(document, path, form)
    _say_unshown(document, form)
    if path.suffix in (".pdf", ".html"):
        save_parts(document, path.with_suffix(""))
    print(f"report: {path}")
    if args.figure:
        _figure(report, args.figure)
    return 0


def _form(asked: str | None, given: str | None) -> str:
    """ "pdf" or "html": as asked, else what the file's name ends in."""
    return asked or ("html" if given and given.lower().endswith((".html", ".htm")) else "pdf")


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
) -> Path:
    """Render, unless the report that is there was made of the same records by the same code.

    Returns its path. Figures and their numbers lie beside it, in a folder of its name.
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
    passes = to_files.passes_on(path)  # a pipe would be read for ever
    if not again and not passes and path.exists():
        with contextlib.suppress(OSError, ValueError, KeyError):
            last = json.loads(remembered.read_text())
            if last["key"] == key and last["sha256"] == files.sha256(path):
                print(f"report: {path} (up to date)")
                return path
    from harness.report.document import compose, save, save_parts

    given_input = gather(opened)
    if against is not None:
        given_input = _against(given_input, *against)
    document = compose(given_input)
    save(document, path, form)
    _say_unshown(document, form)
    if path.suffix in (".pdf", ".html"):
        save_parts(document, path.with_suffix(""))
        report_place.remember(opened, path)
    if passes:
        print(f"report: {path}", file=sys.stderr)  # standard output may be where it went
        return path
    with contextlib.suppress(HarnessError):  # another's folder: the PDF is made again next time
        files.write_json(remembered, {"key": key, "sha256": files.sha256(path), "path": str(path)})
    print(f"report: {path}")
    return path


def _say_unshown(document: Document, form: str) -> None:
    """Say in the terminal too which characters are boxes in the file."""
    from harness.report.document import unshown

    if (said := unshown(document, form)) is not None:
        print(f"note: {said[0].lower()}{said[1:]}", file=sys.stderr)


def report_key(opened: Opened) -> str:
    """All that a report shows: the study, the command, its stages and their state, the code."""
    digest = hashlib.sha256()
    committed = opened.store.committed({s.kind for s in opened.plan.stages.values()})
    for stage in opened.plan.stages.values():
        digest.update(f"{stage.key} {stage.key in committed}\n".encode())
    for measurement in opened.plan.measurements:
        digest.update(repr(measurement).encode())
    digest.update(repr((opened.study.settings, made.command_of(opened), _missing(opened))).encode())
    given: tuple[Any, ...] = opened.study.settings.report.sections
    sections = [section for section in given if isinstance(section, Section)]
    digest.update(
        repr(registry.origins(f"section:{section.name}" for section in sections)).encode()
    )
    digest.update(repr([file.sha256 for file in opened.study.components]).encode())
    here = Path(__file__).resolve().parent.parent
    for source in sorted(here.rglob("*")):  # numbers come by way of many rooms
        if source.suffix in (".py", ".typ", ".csv", ".css", ".js"):
            digest.update(source.read_bytes())
    return digest.hexdigest()


def _missing(opened: Opened) -> list[str]:
    state = opened.state()
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
    samples, how, steps = shown.samples(opened)
    strips, strips_how = shown.strips(opened)
    real, real_how = shown.real(opened)
    committed = [c for f in frames.values() if "committed" in f for c in f["committed"].dropna()]
    counted = made.of_counts(opened)  # a study of complexity alone has no other records
    committed = committed or [one["committed"] for one in counted if one.get("committed")]
    committed = committed or _when_committed(opened)
    latest = max(committed, default=datetime.now(UTC).isoformat(timespec="seconds"))
    settings = opened.study.settings
    return ReportInput(
        study=opened.study.name,
        title=settings.title,
        profile=opened.study.profile,
        sections=[s if isinstance(s, Section) else str(s) for s in settings.report.sections],
        frames=frames,
        provenance=made.provenance_of(opened, frames, counted, latest),
        timestamp=datetime.fromisoformat(latest),
        about=" ".join([settings.about, *_sentences(_notes(opened))]).strip(),
        complexity=_complexity(opened),
        samples=samples,
        samples_how=how,
        samples_steps=steps,
        strips=strips,
        strips_how=strips_how,
        real=real,
        real_how=real_how,
        grids=shown.grids(opened),
        missing=_missing(opened),
        settings=made.settings_of(opened, frames),
        text=_text(opened),
        spent=made.spent(opened.history(), opened.plan),
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


def _notes(opened: Opened) -> list[str]:
    """What the reader of the numbers should know of the study's settings."""
    return [*remarks.remarks(opened), *too_narrow(opened.study)]


def _sentences(notes: list[str]) -> list[str]:
    """Notes as the first page says them."""
    return [f"Note: {note}." for note in notes]


def _text(opened: Opened) -> str:
    if opened.text is not None:
        return opened.text
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return Path(opened.study.path).read_text("utf-8")
    return ""


def _failures(opened: Opened) -> list[tuple[str, str]]:
    """The phrase of every failed stage in `_missing`, and the last line of its error."""
    state = opened.state()
    return [
        (f"{stage.label}: failed", (state.failed[stage.key].error or "").strip().split("\n")[-1])
        for stage in state.missing
        if stage.key in state.failed
    ]


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


def _when_committed(opened: Opened) -> list[str]:
    """When stages were committed that have no records: of a study that has only just begun."""
    found = []
    for stage in opened.plan.stages.values():
        with contextlib.suppress(CorruptArtifact):
            manifest = opened.store.manifest(stage.kind, stage.key)
            if manifest is not None and manifest.provenance.get("committed"):
                found.append(str(manifest.provenance["committed"]))
    return found
