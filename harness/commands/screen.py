"""`status --watch` on a terminal: a screen that a person keeps open for days.

The runs by milestone as a grid, with the training loss of each as a small curve; what runs and how
fast, what is queued and why, what failed and of what; device-hours. As many rows as there is room.
"""

from __future__ import annotations

import itertools
import math
import re
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.commands.common import Opened
from harness.commands.display import progress_text
from harness.commands.seen import Shown
from harness.commands.spending import in_words
from harness.dispatch.view import Seen
from harness.plan.plan import Plan
from harness.plan.wanted import trajectory

LOSS = re.compile(rb"^step ([\d,]+)  loss ([-+.\deE]+)", re.MULTILINE)
TAIL = 200_000  # bytes of a log that are read: some thousand lines
CURVE = 24  # characters of a loss curve
BARS = "▁▂▃▄▅▆▇█"
MARKS = {"done": "●", "failed": "✗", "running": "◐", "queued": "q", "again": "↻", "waiting": "·"}
PLAIN = {"done": "#", "failed": "x", "running": ">", "queued": "q", "again": "r", "waiting": "."}
ORDER = ("failed", "running", "again", "queued", "waiting")  # what a cell shows, where it is mixed
WORDS = {"again": "tried again"}  # in the legend


@dataclass(frozen=True)
class Grid:
    """Where every run stands at each of its milestones."""

    steps: tuple[int, ...]  # columns
    cells: Mapping[int, Mapping[int, tuple[str, float | None]]]  # run, step -> state, share done


def grid(plan: Plan, seen: Mapping[str, Seen]) -> Grid:
    """A cell is done when the training to its step is, and all that is measured of it."""
    found: dict[int, dict[int, list[Seen]]] = {}
    step_of: dict[str, int] = {}
    for key, stage in plan.stages.items():
        if stage.kind == "train" and "data" in stage.inputs:
            step_of[key] = trajectory(stage)[1]
        else:
            above = [step_of[k] for k in stage.inputs.values() if k in step_of]
            if not above:
                continue
            step_of[key] = above[0]
        if stage.run is not None and key in seen:
            cell = found.setdefault(stage.run, {}).setdefault(step_of[key], [])
            cell.append(seen[key])
    cells = {run: {s: _cell(all_) for s, all_ in row.items()} for run, row in found.items()}
    steps = sorted({step for row in cells.values() for step in row})
    return Grid(tuple(steps), dict(sorted(cells.items())))


def _cell(stages: Sequence[Seen]) -> tuple[str, float | None]:
    states = {one.state for one in stages}
    if states == {"done"}:
        return "done", None
    state = next(s for s in ORDER if s in states)
    share = None
    for one in stages:
        told = one.progress or {}
        if one.state == "running" and told.get("total"):
            share = min(1.0, told.get("done", 0) / told["total"])
    return state, share if state == "running" else None


def can_print(text: str) -> bool:
    """Has standard output's encoding all characters of a text?"""
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def sparkline(values: Sequence[float], width: int = CURVE, bars: str = BARS) -> str:
    """A curve in one line of text, the highest value the highest bar. Values that are not finite
    are left out."""
    finite = [v for v in values if math.isfinite(v)]
    if not finite or width < 1:
        return ""
    count = min(width, len(finite))
    edges = [round(i * len(finite) / count) for i in range(count + 1)]
    means = [sum(finite[a:b]) / (b - a) for a, b in itertools.pairwise(edges) if b > a]
    low, high = min(means), max(means)
    spread = (high - low) or 1.0
    return "".join(bars[round((m - low) / spread * (len(bars) - 1))] for m in means)


@dataclass
class Losses:
    """Training losses as the stages' logs tell them; each log is read when it has grown."""

    root: Path
    known: dict[Path, tuple[int, list[tuple[int, float]]]] = field(default_factory=dict)

    def of(self, keys: Iterable[str]) -> list[tuple[int, float]]:
        """(step, loss) of one run, from the logs of its train stages."""
        found: dict[int, float] = {}
        for key in keys:
            for log in sorted((self.root / "logs" / f"train-{key[:12]}").glob("*.log")):
                found.update(self._read(log))
        return sorted(found.items())

    def _read(self, log: Path) -> list[tuple[int, float]]:
        try:
            size = log.stat().st_size
            if log not in self.known or self.known[log][0] != size:
                with log.open("rb") as file:
                    file.seek(max(0, size - TAIL))
                    pairs = LOSS.findall(file.read())
                rows = [(int(s.replace(b",", b"")), _number(v)) for s, v in pairs]
                self.known[log] = (size, rows)
            return self.known[log][1]
        except OSError:
            return []


def _number(text: bytes) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


