"""`run --json` for programs, and `dispatch.notify` for people who went home."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from typing import Any

import pytest
from tiny_study import Harness

from harness.commands.events import EventStream
from harness.plan.build import make_plan
from harness.plan.plan import Stage
from harness.spec.study import load_study
from harness.store import records


@pytest.fixture
def stages(study: Path) -> list[Stage]:
    return list(make_plan(load_study(study)).stages.values())


def said(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_what_is_not_a_number_is_null(stages: list[Stage]) -> None:
    out = io.StringIO()
    stream = EventStream(stages, set(), "retry", out)
    stream("progress", stages[0], {"done": 1, "total": 2, "loss": math.nan, "of": {"a": math.inf}})
    (event,) = said(out)
    assert event["loss"] is None and event["of"] == {"a": None} and event["done"] == 1
    assert (event["event"], event["key"]) == ("progress", stages[0].key)


def test_the_count_never_passes_its_total(stages: list[Stage]) -> None:
    out = io.StringIO()
    stream = EventStream(stages, {stages[0].key}, "retry", out)
    stream.opened("tiny", "laptop")
    for stage in [*stages, stages[0]]:
        stream("done", stage, {})
    stream.closed(0)
    begin, *_, end = said(out)
    assert begin == {
        "event": "begin",
        "time": begin["time"],
        "study": "tiny",
        "profile": "laptop",
        "total": len(stages),
        "done": 1,
    }
    assert end["finished"] == end["total"] == len(stages) and end["code"] == 0


def test_records_that_are_compacted_are_said(stages: list[Stage]) -> None:
    out = io.StringIO()
    stream = EventStream(stages, set(), "retry", out)
    stream("compacting", None, {"table": "metrics", "files": 1200})
    stream("compacted", None, {"table": "metrics", "files": 1198, "seconds": 0.5})
    begin, end = ({k: v for k, v in e.items() if k != "time"} for e in said(out))
    assert begin == {"event": "compacting", "table": "metrics", "files": 1200}
    assert end == {"event": "compacted", "table": "metrics", "files": 1198, "seconds": 0.5}


@pytest.mark.slow
def test_a_run_is_followed_by_a_program(study: Path, harness: Harness) -> None:
    told = study.parent / "told.txt"
    teller = study.parent / "tell.py"
    teller.write_text(
        "import json, os, sys\n"
        "said = json.load(sys.stdin)\n"
        "assert os.environ['HARNESS_EVENT'] == said['event']\n"
        f"open({str(told)!r}, 'a').write(said['event'] + ': ' + said['text'] + '\\n')\n"
    )
    notify = f"dispatch.notify=[python3, {teller}]"
    for key in ("a" * 64, "b" * 64):  # what is recorded in this folder is compacted at the end
        records.write(study.parent / "results", "metrics", key, [{"key": key, "metric": "fid"}])
    done = harness("run", "tiny.yaml", "--json", "--only", "complexity", "--set", notify)
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [e["event"] for e in events][:1] == ["begin"] and events[-1]["event"] == "end"
    assert {e["kind"] for e in events if e["event"] == "done"} == {"complexity"}
    assert events[-1]["finished"] == events[-1]["total"] > 0
    compacted = [e for e in events if e["event"].startswith("compact")]
    assert [(e["event"], e["table"], e["files"]) for e in compacted] == [
        ("compacting", "metrics", 2),
        ("compacted", "metrics", 2),
    ]
    (report,) = [e for e in events if e["event"] == "report"]
    assert (study.parent / report["path"]).exists()
    assert told.read_text().startswith("done: tiny (laptop): 2 of 2 stages are done")


@pytest.mark.slow
def test_a_failure_is_told_once_and_at_the_end(study: Path, harness: Harness) -> None:
    told = study.parent / "told.txt"
    teller = study.parent / "tell.sh"
    teller.write_text(f'#!/bin/sh\necho "$HARNESS_EVENT $HARNESS_TEXT" >> {told}\nexit 7\n')
    teller.chmod(0o755)
    spoilt = ("--set", "train.learning_rate=1000", "--set", f"dispatch.notify=[{teller}]")
    done = harness("run", "tiny.yaml", "--json", "--only", "train", "--no-report", *spoilt)
    assert done.returncode == 1, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    failed = [e for e in events if e["event"] == "failed"]
    assert failed, (events, done.stderr)
    assert all(e["error"] and Path(e["log"]).name for e in failed)
    assert events[-1]["code"] == 1 and events[-1]["failed"] == len(failed)
    first, last = told.read_text().splitlines()
    assert first.startswith("failed train") and last.startswith("failed tiny (laptop)")
    assert "tell.sh ended with 7" in done.stderr


@pytest.mark.slow
def test_every_note_that_people_read_is_an_event(study: Path, harness: Harness) -> None:
    lost = ("--set", "dispatch.notify=[no-such-command-anywhere]")
    done = harness("run", "tiny.yaml", "--json", "--only", "complexity", "--no-report", *lost)
    assert done.returncode == 0, done.stderr
    read = [s.removeprefix("note: ") for s in done.stderr.splitlines() if s.startswith("note: ")]
    events = [json.loads(line) for line in done.stdout.splitlines()]
    told = [e["text"] for e in events if e["event"] == "note"]
    assert any("no-such-command-anywhere is not found" in text for text in read)
    assert set(read) <= set(told)
    assert not [text for text in told if text.startswith("note")]


@pytest.mark.slow
def test_what_cannot_start_says_so_as_an_event(study: Path, harness: Harness) -> None:
    done = harness("run", "tiny.yaml", "--json", "--only", "no such stage at all")
    assert done.returncode == 2
    (event,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert (event["event"], event["code"]) == ("end", 2)
    assert event["error"] and event["error"] in done.stderr.replace("error: ", "")
