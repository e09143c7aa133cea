"""`plan`: what would run, what is done, what it costs. Touches nothing.

(Of a large tree of images it keeps what it saw: results/indexes.)
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
from typing import Any

from harness.commands import common, shows
from harness.commands.common import Opened, duration, plural, quantity
from harness.commands.encoded import encoded
from harness.commands.remarks import refuse_too_few
from harness.dispatch import identity, preflight, progress, unheard
from harness.dispatch.executors import executor_of
from harness.dispatch.study_state import StudyState
from harness.plan import estimate, keys
from harness.plan.plan import Plan
from harness.plan.stages import STAGE_SETTINGS
from harness.plan.wanted import left
from harness.spec import too_large
from harness.spec.remarks import remarks, young_averages
from harness.spec.schema import STAGE_KINDS
from harness.store.artifacts import CorruptArtifact
from harness.store.codec import Measured

MOST_MANIFESTS = 2000  # read for measured speeds
MOST_SHOWN = 10  # of what would be made again


def add_arguments(parser: argparse.ArgumentParser) -> None:
    common.add_study(parser)
    common.add_filters(parser)
    parser.add_argument("--stages", action="store_true", help="list every stage")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")


def run(args: argparse.Namespace) -> int:
    gc.disable()  # hundreds of thousands of small objects, none of them garbage
    opened = common.open_study(args, count=True)
    refuse_too_few(opened)
    content = describe(opened, every=args.json or args.stages)
    if args.json:
        print(json.dumps(content, indent=1))
    else:
        print_plan(opened, content, args.stages)
    return 0


def measured_rates(opened: Opened) -> estimate.Rates:
    """Speeds from benchmarks, and from artifacts committed under this results folder."""
    found: list[tuple[str, Measured]] = []
    kinds = tuple(STAGE_SETTINGS)
    for kind in kinds:
        for key in sorted(opened.store.committed([kind]))[: MOST_MANIFESTS // len(kinds)]:
            with contextlib.suppress(CorruptArtifact):
                manifest = opened.store.manifest(kind, key)
                if manifest is not None and manifest.measured is not None:
                    found.append((kind, manifest.measured))
    benchmarks = estimate.read_benchmarks(opened.store.root)
    return estimate.rates(found, uses_cuda(opened), benchmarks, opened.plan)


def uses_cuda(opened: Opened) -> bool:
    """Does the profile compute on GPUs?"""
    from harness.dispatch.local import gpus

    dispatch = opened.study.settings.dispatch
    return dispatch.device == "cuda" or (dispatch.device == "auto" and bool(gpus()))


def describe(opened: Opened, every: bool = True) -> dict[str, Any]:
    """The plan as JSON: totals of what is missing, and with `every` one entry per stage."""
    state = opened.state()
    executor = executor_of(opened.study)
    speeds = measured_rates(opened)
    stages, by_kind, differing = _costs(opened, state, speeds, every)
    gflops = sum(entry["gflops"] for entry in by_kind.values())
    unknown = [e["seconds"] is None for e in by_kind.values()]
    seen: list[str] = []  # of images that are not encoded yet
    problems = preflight.problems(opened.plan, state.missing, opened.store.root, seen)
    files = identity.look(opened.plan, opened.stages, opened.store)
    return {
        "study": opened.study.name,
        "profile": opened.study.profile,
        "title": opened.study.settings.title,
        "runs": len(opened.study.runs),
        "executor": executor.name,
        "placement": executor.describe(opened.study),
        "kinds": by_kind,
        "missing": {
            "stages": len(state.missing),
            "gflops": gflops,
            "device_seconds": None if any(unknown) else sum(e["seconds"] for e in by_kind.values()),
            "at_most": any(e["at_most"] for e in by_kind.values()),
        },
        "trunks": {
            "gflops": opened.plan.branched_gflops,
            "apart_gflops": opened.plan.apart_gflops,
        },
        "remade": [
            {"key": s.key, "label": s.label, "kind": s.kind, "gflops": s.gflops}
            for s in state.remade
        ],
        "restarted": [
            {"key": s.key, "label": s.label, "gflops": s.gflops} for s in state.work.restarted
        ],
        "gone": [{"key": s.key, "label": s.label} for s in state.work.gone],
        "shows": shows.smallest(opened),
        "counted": counted_networks(opened.plan),
        "not_counted": opened.plan.counts.unasked,
        "problems": problems,
        "changed": files.changed,
        "notes": [
            *remarks(opened.study),
            *young_averages(opened.study),
            *([years] if (years := too_large.years_of(gflops)) is not None else []),
            *opened.plan.notes,
            *seen,
            *files.notes,
            *encoded(opened),
            *identity.absent(opened.study, problems),
            *unheard.sentences(opened.study),
        ],
        "speeds_measured_on": speeds.measured,
        "benchmarks_differ": differing,
        "stages": stages,
    }


def _costs(
    opened: Opened, state: StudyState, speeds: estimate.Rates, every: bool
) -> tuple[list[dict[str, Any]], dict[str, dict[str, Any]], list[str]]:
    """The cost of each stage, the totals of each kind, and where speeds are of other settings.

    every: list the stages; otherwise only the missing ones' costs are looked up.
    """
    stages = []
    by_kind: dict[str, dict[str, Any]] = {}
    differing: dict[tuple[str, str], set[str]] = {}  # models by kind and what differs
    saved = progress.saved(opened.store, state.missing)
    for stage in state.stages:
        done = stage.key in state.done
        failed = stage.key in state.failed
        model = seconds = None
        if speeds.measured and (every or not done):
            model = estimate.model_of(opened.plan, stage)
            seconds = speeds.seconds(stage, model, estimate.data_of(opened.plan, stage))
        gflops = stage.gflops
        if stage.key in saved:  # an interrupted stage goes on from what it has saved
            gflops = left(stage, saved[stage.key])
            seconds = None if seconds is None else seconds * (1 - saved[stage.key])
        if every:
            stages.append(
                {
                    "kind": stage.kind,
                    "key": stage.key,
                    "label": stage.label,
                    "state": "done" if done else "failed" if failed else "missing",
                    "gflops": gflops,
                    "seconds": seconds,
                    "inputs": stage.inputs,
                    "after": stage.after,
                }
            )
        entry = by_kind.setdefault(
            stage.kind,
            {
                **{"stages": 0, "done": 0, "failed": 0, "gflops": 0.0, "seconds": 0.0},
                "at_most": False,
            },
        )
        entry["stages"] += 1
        entry["done"] += done
        entry["failed"] += failed
        if not done:
            used = speeds.benchmark(stage, model) if speeds.benchmarks else None
            if used is not None and used[1]:
                differing.setdefault((stage.kind, "; ".join(used[1])), set()).add(str(model))
            entry["gflops"] += gflops or 0.0
            entry["at_most"] |= speeds.at_most(stage, model, seconds)
            if seconds is None:
                entry["seconds"] = None
            elif entry["seconds"] is not None:
                entry["seconds"] += seconds
    others = [
        f"{kind} {', '.join(sorted(models))}: {other}"
        for (kind, other), models in differing.items()
    ]
    return stages, by_kind, others


def counted_networks(plan: Plan) -> dict[str, float]:
    """Gflops, by label, of the models whose family has no formula for them."""
    found = {}
    for run in plan.study.runs:
        component = run.model.component
        if plan.counts.gflops and component is not None and run.model.label not in found:
            given = run.given()
            text = keys.canonical(component.architecture(given))
            if text in plan.counts.gflops:
                found[run.model.label] = plan.counts.gflops[text]
    return found


def _print_removed(content: dict[str, Any]) -> None:
    """Print what is gone, and what of that would be made again."""
    remade, gone = content["remade"], content["gone"]
    if remade:
        cost = quantity(sum(one["gflops"] or 0.0 for one in remade))
        print(
            f"removed, and needed again: {plural(len(remade), 'stage')}, {cost} "
            "(`run` asks for --remake)"
        )
        for one in remade[:MOST_SHOWN]:
            price = f"  {quantity(one['gflops'])}" if one["gflops"] else ""
            print(f"  {one['label']}{price}")
        if len(remade) > MOST_SHOWN:
            print(f"  and {len(remade) - MOST_SHOWN:,} more")
    if restarted := content["restarted"]:
        count = plural(len(restarted), "training begins", "trainings begin")
        print(
            f"without the state of a later checkpoint of the same run: {count} at an earlier step "
            "(`run` asks for --remake)"
        )
    if gone:
        what = "last checkpoint or sample", "last checkpoints and samples"
        print(f"removed, and not needed for any number: {plural(len(gone), *what)}")


def print_plan(opened: Opened, content: dict[str, Any], every: bool) -> None:
    """Print what a study would do, and what it would cost."""
    print(f"{content['study']} ({content['profile']}): {content['title']}")
    count = sum(entry["stages"] for entry in content["kinds"].values())
    runs, stages = plural(content["runs"], "run"), plural(count, "stage")
    print(f"{runs}, {stages}, {content['executor']}")
    for file in opened.study.components:
        print(f"runs the study's own {file.path} (SHA-256 {file.sha256[:12]})")
    if content["placement"]:
        print(content["placement"])
    print()
    print(f"{'stage':<12}{'all':>8}{'done':>8}{'failed':>8}{'to do':>20}{'device time':>22}")
    for kind in sorted(content["kinds"], key=STAGE_KINDS.index):
        entry = content["kinds"][kind]
        left = entry["stages"] - entry["done"]
        cost = quantity(entry["gflops"]) if entry["gflops"] else ("-" if left else "")
        time = f"{'at most ' * entry['at_most']}{duration(entry['seconds'])}" if left else ""
        print(
            f"{kind:<12}{entry['stages']:>8,}{entry['done']:>8,}{entry['failed']:>8,}"
            f"{cost:>20}{time:>22}"
        )
    missing = content["missing"]
    print()
    if not missing["stages"]:
        print("everything is done")
    else:
        seconds = missing["device_seconds"]
        todo = plural(missing["stages"], "stage")
        print(f"to do: {todo}, {quantity(missing['gflops'])}", end="")
        most = missing["at_most"]
        why = " (only far shorter stages were measured here)" if most else ""
        print(
            f", {'at most ' * most}{duration(seconds)} of one device{why}"
            if seconds is not None
            else ", time not known yet (no measured throughput for all of it)"
        )
    trunks = content["trunks"]
    if trunks["gflops"] < trunks["apart_gflops"]:
        print(
            "lengths of training that share a trunk take "
            f"{quantity(trunks['gflops'])} of training instead of "
            f"{quantity(trunks['apart_gflops'])}"
        )
    for model, gflops in content["counted"].items():
        print(f"counted, as its family has no formula: {model}, {gflops:.4g} Gflops an image")
    if content["not_counted"]:
        print(f"costs are not known: counting networks failed: {content['not_counted']}")
    _print_removed(content)
    if content["shows"]:
        print(shows.sentence(content["shows"]))
    for difference in content["benchmarks_differ"]:
        print(f"estimated with a benchmark of other settings: {difference}")
    for problem in content["problems"]:
        print(f"missing here: {problem}")
    for sentence in content["changed"]:
        print(f"changed here: {sentence}")
    for note in content["notes"]:
        print(f"note: {note}")
    if every:
        print()
        for stage in content["stages"]:
            print(
                f"{stage['state']:<8}{stage['key'][:12]}  {stage['label']}"
                f"{'  ' + quantity(stage['gflops']) if stage['gflops'] else ''}"
            )