class Screen:
    """The screen of `--watch`, `width` by `height` characters."""

    def __init__(self, opened: Opened, unicode: bool = True) -> None:
        self.marks = MARKS if unicode else PLAIN
        self.bars = BARS if unicode else "_.-=*#"
        self.losses = Losses(opened.store.root)

    def draw(self, opened: Opened, shown: Shown, width: int, height: int) -> Any:
        """A renderable for rich."""
        from rich.console import Group
        from rich.text import Text

        foot = self._foot(opened, shown)
        room = max(3, height - len(foot) - 6)
        head = self._head(opened, shown)
        runs = len(opened.study.runs)
        least = len(foot) + 4 + min(3, runs) + (runs > 3)
        if height < least:  # no room for the grid: failures first, then what there is
            foot.sort(key=lambda line: not line.startswith("failed:"))
            lines = [*foot[:1], head, *foot[1:]] if height < 3 else [head, *foot]
            return Group(
                *(Text(line, no_wrap=True, overflow="ellipsis") for line in lines[: max(1, height)])
            )
        parts = [Text(head, no_wrap=True, overflow="ellipsis"), Text("")]
        parts += [self._grid(opened, shown, width, room), Text("")]
        parts += [Text(line, no_wrap=True, overflow="ellipsis") for line in foot]
        return Group(*parts)

    def _head(self, opened: Opened, shown: Shown) -> str:
        done = sum(one.state == "done" for one in shown.seen.values())
        parts = [
            f"{opened.study.name} ({opened.study.profile})  {time.strftime('%H:%M:%S')}",
            f"{done:,} of {len(shown.seen):,} stages done",
        ]
        parts.append(in_words(shown.spent, opened.study.settings.dispatch.gpu_hours))
        return "  ".join(parts)

    def _grid(self, opened: Opened, shown: Shown, width: int, room: int) -> Any:
        from rich.table import Table

        found = grid(opened.plan, shown.seen)
        label = max(14, width // 3)
        curve = 0 if width < 60 else 10 if width < 100 else CURVE
        steps = found.steps[-max(1, (width - label - curve - 9) // 9) :]
        table = Table.grid(padding=(0, 1))
        table.add_column("run", overflow="ellipsis", no_wrap=True, max_width=label)
        for _ in steps:
            table.add_column(justify="right", no_wrap=True)
        table.add_column(no_wrap=True)
        early = len(found.steps) - len(steps)
        table.add_row(
            f"run, of {early} milestones more" if early else "run",
            *(f"{step:,}" for step in steps),
            "loss",
        )
        keys: dict[int, list[str]] = {}
        for key, stage in opened.plan.stages.items():
            if stage.kind == "train" and stage.run is not None:
                keys.setdefault(stage.run, []).append(key)
        # those that move first, where not all have room
        order = sorted(found.cells, key=lambda run: (_rank(found.cells[run].values()), run))
        for run in sorted(order[:room]):
            cells = [self._mark(found.cells[run].get(step)) for step in steps]
            table.add_row(
                opened.study.runs[run].label, *cells, self._curve(keys.get(run, ()), curve)
            )
        if len(order) > room:
            table.add_row(f"and {len(order) - room:,} more runs")
        return table

    def _mark(self, cell: tuple[str, float | None] | None) -> str:
        if cell is None:
            return ""
        state, share = cell
        return self.marks[state] if share is None else f"{share:.0%}"

    def _curve(self, keys: Iterable[str], width: int) -> str:
        told = self.losses.of(keys)
        if not told:
            return ""
        return f"{sparkline([v for _, v in told], width, self.bars)} {told[-1][1]:.4f}".strip()

    def _foot(self, opened: Opened, shown: Shown) -> list[str]:
        labels = {key: stage.label for key, stage in opened.plan.stages.items()}
        lines = [
            "  ".join(
                f"{self.marks[state]} {WORDS.get(state, state)} {count:,}"
                for state, count in Counter(s.state for s in shown.seen.values()).most_common()
            )
        ]
        running = [(labels[k], s) for k, s in shown.seen.items() if s.state == "running"]
        for label, one in running[:4]:
            told = progress_text(dict(one.progress or {}))
            lines.append(f"running: {label}" + (f": {told}" if told else ""))
        if len(running) > 4:
            lines.append(f"running: {len(running) - 4:,} more")
        for state in ("queued", "again", "waiting"):
            reasons = Counter(s.reason for s in shown.seen.values() if s.state == state)
            lines += [f"{state}: {n:,}: {why}" for why, n in reasons.most_common(2) if why]
        causes = Counter((a.failure or "error", _first(a.error)) for a in shown.failed)
        lines += [f"failed: {n:,}: {kind}: {text}" for (kind, text), n in causes.most_common(3)]
        return [*lines, *shown.notes[:2]]


def _rank(cells: Iterable[tuple[str, float | None]]) -> int:
    """Runs that move or failed come before those that wait, and those before what is done."""
    states = {state for state, _ in cells}
    return next((i for i, state in enumerate(ORDER) if state in states), len(ORDER))


def _first(text: str | None) -> str:
    return (text or "").strip().splitlines()[0] if (text or "").strip() else ""
